//! Builders in a process of their own, as they run in a unit on a server. The units here are child processes; the lane
//! `host` has real ones.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hostkit_builders::BuilderSettings;
use hostkit_builders::apart::{ApartSettings, catalogue};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::log::LogStream;
use hostkit_core::manifest::{BuildRule, Command};
use hostkit_core::names::ProjectName;
use hostkit_core::release::Artifact;
use hostkit_core::secret::Secret;
use hostkit_core::services::ServiceName;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::{BuildJob, BuildLog};
use hostkit_host::accounts::{Account, Accounts};
use hostkit_host::change::Change;
use hostkit_host::command::Ending;
use hostkit_host::roles::SelfProgram;
use hostkit_host::systemd::{
    Job, ListedUnit, Signal, Streams, TransientEnd, TransientRun, TransientUnit, UnitChanges, UnitLimits,
    UnitName, UnitResult, UnitStatus, Units, Whom,
};

/// Runs units as children of this process, and says of their end what a test wants.
#[derive(Default)]
struct Children {
    says: Option<(Ending, UnitResult)>,
    seen: Mutex<Vec<(String, Option<String>, UnitLimits)>>,
}

fn not_here<T>() -> Result<T, Failure> {
    Err(Failure::new(Kind::Internal, "cannot do this here"))
}

#[async_trait]
impl Units for Children {
    async fn run_job(&self, _: Job, _: &UnitName) -> Result<(), Failure> {
        not_here()
    }
    async fn signal(&self, _: &UnitName, _: Whom, _: Signal) -> Result<(), Failure> {
        not_here()
    }
    async fn reset_failed(&self, _: &UnitName) -> Result<(), Failure> {
        not_here()
    }
    async fn status(&self, _: &UnitName) -> Result<UnitStatus, Failure> {
        not_here()
    }
    async fn list(&self, _: &str) -> Result<Vec<ListedUnit>, Failure> {
        not_here()
    }
    async fn changes(&self, _: &str) -> Result<UnitChanges, Failure> {
        not_here()
    }
    async fn start_transient(&self, unit: TransientUnit) -> Result<Box<dyn TransientRun>, Failure> {
        let Streams::Files { input, output, .. } = unit.streams else {
            return not_here();
        };
        let child = tokio::process::Command::new(&unit.program)
            .args(&unit.arguments)
            .env_clear()
            .current_dir(&unit.directory)
            .stdin(Stdio::from(input.unwrap()))
            .stdout(Stdio::from(output.unwrap()))
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let entry = (unit.name.to_string(), unit.account, unit.limits);
        self.seen.lock().unwrap().push(entry);
        Ok(Box::new(Run {
            name: unit.name,
            child,
            says: self.says.clone(),
        }))
    }
}

struct Run {
    name: UnitName,
    child: tokio::process::Child,
    says: Option<(Ending, UnitResult)>,
}

#[async_trait]
impl TransientRun for Run {
    fn name(&self) -> &UnitName {
        &self.name
    }
    async fn wait(&mut self) -> Result<TransientEnd, Failure> {
        let status = self.child.wait().await.unwrap();
        let own = (Ending::Exited(status.code().unwrap_or(1)), UnitResult::Success);
        let (ending, result) = self.says.clone().unwrap_or(own);
        Ok(TransientEnd {
            ending,
            result,
            at: None,
        })
    }
    async fn stop(&mut self) -> Result<(), Failure> {
        self.child.kill().await.unwrap();
        Ok(())
    }
}

/// Whoever runs the tests is every project's account; or there is none.
struct Everybody(bool);

#[async_trait]
impl Accounts for Everybody {
    async fn observe(&self, _: &ProjectName) -> Result<Option<Account>, Failure> {
        Ok(self.0.then(Account::own))
    }
    async fn ensure(&self, _: &ProjectName) -> Result<(Account, Change), Failure> {
        not_here()
    }
    async fn close(&self, _: &ProjectName) -> Result<Change, Failure> {
        not_here()
    }
    async fn remove(&self, _: &ProjectName) -> Result<Change, Failure> {
        not_here()
    }
    async fn project_of(&self, _: u32) -> Result<Option<ProjectName>, Failure> {
        not_here()
    }
    async fn ensure_front_door(&self) -> Result<(Account, Change), Failure> {
        not_here()
    }
    async fn ensure_service(&self, _: &ServiceName) -> Result<(Account, Change), Failure> {
        not_here()
    }
    async fn remove_service(&self, _: &ServiceName) -> Result<Change, Failure> {
        not_here()
    }
    async fn observe_foreign(&self, _: &str) -> Result<Option<Account>, Failure> {
        not_here()
    }
}

#[derive(Default)]
struct Lines(Mutex<Vec<(LogStream, String)>>);

impl BuildLog for Lines {
    fn line(&self, stream: LogStream, text: &str) {
        self.0.lock().unwrap().push((stream, text.to_owned()));
    }
}

struct Bench {
    place: tempfile::TempDir,
    children: Arc<Children>,
    has_account: bool,
    program: PathBuf,
    lines: Lines,
}

