//! The suite of `Systemd`. [`systemd_everywhere!`](crate::systemd_everywhere) is for every implementation, the fake too;
//! [`systemd_programs!`](crate::systemd_programs) is for one that runs programs, as root on a machine of its own.

pub mod files;
pub mod life;
pub mod machine;
pub mod programs;
pub mod transient;
pub mod watching;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostkit_core::manifest::StopRule;
use hostkit_core::variables::Variables;
use hostkit_host::systemd::sandbox::Sandbox;
use hostkit_host::systemd::unit_file::{Section, UnitFile};
use hostkit_host::systemd::{ActiveState, Streams, Systemd, TransientUnit, UnitLimits, UnitName, UnitStatus};

/// What the tests bring. One for each test; its drop leaves no unit of it.
pub trait SystemdFixture: Send + Sync {
    /// A new view of one and the same manager at every call, as a caller that was started again has.
    fn systemd(&self) -> Arc<dyn Systemd>;

    /// What the names of this test's units begin with: no other test has it.
    fn prefix(&self) -> &str;

    /// A folder that every account may enter and root may write to.
    fn scratch(&self) -> &Path;
}

/// Tests for every implementation. The first argument makes a fixture; attributes after it are given to every test.
#[macro_export]
macro_rules! systemd_everywhere {
    ($fixture:expr $(, #[$attribute:meta])*) => {
        $crate::systemd_tests!($fixture, [$(#[$attribute])*] files:
            a_file_is_written_once_and_says_so, what_cannot_be_written_changes_nothing,
            an_alias_moves_in_one_step, an_alias_takes_no_unit_s_place, enabling_can_be_repeated_and_taken_back,
            what_is_not_there_is_removed_already);
        $crate::systemd_tests!($fixture, [$(#[$attribute])*] life:
            a_unit_starts_once_and_stops_once, a_restart_is_a_new_process, what_nobody_knows_is_said_so,
            what_cannot_be_executed_names_the_unit_and_where_to_read_more, exit_codes_are_kept_until_reset,
            signals_end_it_and_are_told, restarts_are_counted, a_unit_without_its_file_is_found_and_stopped,
            names_that_begin_alike_are_kept_apart, a_second_view_sees_the_same);
        $crate::systemd_tests!($fixture, [$(#[$attribute])*] watching:
            changes_are_told_and_only_those_asked_for, two_watchers_both_hear);
        $crate::systemd_tests!($fixture, [$(#[$attribute])*] transient:
            it_ends_as_its_program_ends, a_signal_is_not_an_exit_code, the_time_limit_ends_it,
            what_cannot_be_executed_is_a_failure_and_leaves_nothing, a_name_is_used_once,
            dropped_it_is_killed, it_stops_when_asked, without_grace_it_is_killed_at_once, waiting_can_be_given_up_and_taken_up_again);
    };
}

/// Tests for an implementation that runs programs.
#[macro_export]
macro_rules! systemd_programs {
    ($fixture:expr $(, #[$attribute:meta])*) => {
        $crate::systemd_tests!($fixture, [$(#[$attribute])*] programs:
            arguments_arrive_byte_for_byte_from_a_file, arguments_arrive_byte_for_byte_without_a_file,
            variables_arrive_byte_for_byte_and_alone_from_a_file,
            variables_arrive_byte_for_byte_and_alone_without_a_file, a_secret_is_nowhere_to_be_asked_for,
            streams_are_passed_on, a_terminal_is_passed_on, it_runs_as_its_account, too_much_memory_ends_it);
        $crate::systemd_tests!($fixture, [$(#[$attribute])*] machine:
            walls_are_the_same_from_a_file_and_without_one, a_call_that_is_taken_away_fails, files_pass_systemd_s_own_check,
            an_alias_is_a_name_of_the_live_unit, it_ends_with_the_unit_it_is_bound_to,
            a_manager_that_starts_itself_afresh_loses_no_job, a_bus_that_is_restarted_is_found_again,
            signals_that_are_not_from_systemd_are_passed_over,
            what_ends_at_once_is_told_while_the_manager_reads_its_files);
    };
}

/// One `tokio` test for each named function of a module of this suite.
#[macro_export]
macro_rules! systemd_tests {
    ($fixture:expr, $attributes:tt $module:ident: $($name:ident),* $(,)?) => {
        $($crate::systemd_test!($fixture, $attributes $module, $name);)*
    };
}

/// One test of [`systemd_tests!`](crate::systemd_tests).
#[macro_export]
macro_rules! systemd_test {
    ($fixture:expr, [$(#[$attribute:meta])*] $module:ident, $name:ident) => {
        $(#[$attribute])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let fixture = $fixture;
            $crate::conformance::systemd::$module::$name(&fixture).await;
        }
    };
}

/// A service of the test: `hostkit-PREFIX.PART.service`.
pub(crate) fn service_name(fixture: &dyn SystemdFixture, part: &str) -> UnitName {
    UnitName::service(&format!("{}.{part}", fixture.prefix())).unwrap_or_else(|e| panic!("{e}"))
}

/// What the names of the test's units begin with, whole.
pub(crate) fn prefix(fixture: &dyn SystemdFixture) -> String {
    format!("hostkit-{}.", fixture.prefix())
}

/// A unit file that runs a program of the machine.
pub(crate) fn unit(program: &str, arguments: &[&str]) -> UnitFile {
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    UnitFile::new()
        .text("Description", "a test")
        .section(Section::Service)
        .word("Type", "exec")
        .command("ExecStart", program, &arguments)
        .section(Section::Install)
        .word("WantedBy", "multi-user.target")
}

/// A unit that goes on.
pub(crate) fn sleeper() -> UnitFile {
    unit("/bin/sleep", &["600"])
}

/// A unit without a file that runs a program of the machine.
pub(crate) fn transient(name: &UnitName, program: &str, arguments: &[&str]) -> TransientUnit {
    TransientUnit {
        name: name.clone(),
        description: "a test".to_owned(),
        program: program.into(),
        arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
        account: None,
        slice: None,
        limits: UnitLimits::default(),
        directory: PathBuf::from("/"),
        variables: Variables::new(),
        sandbox: Sandbox::default(),
        bound_to: None,
        stop: StopRule::default(),
        streams: Streams::Files {
            input: None,
            output: None,
            errors: None,
        },
    }
}

pub(crate) fn ok<T>(result: Result<T, hostkit_core::kind::Failure>) -> T {
    result.unwrap_or_else(|e| panic!("{e} {:?} {:?}", e.hint, e.details))
}

pub(crate) fn refused<T>(result: Result<T, hostkit_core::kind::Failure>) -> hostkit_core::kind::Failure {
    result
        .err()
        .unwrap_or_else(|| panic!("it should have been refused"))
}

/// Puts a unit file where the manager sees it.
pub(crate) async fn install(systemd: &dyn Systemd, name: &UnitName, file: &UnitFile) {
    ok(systemd.ensure_file(name, file).await);
    ok(systemd.reload().await);
}

pub(crate) async fn status(systemd: &dyn Systemd, name: &UnitName) -> UnitStatus {
    ok(systemd.status(name).await)
}

/// The status, once it is as wanted.
pub(crate) async fn status_when(
    systemd: &dyn Systemd,
    name: &UnitName,
    what: &str,
    wanted: impl Fn(&UnitStatus) -> bool,
) -> UnitStatus {
    eventually(&format!("`{name}` {what}"), || async {
        let status = status(systemd, name).await;
        wanted(&status).then_some(status)
    })
    .await
}

/// A line that makes the first file when it is ready, and, asked to end, does so with exit code 4 once the second is there;
/// and the arguments of a shell for it.
pub(crate) fn ends_when_let(fixture: &dyn SystemdFixture) -> (PathBuf, PathBuf, [String; 5]) {
    let (ready, let_go) = (fixture.scratch().join("ready"), fixture.scratch().join("let-go"));
    let line = "trap 'while [ ! -e \"$2\" ]; do sleep 0.1; done; exit 4' TERM; : > \"$1\"; while :; do sleep 0.1; done";
    let paths = [&ready, &let_go].map(|path| path.display().to_string());
    let arguments = ["-c", line, "sh", &paths[0], &paths[1]].map(str::to_owned);
    (ready, let_go, arguments)
}

pub(crate) fn is_down(status: &UnitStatus) -> bool {
    matches!(status.active, ActiveState::Inactive | ActiveState::Failed)
}

/// Tries until it works, or a minute is over.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What `future` gives, which must come within a minute.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future)
        .await
        .unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
