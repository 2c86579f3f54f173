//! The suite of [`Services`].

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostkit_core::kind::Kind;
use hostkit_core::manifest::StopRule;
use hostkit_core::names::{EnvironmentName, ProjectName, RelativePath, VariableName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::services::{
    Ensured, Service, ServiceFile, ServiceName, ServiceRole, ServiceTask, WhenChanged,
};
use hostkit_core::size::Span;
use hostkit_core::traits::Services;
use hostkit_core::workload::InstanceState;

/// What tests of services bring: pauses between restarts are short. One for each test; its drop leaves nothing running.
pub trait ServicesFixture: Send + Sync {
    /// A new view of one and the same installation at every call, as a caller that was started again has.
    fn services(&self) -> Arc<dyn Services>;

    /// Kills a program by its number, as the kernel does where memory is short.
    fn kill(&self, pid: u32);
}

/// Tests for every implementation.
#[macro_export]
macro_rules! services_tests {
    ($attribute:tt, $fixture:expr) => {
        $crate::suite_tests!($attribute, $fixture, services:
            a_service_runs_and_a_second_view_finds_it, what_did_not_change_is_left_alone,
            other_arguments_and_variables_start_it_afresh, a_changed_file_does_what_it_asks_for,
            files_that_are_not_wanted_any_more_go, it_comes_back_after_a_kill_with_its_data,
            why_it_does_not_run_is_told, what_cannot_be_started_is_a_failure,
            stopped_it_stays_so_until_it_is_ensured, removed_nothing_is_left_and_a_second_time_too,
            services_are_listed_by_whose_they_are, commands_run_where_the_service_does,
            a_command_that_fails_says_why, a_program_that_refuses_root_is_not_root,
            its_files_are_nobody_elses);
    };
}

/// How long a test waits for something that comes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what} does not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn name(project: &str, role: ServiceRole) -> ServiceName {
    let project = ProjectName::parse(project).expect("a name");
    ServiceName {
        environment: Some(EnvironmentId::new(project, EnvironmentName::production())),
        role,
    }
}

fn file(path: &str, content: &str, changed: WhenChanged) -> ServiceFile {
    ServiceFile {
        path: RelativePath::parse(path).expect("a path"),
        content: Secret::new(content),
        changed,
    }
}

/// A program that notes each start, and each time it is told to read its files again, among its data.
fn note_taker(project: &str) -> Service {
    let script = "echo started >> notes; trap 'echo reloaded >> notes' HUP; trap 'exit 0' TERM; \
                  while :; do sleep 0.02; done";
    Service {
        name: name(project, ServiceRole::Redis),
        arguments: ["/bin/sh", "-c", script].map(str::to_owned).into(),
        variables: [(
            VariableName::parse("PATH").expect("a name"),
            Secret::new("/usr/bin:/bin"),
        )]
        .into(),
        files: Vec::new(),
        stop: StopRule {
            grace: Span::secs(5),
            ..StopRule::default()
        },
        memory: None,
        never_root: false,
    }
}

fn notes(services: &dyn Services, service: &Service) -> String {
    let path = services.place(&service.name).data.join("notes");
    std::fs::read_to_string(path).unwrap_or_default()
}

async fn noted(services: &dyn Services, service: &Service, wanted: &str) {
    until(&format!("`{wanted}` in the notes"), || async {
        notes(services, service) == wanted
    })
    .await;
}

async fn pid(services: &dyn Services, service: &Service) -> Option<u32> {
    let state = services.observe(&service.name).await.expect("a look");
    state.and_then(|state| state.pid)
}

/// It runs, and whoever comes later sees the same program.
pub async fn a_service_runs_and_a_second_view_finds_it(fixture: &dyn ServicesFixture) {
    let (first, service) = (fixture.services(), note_taker("shop"));
    assert!(first.observe(&service.name).await.expect("a look").is_none());
    assert_eq!(first.ensure(&service).await.expect("a start"), Ensured::Started);
    noted(&*first, &service, "started\n").await;
    let second = fixture.services();
    let state = second.observe(&service.name).await.expect("a look").expect("it");
    assert_eq!(
        (state.state, state.pid),
        (InstanceState::Running, pid(&*first, &service).await)
    );
    assert!(state.pid.is_some() && state.memory.is_some_and(|bytes| bytes > 0));
}