impl Bench {
    fn new() -> Self {
        Bench {
            place: tempfile::tempdir().unwrap(),
            children: Arc::default(),
            has_account: true,
            program: env!("CARGO_BIN_EXE_builders-role").into(),
            lines: Lines::default(),
        }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.work().join("source").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn work(&self) -> PathBuf {
        self.place.path().join("build/7")
    }

    async fn build(&self, name: &str, rule: BuildRule) -> Result<Artifact, Failure> {
        let cache = self.place.path().join("cache");
        std::fs::create_dir_all(&cache).unwrap();
        let settings = BuilderSettings {
            own: SelfProgram::at(&self.program),
            operator_environment: hostkit_builders::operator_environment_from(std::env::vars()),
            min_free: ByteSize::mib(1),
        };
        let apart = ApartSettings {
            units: self.children.clone(),
            accounts: Arc::new(Everybody(self.has_account)),
            program: self.program.clone(),
            limits: UnitLimits {
                tasks: Some(512),
                ..UnitLimits::default()
            },
            caller: None,
            free_space: |place| {
                Ok(if place.join("source/filled").exists() {
                    0
                } else {
                    u64::MAX
                })
            },
        };
        let builders = catalogue(&settings, &apart);
        let builder = builders.iter().find(|builder| builder.name() == name).unwrap();
        let job = BuildJob {
            project: "shop".parse().unwrap(),
            source: self.work().join("source"),
            output: self.work().join("output"),
            cache,
            rule,
            variables: [("GREETING".parse().unwrap(), Secret::new("$x \"y\"\n'z'"))].into(),
        };
        builder.build(&job, &self.lines).await
    }

    fn said(&self, stream: LogStream) -> Vec<String> {
        let lines = self.lines.0.lock().unwrap();
        let own = lines.iter().filter(|(of, _)| *of == stream);
        own.map(|(_, text)| text.clone()).collect()
    }
}

fn command(line: &str) -> BuildRule {
    BuildRule {
        command: Some(Command::Line(line.to_owned())),
        output: Some("dist".parse().unwrap()),
        ..BuildRule::default()
    }
}

#[tokio::test]
async fn a_builder_works_in_a_process_of_its_own_and_tells_what_it_does() {
    let bench = Bench::new();
    bench.write("index.html", "<h1>from source</h1>");
    let rule =
        command("mkdir dist && printf '%s' \"$GREETING\" > dist/index.html && echo printed && echo odd >&2");
    let artifact = bench.build("static", rule).await.unwrap();
    assert_eq!(artifact.builder, "static");
    let made = |name: &str| std::fs::read_to_string(bench.work().join("output").join(name));
    assert!(
        made("index.html").or_else(|_| made("dist/index.html")).unwrap() == "$x \"y\"\n'z'",
        "the variable is in the file"
    );
    assert_eq!(bench.said(LogStream::Out), ["printed"]);
    assert_eq!(bench.said(LogStream::Err), ["odd"]);
    let seen = bench.children.seen.lock().unwrap();
    let (name, account, limits) = &seen[0];
    assert!(name.starts_with("hostkit-shop.build-"), "{name}");
    assert_eq!(account.as_deref(), Some("shop"));
    assert_eq!(
        (limits.tasks, limits.memory),
        (Some(512), Some(ByteSize::mib(4096)))
    );
}

#[tokio::test]
async fn a_build_that_fails_says_why_as_it_does_in_our_own_process() {
    let bench = Bench::new();
    bench.write("index.html", "x");
    let failure = bench
        .build("static", command("echo broken; exit 3"))
        .await
        .unwrap_err();
    assert!(failure.to_string().contains("exit status 3"), "{failure}");
}

#[tokio::test]
async fn limits_of_the_unit_are_told_as_what_they_are() {
    for (ending, expected) in [
        (Ending::OutOfMemory, "used more memory than it may (4GB)"),
        (Ending::TimedOut, "took longer than it may"),
    ] {
        let mut bench = Bench::new();
        bench.children = Arc::new(Children {
            says: Some((ending, UnitResult::OomKill)),
            ..Children::default()
        });
        bench.write("index.html", "x");
        let failure = bench.build("static", BuildRule::default()).await.unwrap_err();
        assert!(failure.message.contains(expected), "{failure}");
        assert!(failure.hint.is_some());
    }
}

#[tokio::test]
async fn a_build_that_fills_the_disk_is_ended_before_it_is_full() {
    let bench = Bench::new();
    bench.write("index.html", "x");
    let endless = command("echo filling; touch filled; while :; do sleep 1; done");
    let failure = bench.build("static", endless).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Failed);
    assert!(failure.message.contains("about to fill the disk"), "{failure}");
    assert!(failure.message.contains("1MB stay free"), "{failure}");
    assert!(failure.hint.is_some());
    assert_eq!(bench.said(LogStream::Out), ["filling"]);
}

#[tokio::test]
async fn a_worker_that_says_nothing_is_a_failure() {
    let mut bench = Bench::new();
    bench.program = Path::new("/bin/true").to_owned();
    bench.write("index.html", "x");
    let failure = bench.build("static", BuildRule::default()).await.unwrap_err();
    assert!(failure.message.contains("before it was done"), "{failure}");
}

#[tokio::test]
async fn without_an_account_nothing_is_built() {
    let mut bench = Bench::new();
    bench.has_account = false;
    bench.write("index.html", "x");
    let failure = bench.build("static", BuildRule::default()).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Unavailable);
    assert!(bench.children.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_source_with_a_second_name_of_a_file_is_not_given_away() {
    let bench = Bench::new();
    bench.write("index.html", "x");
    let foreign = bench.place.path().join("foreign");
    std::fs::write(&foreign, "root's").unwrap();
    std::fs::hard_link(&foreign, bench.work().join("source/mine")).unwrap();
    let failure = bench.build("static", BuildRule::default()).await.unwrap_err();
    assert!(failure.message.contains("second name"), "{failure}");
    assert!(bench.children.seen.lock().unwrap().is_empty());
}
