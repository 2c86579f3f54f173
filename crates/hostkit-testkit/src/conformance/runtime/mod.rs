//! The suite of [`Runtime`]. [`runtime_bookkeeping!`](crate::runtime_bookkeeping) is for every runtime, the fake
//! too; [`runtime_programs!`](crate::runtime_programs) is for those that run programs.

pub mod bookkeeping;
pub mod life;
pub mod logs;
pub mod one_off;
pub mod programs;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostkit_core::log::{LogLine, LogQuery};
use hostkit_core::manifest::{Command, StopRule};
use hostkit_core::names::{EnvironmentName, ProcessName, ProjectName, ReleaseName, VariableName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::traits::Runtime;
use hostkit_core::workload::{Instance, InstanceState, Scope, Workload, WorkloadId};

/// What a runtime's tests bring. One for each test; its drop leaves nothing running.
pub trait RuntimeFixture: Send + Sync {
    /// A new view of one and the same installation at every call, as a caller that was started again has.
    fn runtime(&self) -> Arc<dyn Runtime>;

    /// A folder that programs may write to.
    fn scratch(&self) -> &Path;
}

/// Tests for every runtime. The argument makes a fixture; in front of it an attribute for each test may stand in
/// brackets: `[ignore = "…"]`.
#[macro_export]
macro_rules! runtime_bookkeeping {
    ([$($attribute:tt)*], $fixture:expr) => {
        $crate::conformance_tests!([$($attribute)*], $fixture, bookkeeping:
            as_many_as_asked_run_and_no_more, names_that_begin_alike_never_touch,
            workloads_are_started_at_once, a_second_view_finds_everything, scopes_are_kept,
            strangers_are_not_found, restarted_fifty_times_it_runs);
    };
    ($fixture:expr) => { $crate::runtime_bookkeeping!([cfg(test)], $fixture); };
}

/// Tests for runtimes that run programs. The argument makes a fixture, whose pauses between restarts should be
/// short and whose crash loop should begin after a few crashes; in front of it an attribute for each test may stand
/// in brackets.
#[macro_export]
macro_rules! runtime_programs {
    ([$($attribute:tt)*], $fixture:expr) => {
        $crate::conformance_tests!([$($attribute)*], $fixture, programs:
            the_environment_is_exact_to_the_byte, a_shell_line_gets_every_byte_too,
            the_port_is_told_and_stays, what_cannot_be_started_is_a_failure, it_says_where_it_listens);
        $crate::conformance_tests!([$($attribute)*], $fixture, life:
            crashes_are_followed_by_restarts_and_a_crash_loop, signals_are_recorded_as_such,
            too_much_memory_is_recorded_as_such, the_stop_signal_is_honoured,
            what_ignores_the_signal_is_killed, daemons_are_ended_with_their_instance,
            daemons_are_ended_with_their_crashed_program, a_restart_is_not_a_crash);
        $crate::conformance_tests!([$($attribute)*], $fixture, logs:
            both_streams_are_captured_in_order, what_ends_at_once_was_heard, much_output_does_not_block,
            lines_outlive_their_instance, queries_choose_lines, following_sees_new_lines_and_new_instances);
        $crate::conformance_tests!([$($attribute)*], $fixture, one_off:
            streams_and_exit_code_are_passed_on, its_environment_is_exact, it_is_killed_when_dropped,
            a_terminal_is_given, what_is_not_there_is_a_failure);
    };
    ($fixture:expr) => { $crate::runtime_programs!([cfg(test)], $fixture); };
}

/// One `tokio` test for each named function of a module of this suite, with an attribute.
#[macro_export]
macro_rules! conformance_tests {
    ([$($attribute:tt)*], $fixture:expr, $module:ident: $($name:ident),* $(,)?) => {
        $crate::conformance_tests!(@each [$($attribute)*], $fixture, $module: $($name),*);
    };
    (@each $attribute:tt, $fixture:expr, $module:ident: $($name:ident),*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #$attribute
            async fn $name() {
                let fixture = $fixture;
                $crate::conformance::runtime::$module::$name(&fixture).await;
            }
        )*
    };
}