/// Ensured again, also by two at once, nothing is started.
pub async fn what_did_not_change_is_left_alone(fixture: &dyn ServicesFixture) {
    let service = note_taker("shop");
    let (first, second) = (fixture.services(), fixture.services());
    let (one, other) = tokio::join!(first.ensure(&service), second.ensure(&service));
    let mut outcomes = [one.expect("a start"), other.expect("a start")];
    outcomes.sort_by_key(|outcome| *outcome == Ensured::Started);
    assert_eq!(outcomes, [Ensured::AsItWas, Ensured::Started]);
    noted(&*first, &service, "started\n").await;
    let before = pid(&*first, &service).await;
    assert_eq!(
        second.ensure(&service).await.expect("nothing to do"),
        Ensured::AsItWas
    );
    assert_eq!(pid(&*first, &service).await, before);
}

/// What it is started with is what it says now, and its data are still there.
pub async fn other_arguments_and_variables_start_it_afresh(fixture: &dyn ServicesFixture) {
    let (services, mut service) = (fixture.services(), note_taker("shop"));
    services.ensure(&service).await.expect("a start");
    noted(&*services, &service, "started\n").await;
    service
        .variables
        .insert(VariableName::parse("MORE").expect("a name"), Secret::new("of it"));
    assert_eq!(
        services.ensure(&service).await.expect("a start"),
        Ensured::Started
    );
    noted(&*services, &service, "started\nstarted\n").await;
    service.arguments.push("an argument".into());
    assert_eq!(
        services.ensure(&service).await.expect("a start"),
        Ensured::Started
    );
    noted(&*services, &service, "started\nstarted\nstarted\n").await;
}

/// Restart, reload or nothing, by the most that any changed file asks for.
pub async fn a_changed_file_does_what_it_asks_for(fixture: &dyn ServicesFixture) {
    let (services, mut service) = (fixture.services(), note_taker("shop"));
    service.files = vec![
        file("a", "1", WhenChanged::Restart),
        file("below/b", "1", WhenChanged::Reload),
        file("c", "1", WhenChanged::Leave),
    ];
    services.ensure(&service).await.expect("a start");
    noted(&*services, &service, "started\n").await;
    let mut change = |index: usize| {
        service.files[index].content = Secret::new("2");
        service.clone()
    };
    let left = change(2);
    assert_eq!(services.ensure(&left).await.expect("a write"), Ensured::AsItWas);
    let reloaded = change(1);
    assert_eq!(
        services.ensure(&reloaded).await.expect("a reload"),
        Ensured::Reloaded
    );
    noted(&*services, &reloaded, "started\nreloaded\n").await;
    let started = change(0);
    assert_eq!(
        services.ensure(&started).await.expect("a start"),
        Ensured::Started
    );
    noted(&*services, &started, "started\nreloaded\nstarted\n").await;
    let configuration = services.place(&started.name).configuration;
    for path in ["a", "below/b", "c"] {
        assert_eq!(
            std::fs::read_to_string(configuration.join(path)).expect("a file"),
            "2"
        );
    }
}

/// A file that is not named any more is gone when the program starts.
pub async fn files_that_are_not_wanted_any_more_go(fixture: &dyn ServicesFixture) {
    let (services, mut service) = (fixture.services(), note_taker("shop"));
    service.files = vec![
        file("kept", "1", WhenChanged::Restart),
        file("gone", "1", WhenChanged::Leave),
    ];
    services.ensure(&service).await.expect("a start");
    service.files.pop();
    assert_eq!(
        services.ensure(&service).await.expect("a start"),
        Ensured::Started
    );
    let configuration = services.place(&service.name).configuration;
    assert!(configuration.join("kept").exists() && !configuration.join("gone").exists());
}

