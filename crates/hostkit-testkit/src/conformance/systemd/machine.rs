//! What only a whole machine shows: the manager that starts itself afresh, the bus that is restarted, other accounts.

use std::process::{Command, Stdio};

use hostkit_host::systemd::sandbox::{Access, Bind, ProtectHome, ProtectSystem};
use hostkit_host::systemd::{Ending, LoadState};

use super::*;

/// What a program of the machine prints, which must end well.
pub(crate) fn run(line: &[&str]) -> String {
    let output = Command::new(line[0])
        .args(&line[1..])
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("{line:?}: {e}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a program of the machine prints, however it ends.
pub(crate) fn run_any(line: &[&str]) -> String {
    let output = Command::new(line[0])
        .args(&line[1..])
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("{line:?}: {e}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn every_wall(fixture: &dyn SystemdFixture) -> Sandbox {
    Sandbox {
        no_new_privileges: true,
        no_capabilities: true,
        protect_system: ProtectSystem::Strict,
        protect_home: ProtectHome::Empty,
        private_tmp: true,
        private_devices: true,
        private_network: true,
        private_ipc: true,
        private_users: true,
        protect_kernel_tunables: true,
        protect_kernel_modules: true,
        protect_kernel_logs: true,
        protect_control_groups: true,
        protect_clock: true,
        protect_hostname: true,
        hide_processes: true,
        only_processes_in_proc: true,
        address_families: vec!["AF_INET", "AF_INET6", "AF_UNIX"],
        restrict_namespaces: true,
        restrict_realtime: true,
        restrict_suid_sgid: true,
        lock_personality: true,
        native_system_calls: true,
        system_calls: vec!["@system-service"],
        without_system_calls: vec!["@privileged", "@resources"],
        remove_ipc: true,
        umask: Some(0o077),
        read_write: vec![fixture.scratch().to_owned()],
        read_only: vec!["/var/lib".into()],
        inaccessible: vec!["/var/log".into(), "/no/such/path".into()],
        binds: vec![
            Bind::in_place("/usr/share", Access::ReadOnly),
            Bind::in_place(fixture.scratch(), Access::ReadWrite),
        ],
        temporary: vec!["/mnt".into()],
    }
}

/// What systemd has understood, by property.
fn walls(name: &UnitName) -> Vec<String> {
    let of_walls = [
        "NoNewPrivileges",
        "Private",
        "Protect",
        "Restrict",
        "LockPersonality",
        "RemoveIPC",
        "ProcSubset",
        "CapabilityBoundingSet",
        "SystemCall",
        "UMask",
        "ReadWritePaths",
        "ReadOnlyPaths",
        "InaccessiblePaths",
        "BindPaths",
        "BindReadOnlyPaths",
        "TemporaryFileSystem",
        "MemoryMax",
        "MemorySwapMax",
        "CPUQuota",
        "TasksMax",
        "IOWeight",
        "CPUWeight",
        "RuntimeMaxUSec",
    ];
    run(&["systemctl", "show", "--all", name.as_str()])
        .lines()
        .filter(|line| of_walls.iter().any(|wall| line.starts_with(wall)))
        .map(str::to_owned)
        .collect()
}

/// A build is shut in like an instance; and the walls stand.
pub async fn walls_are_the_same_from_a_file_and_without_one(fixture: &dyn SystemdFixture) {
    let systemd = fixture.systemd();
    let (web, build, bare) = (
        service_name(fixture, "web"),
        service_name(fixture, "build"),
        service_name(fixture, "bare"),
    );
    let limits = UnitLimits {
        memory: Some(hostkit_core::size::ByteSize::mib(64)),
        cpu_percent: Some(150),
        tasks: Some(64),
        io_weight: Some(50),
        cpu_weight: Some(20),
        time: Some(Duration::from_secs(600)),
    };
    let sandbox = every_wall(fixture);
    let file = ok(sleeper().section(Section::Service).sandbox(&sandbox)).limits(&limits);
    install(&*systemd, &web, &file).await;
    ok(systemd.start(&web).await);
    let mut unit = transient(&build, "/bin/sleep", &["600"]);
    unit.sandbox = sandbox;
    unit.limits = limits;
    let _build = ok(systemd.start_transient(unit).await);
    let _bare = ok(systemd
        .start_transient(transient(&bare, "/bin/sleep", &["600"]))
        .await);
    let (one, two, none) = (walls(&web), walls(&build), walls(&bare));
    // One kind of namespace is left to it, for which it has no right anyway: see where the property is made.
    let as_in_file = |lines: &[String]| -> Vec<String> {
        let line = |line: &String| line.replace("RestrictNamespaces=uts", "RestrictNamespaces=yes");
        lines.iter().map(line).collect()
    };
    assert_eq!(one, as_in_file(&two));
    // Also after systemd read again what it keeps of the one without a file.
    ok(systemd.reload().await);
    assert_eq!(walls(&build), two);
    assert_eq!(status(&*systemd, &build).await.load, LoadState::Loaded);
    let differing = one.iter().zip(&none).filter(|(one, none)| one != none).count();
    assert!(
        differing >= 36,
        "{differing} of {} properties differ from no walls: {one:#?}",
        one.len()
    );
    let pid = status(&*systemd, &web).await.main_pid.unwrap_or_default();
    let seen = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    for line in ["NoNewPrivs:\t1", "CapBnd:\t0000000000000000", "Seccomp:\t2"] {
        assert!(seen.contains(line), "{line} in {seen}");
    }
    let inside = |path: &str| std::fs::read_dir(format!("/proc/{pid}/root{path}")).map_or(0, Iterator::count);
    assert_eq!((inside("/home"), inside("/mnt"), inside("/tmp")), (0, 0, 0));
    assert!(inside("/usr/share") > 0);
}

/// It does not kill: a program may try, and do without.
pub async fn a_call_that_is_taken_away_fails(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "build"));
    let mut unit = transient(&name, "/usr/sbin/chroot", &["/", "true"]);
    unit.sandbox = every_wall(fixture);
    let mut run = ok(systemd.start_transient(unit).await);
    let end = ok(soon("it ends", run.wait()).await);
    assert_eq!(end.ending, Ending::Exited(125));
}

/// No warning either: an unknown or misread setting would be one.
pub async fn files_pass_systemd_s_own_check(fixture: &dyn SystemdFixture) {
    let (systemd, name) = (fixture.systemd(), service_name(fixture, "web"));
    let file = ok(sleeper().section(Section::Service).sandbox(&every_wall(fixture)))
        .text("User", "daemon")
        .text("WorkingDirectory", "/var/lib")
        .section(Section::Unit)
        .text("Documentation", "https://example.com/a%20b");
    install(&*systemd, &name, &file).await;
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", name.as_str()])
        .output()
        .unwrap_or_else(|e| panic!("{e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains(name.as_str()), "{said}");
}

/// People type `systemctl status hostkit-shop`: it is what is live, before and after a move while both run.
pub async fn an_alias_is_a_name_of_the_live_unit(fixture: &dyn SystemdFixture) {
    let systemd = fixture.systemd();
    let [old, new, alias] = ["shop.1", "shop.2", "shop"].map(|part| service_name(fixture, part));
    for name in [&old, &new] {
        install(&*systemd, name, &sleeper()).await;
        ok(systemd.start(name).await);
    }
    let pids = (
        status(&*systemd, &old).await.main_pid,
        status(&*systemd, &new).await.main_pid,
    );
    let shown = || run(&["systemctl", "show", "--property=Id", "--value", alias.as_str()]);
    for target in [&old, &new, &old] {
        ok(systemd.point_alias(&alias, target).await);
        ok(systemd.reload().await);
        assert_eq!(shown().trim(), target.as_str());
        let found = status(&*systemd, &alias).await;
        assert!(found.is_running() && found.name == *target);
    }
    ok(systemd.remove_alias(&alias).await);
    ok(systemd.reload().await);
    assert_eq!(status(&*systemd, &alias).await.load, LoadState::NotFound);
    // All of it without a restart of either.
    let after = (
        status(&*systemd, &old).await.main_pid,
        status(&*systemd, &new).await.main_pid,
    );
    assert_eq!(after, pids);
}

/// Its caller's end is its own.
pub async fn it_ends_with_the_unit_it_is_bound_to(fixture: &dyn SystemdFixture) {
    let systemd = fixture.systemd();
    let (caller, build) = (service_name(fixture, "caller"), service_name(fixture, "build"));
    install(&*systemd, &caller, &sleeper()).await;
    ok(systemd.start(&caller).await);
    let mut unit = transient(&build, "/bin/sleep", &["600"]);
    unit.bound_to = Some(caller.clone());
    let mut run = ok(systemd.start_transient(unit).await);
    ok(systemd
        .signal(
            &caller,
            hostkit_host::systemd::Whom::All,
            hostkit_host::systemd::Signal::SIGKILL,
        )
        .await);
    let end = ok(soon("it ends", run.wait()).await);
    assert_eq!(end.ending, Ending::Signalled(15));
}

/// An upgrade of systemd does this in the middle of anything.
pub async fn a_manager_that_starts_itself_afresh_loses_no_job(fixture: &dyn SystemdFixture) {
    let systemd = fixture.systemd();
    let (web, build) = (service_name(fixture, "web"), service_name(fixture, "build"));
    install(&*systemd, &web, &sleeper()).await;
    let (ready, let_go, arguments) = ends_when_let(fixture);
    let mut unit = transient(&build, "/bin/sh", &[]);
    unit.arguments = arguments.to_vec();
    let mut held = ok(systemd.start_transient(unit).await);
    eventually("it is ready", || async { ready.exists().then_some(()) }).await;
    let mut changes = ok(systemd.changes(&prefix(fixture)).await);
    let ending = {
        let (systemd, build) = (systemd.clone(), build.clone());
        tokio::spawn(async move { systemd.stop(&build).await })
    };
    status_when(&*systemd, &build, "is being stopped", |status| {
        status.active == ActiveState::Deactivating
    })
    .await;
    let waiting = tokio::spawn(async move { (held.wait().await, held) });
    run(&["systemctl", "daemon-reexec"]);
    // Asked at once, while nobody answers.
    for _ in 0..20 {
        ok(systemd.start(&web).await);
        assert!(status(&*systemd, &web).await.is_running());
    }
    run(&["systemctl", "daemon-reexec"]);
    std::fs::write(&let_go, "").unwrap_or_else(|e| panic!("{e}"));
    ok(soon("the job ends", ending)
        .await
        .unwrap_or_else(|e| panic!("{e}")));
    let (end, _held) = soon("its end is seen", waiting)
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(ok(end).ending, Ending::Exited(4));
    use futures_util::StreamExt;
    soon("it is told to look again", async {
        while changes.next().await != Some(hostkit_host::systemd::UnitChange::All) {}
    })
    .await;
    ok(systemd.stop(&web).await);
    soon("changes come again", async {
        while changes.next().await != Some(hostkit_host::systemd::UnitChange::Unit(web.clone())) {}
    })
    .await;
}

/// Each written unit makes the manager read its files again, in the middle of anybody's command.
pub async fn what_ends_at_once_is_told_while_the_manager_reads_its_files(fixture: &dyn SystemdFixture) {
    const AT_ONCE: usize = 4;
    const EACH: usize = 8;
    let (systemd, caller) = (fixture.systemd(), service_name(fixture, "caller"));
    install(&*systemd, &caller, &sleeper()).await;
    ok(systemd.start(&caller).await);
    let mut all = tokio::task::JoinSet::new();
    for line in 0..AT_ONCE {
        let systemd = systemd.clone();
        let names: Vec<UnitName> = (0..EACH)
            .map(|turn| service_name(fixture, &format!("run-{line}-{turn}")))
            .collect();
        let caller = caller.clone();
        all.spawn(async move {
            for name in names {
                let mut unit = transient(&name, "/bin/true", &[]);
                unit.bound_to = Some(caller.clone());
                let mut run = ok(soon("it starts", systemd.start_transient(unit)).await);
                assert_eq!(ok(soon("it ends", run.wait()).await).ending, Ending::Exited(0));
            }
        });
    }
    let mut ended = 0;
    while ended < AT_ONCE {
        ok(systemd.reload().await);
        while let Some(end) = all.try_join_next() {
            end.unwrap_or_else(|e| panic!("{e}"));
            ended += 1;
        }
    }
}

/// The connection is made again, also for whoever only listens.
pub async fn a_bus_that_is_restarted_is_found_again(fixture: &dyn SystemdFixture) {
    use futures_util::StreamExt;
    let (systemd, web) = (fixture.systemd(), service_name(fixture, "web"));
    install(&*systemd, &web, &sleeper()).await;
    ok(systemd.start(&web).await);
    let mut changes = ok(systemd.changes(&prefix(fixture)).await);
    run(&["systemctl", "restart", "dbus.service"]);
    soon("it is told to look again", async {
        while changes.next().await != Some(hostkit_host::systemd::UnitChange::All) {}
    })
    .await;
    ok(systemd.restart(&web).await);
    soon("changes come again", async {
        while changes.next().await != Some(hostkit_host::systemd::UnitChange::Unit(web.clone())) {}
    })
    .await;
    assert!(status(&*systemd, &web).await.is_running());
}

/// Every account may send signals over the bus, to one connection even past its filter.
pub async fn signals_that_are_not_from_systemd_are_passed_over(fixture: &dyn SystemdFixture) {
    let (systemd, slow) = (fixture.systemd(), service_name(fixture, "slow"));
    // Its stop takes as long as the forger needs.
    let (ready, let_go, arguments) = ends_when_let(fixture);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    install(&*systemd, &slow, &unit("/bin/sh", &arguments)).await;
    ok(systemd.start(&slow).await);
    eventually("it is ready", || async { ready.exists().then_some(()) }).await;
    let ending = {
        let (systemd, slow) = (systemd.clone(), slow.clone());
        tokio::spawn(async move { systemd.stop(&slow).await })
    };
    status_when(&*systemd, &slow, "is being stopped", |status| {
        status.active == ActiveState::Deactivating
    })
    .await;
    let jobs = run(&["systemctl", "list-jobs", "--no-legend"]);
    let job = jobs
        .lines()
        .find(|line| line.contains(slow.as_str()))
        .and_then(|line| line.split_whitespace().next())
        .unwrap_or_else(|| panic!("{jobs}"));
    let ours = std::process::id().to_string();
    let names = run(&["busctl", "list", "--no-legend"]);
    let mut forged = 0;
    for line in names.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(pid)) = (words.next(), words.next()) else {
            continue;
        };
        if pid == ours && name.starts_with(':') {
            run(&[
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "busctl",
                "emit",
                "--destination",
                name,
                "/org/freedesktop/systemd1",
                "org.freedesktop.systemd1.Manager",
                "JobRemoved",
                "uoss",
                job,
                &format!("/org/freedesktop/systemd1/job/{job}"),
                slow.as_str(),
                "done",
            ]);
            forged += 1;
        }
    }
    assert!(forged > 0, "our own connection is in {names}");
    // What was forged has had its time to be believed.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!ending.is_finished(), "it was told to have stopped before it had");
    std::fs::write(&let_go, "").unwrap_or_else(|e| panic!("{e}"));
    ok(soon("it stops", ending).await.unwrap_or_else(|e| panic!("{e}")));
    assert!(
        is_down(&status(&*systemd, &slow).await),
        "it was told to have stopped before it had"
    );
}