/// Values that other platforms damaged (ACCEPTANCE A31).
pub fn corpus() -> Vec<String> {
    let pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQ+/=\nabc\n-----END PRIVATE KEY-----\n";
    [
        "",
        " ",
        "$",
        "$$",
        "${X}",
        "$(id)",
        "`id`",
        "'",
        "\"",
        "\\",
        "\\n",
        "#",
        "# no comment",
        "=",
        "a=b",
        " lead",
        "trail ",
        "two\nlines",
        "\r\n",
        "\t",
        "%s %d",
        "!",
        "*",
        "~",
        "$2b$12$abcdefghijklmnopqrstuv",
        "{\"a\": [1, \"$x\", null], \"b\": \"\\\"\"}",
        pem,
        "\u{1f600} gr\u{fc}n \u{4f60}\u{597d}",
        "\u{7f}\u{1}",
    ]
    .iter()
    .map(|value| (*value).to_owned())
    .collect()
}

pub(crate) fn environment(project: &str) -> EnvironmentId {
    EnvironmentId::new(
        ProjectName::parse(project).unwrap_or_else(|e| panic!("{e}")),
        EnvironmentName::production(),
    )
}

/// A workload of one instance with PATH as its only variable.
pub(crate) fn workload(project: &str, process: &str, deployment: u64, command: Command) -> Workload {
    Workload {
        id: WorkloadId {
            environment: environment(project),
            process: ProcessName::parse(process).unwrap_or_else(|e| panic!("{e}")),
            deployment,
        },
        release: ReleaseName::parse("20250215-120000").unwrap_or_else(|e| panic!("{e}")),
        count: 1,
        command,
        directory: PathBuf::from("/"),
        variables: [variable("PATH", "/usr/local/bin:/usr/bin:/bin")].into(),
        port_variable: VariableName::parse("PORT").ok(),
        stop: StopRule::default(),
        memory: None,
        cpus: None,
    }
}

/// A workload that runs a shell line.
pub(crate) fn line(project: &str, process: &str, deployment: u64, line: &str) -> Workload {
    workload(project, process, deployment, Command::Line(line.to_owned()))
}

pub(crate) fn variable(name: &str, value: &str) -> (VariableName, Secret) {
    (
        VariableName::parse(name).unwrap_or_else(|e| panic!("{e}")),
        Secret::new(value),
    )
}

/// Tries until it works, or half a minute is over.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The text of a file, once it ends with a line end.
pub(crate) async fn whole_file(path: &Path) -> String {
    eventually(&format!("{} is written", path.display()), || async {
        std::fs::read_to_string(path)
            .ok()
            .filter(|text| text.ends_with('\n'))
    })
    .await
}

pub(crate) fn runs(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .trim_start()
            .starts_with('Z')
    })
}

pub(crate) async fn is_gone(pid: u32) {
    eventually(&format!("process {pid} is gone"), || async {
        (!runs(pid)).then_some(())
    })
    .await;
}

pub(crate) async fn ensure(runtime: &dyn Runtime, workload: &Workload) -> Vec<Instance> {
    runtime
        .ensure(workload)
        .await
        .unwrap_or_else(|e| panic!("{e} {:?}", e.details))
}

pub(crate) async fn observe(runtime: &dyn Runtime, scope: &Scope) -> Vec<Instance> {
    runtime.observe(scope).await.unwrap_or_else(|e| panic!("{e}"))
}

pub(crate) async fn remove(runtime: &dyn Runtime, id: &WorkloadId) {
    runtime.remove(id).await.unwrap_or_else(|e| panic!("{e}"));
}

/// The one instance of a workload, once it is as wanted.
pub(crate) async fn instance_when(
    runtime: &dyn Runtime,
    id: &WorkloadId,
    what: &str,
    wanted: impl Fn(&Instance) -> bool,
) -> Instance {
    let scope = Scope::of(&id.environment);
    eventually(what, || async {
        observe(runtime, &scope)
            .await
            .into_iter()
            .find(|i| i.id.workload == *id && wanted(i))
    })
    .await
}

pub(crate) fn is_running(instance: &Instance) -> bool {
    instance.state == InstanceState::Running && instance.pid.is_some()
}

/// All lines of an environment that a query asks for; the query must not follow.
pub(crate) async fn lines(
    runtime: &dyn Runtime,
    environment: &EnvironmentId,
    query: LogQuery,
) -> Vec<LogLine> {
    use futures_util::StreamExt;
    let stream = runtime
        .logs(environment, &query)
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    stream.collect().await
}