/// Killed, it is started again by itself, without anybody asking, and finds what it wrote.
pub async fn it_comes_back_after_a_kill_with_its_data(fixture: &dyn ServicesFixture) {
    let (services, service) = (fixture.services(), note_taker("shop"));
    services.ensure(&service).await.expect("a start");
    noted(&*services, &service, "started\n").await;
    fixture.kill(pid(&*services, &service).await.expect("a program"));
    noted(&*services, &service, "started\nstarted\n").await;
    until("a restart that is counted", || async {
        let state = services
            .observe(&service.name)
            .await
            .expect("a look")
            .expect("it");
        state.state == InstanceState::Running && state.restarts == 1
    })
    .await;
}

/// Its last words, and how it ended.
pub async fn why_it_does_not_run_is_told(fixture: &dyn ServicesFixture) {
    let (services, mut service) = (fixture.services(), note_taker("shop"));
    service.arguments = ["/bin/sh", "-c", "echo no room >&2; exit 3"]
        .map(str::to_owned)
        .into();
    services.ensure(&service).await.expect("a start");
    until("an end", || async {
        let state = services
            .observe(&service.name)
            .await
            .expect("a look")
            .expect("it");
        state.last_exit.is_some_and(|exit| exit.code == Some(3))
    })
    .await;
    // Who keeps the lines may read them a moment after their writer has ended.
    until("its last words", || async {
        let lines = services.last_lines(&service.name, 100).await.expect("lines");
        lines.iter().any(|line| line == "no room")
    })
    .await;
    assert_eq!(
        services.last_lines(&service.name, 1).await.expect("a line").len(),
        1
    );
}

/// A program that is not there is told at once.
pub async fn what_cannot_be_started_is_a_failure(fixture: &dyn ServicesFixture) {
    let (services, mut service) = (fixture.services(), note_taker("shop"));
    service.arguments = vec!["/no/such/program".into()];
    let failure = services.ensure(&service).await.expect_err("nothing to start");
    assert_eq!(failure.kind, Kind::Failed, "{failure:?}");
    let next = note_taker("shop");
    assert_eq!(services.ensure(&next).await.expect("a start"), Ensured::Started);
}

/// A stop is not a crash, and the data stay.
pub async fn stopped_it_stays_so_until_it_is_ensured(fixture: &dyn ServicesFixture) {
    let (services, service) = (fixture.services(), note_taker("shop"));
    services.stop(&service.name).await.expect("nothing to stop");
    services.ensure(&service).await.expect("a start");
    noted(&*services, &service, "started\n").await;
    services.stop(&service.name).await.expect("a stop");
    services.stop(&service.name).await.expect("a second one");
    let state = services
        .observe(&service.name)
        .await
        .expect("a look")
        .expect("it");
    assert_eq!((state.state, state.pid), (InstanceState::Stopped, None));
    let failure = services.reload(&service.name).await.expect_err("nothing runs");
    assert_eq!(failure.kind, Kind::NotFound);
    assert_eq!(
        services.ensure(&service).await.expect("a start"),
        Ensured::Started
    );
    noted(&*services, &service, "started\nstarted\n").await;
}

/// Program, data and configuration are gone.
pub async fn removed_nothing_is_left_and_a_second_time_too(fixture: &dyn ServicesFixture) {
    let (services, mut service) = (fixture.services(), note_taker("shop"));
    service.files = vec![file("a", "1", WhenChanged::Restart)];
    services.ensure(&service).await.expect("a start");
    noted(&*services, &service, "started\n").await;
    let place = services.place(&service.name);
    services.remove(&service.name).await.expect("an end");
    services.remove(&service.name).await.expect("nothing to remove");
    assert!(services.observe(&service.name).await.expect("a look").is_none());
    assert!(!place.data.exists() && !place.configuration.exists());
    services.ensure(&service).await.expect("a start");
    noted(&*services, &service, "started\n").await;
}

/// Names that begin alike are two; those of the installation are nobody's.
pub async fn services_are_listed_by_whose_they_are(fixture: &dyn ServicesFixture) {
    let services = fixture.services();
    let mut all = note_taker("shop");
    all.name = ServiceName {
        environment: None,
        role: ServiceRole::Postgres,
    };
    let (shop, shop_two) = (note_taker("shop"), note_taker("shop-two"));
    for service in [&all, &shop, &shop_two] {
        services.ensure(service).await.expect("a start");
    }
    let listed = |names: Vec<ServiceName>| {
        let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(
        listed(services.list(None).await.expect("a list")),
        ["postgres", "shop-two.production.redis", "shop.production.redis"]
    );
    let of_shop = services
        .list(shop.name.environment.as_ref())
        .await
        .expect("a list");
    assert_eq!(listed(of_shop), ["shop.production.redis"]);
    services.remove(&shop.name).await.expect("an end");
    assert!(pid(&*services, &shop_two).await.is_some());
    assert!(pid(&*services, &all).await.is_some());
}

fn task<'a>(service: &'a Service, line: &str, input: Option<&str>) -> ServiceTask<'a> {
    ServiceTask {
        service,
        arguments: ["/bin/sh", "-c", line].map(str::to_owned).into(),
        input: input.map(Secret::new),
        limit: Span::secs(60),
    }
}

/// Its folders, files and variables are there before it is started the first time; input arrives whole.
pub async fn commands_run_where_the_service_does(fixture: &dyn ServicesFixture) {
    let (services, mut service) = (fixture.services(), note_taker("shop"));
    service.files = vec![file("a", "from a file", WhenChanged::Restart)];
    service
        .variables
        .insert(VariableName::parse("MORE").expect("a name"), Secret::new("of it"));
    let configuration = services.place(&service.name).configuration;
    let line = format!(
        "cat {}/a; echo \" $MORE\"; wc -c; echo made > made",
        configuration.display()
    );
    let input = "x".repeat(200_000);
    let printed = services
        .run(&task(&service, &line, Some(&input)))
        .await
        .expect("a command");
    assert_eq!(printed, "from a file of it\n200000\n");
    services.ensure(&service).await.expect("a start");
    let printed = services
        .run(&task(&service, "cat made", None))
        .await
        .expect("one more");
    assert_eq!(printed, "made\n");
}

/// The last of what it said goes into the failure; a command that takes too long is ended.
pub async fn a_command_that_fails_says_why(fixture: &dyn ServicesFixture) {
    let (services, service) = (fixture.services(), note_taker("shop"));
    let failing = task(&service, "echo no such role >&2; exit 2", None);
    let failure = services.run(&failing).await.expect_err("a failure");
    assert_eq!(
        (failure.kind, &failure.details[..]),
        (Kind::Failed, &["no such role".to_owned()][..])
    );
    assert!(failure.message.contains("exit status 2"), "{failure}");
    let endless = ServiceTask {
        limit: Span(Duration::from_millis(200)),
        ..task(&service, "while :; do sleep 0.1; done", None)
    };
    assert!(services.run(&endless).await.is_err());
}

/// Whoever HostKit itself is, such a program sees another number, and can read what it wrote in an earlier life.
pub async fn a_program_that_refuses_root_is_not_root(fixture: &dyn ServicesFixture) {
    let (services, mut service) = (fixture.services(), note_taker("shop"));
    service.never_root = true;
    let printed = services
        .run(&task(&service, "id -u; echo kept > kept; chmod 600 kept", None))
        .await
        .expect("a command");
    assert_ne!(printed, "0\n");
    services.ensure(&service).await.expect("a start");
    noted(&*services, &service, "started\n").await;
    let printed = services
        .run(&task(&service, "cat kept", None))
        .await
        .expect("one more");
    assert_eq!(printed, "kept\n");
}

/// Data are for the service's account alone, configuration for nobody outside of its group.
pub async fn its_files_are_nobody_elses(fixture: &dyn ServicesFixture) {
    use std::os::unix::fs::PermissionsExt;
    let (services, mut service) = (fixture.services(), note_taker("shop"));
    service.files = vec![file("secret", "s3cr3t", WhenChanged::Restart)];
    services.ensure(&service).await.expect("a start");
    let place = services.place(&service.name);
    let mode = |path: PathBuf| std::fs::metadata(path).expect("it").permissions().mode() & 0o777;
    assert_eq!(mode(place.data), 0o700);
    assert_eq!(mode(place.configuration.clone()) & 0o027, 0);
    assert_eq!(mode(place.configuration.join("secret")) & 0o137, 0);
}
