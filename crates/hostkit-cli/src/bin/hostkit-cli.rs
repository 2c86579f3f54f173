//! The command line as a process of its own, for tests of pipes, exit codes and start-up time. Local mode is not there.
use hostkit_cli::local::Hooks;
use hostkit_core::kind::{Failure, Kind};

fn main() -> std::process::ExitCode {
    let hooks = Hooks {
        up: |options| Err(Failure::new(Kind::Unavailable, format!("cannot run here: {options:?}")).into()),
        down: |data| match data.join("down").exists() {
            true => Ok(format!("stopped HostKit for `{}`", data.display())),
            false => Err(Failure::new(Kind::NotFound, "HostKit is not up").into()),
        },
        control: |_| Ok(()),
        proxy: |_| Ok(()),
        server_setup: |wish, tell| Ok(server::setup(&wish, tell)),
        server_check: |_| Ok(server::check()),
        isolation: |from, to| Ok(isolation::examined(from, to)),
        authority: |data| Ok(data.join("ca.pem")),
        trust: |data, wish, command| Ok(trust::report(data, wish, command)),
    };
    hostkit_cli::run(std::env::args_os().collect(), hooks).into()
}

/// A machine that was looked at, of which half could be mended.
mod server {
    use hostkit_core::kind::{Failure, Kind};
    use hostkit_core::server::{
        Change, CheckReport, CheckedItem, ItemState, Progress, SetupItem, SetupOutcome, SetupReport,
        SetupWish,
    };

    fn locked_out() -> Failure {
        Failure::new(
            Kind::Conflict,
            "cannot set SSH to keys only: you would be locked out",
        )
        .details(vec!["root: has no key".to_owned()])
        .hint("on your own computer `ssh-copy-id root@SERVER`, then `hostkit server setup` again")
    }

    pub(super) fn setup(wish: &SetupWish, tell: &mut dyn FnMut(Progress<'_>)) -> SetupReport {
        let write = Change::Write {
            path: "/etc/sysctl.d/60-hostkit.conf".to_owned(),
            mode: 0o644,
            before: None,
            after: "vm.swappiness = 20\n".to_owned(),
        };
        let item = |name, title, outcome, failure| SetupItem {
            name,
            title,
            outcome,
            changes: Vec::new(),
            notes: Vec::new(),
            failure,
        };
        let done = if wish.plan {
            SetupOutcome::Planned
        } else {
            SetupOutcome::Changed
        };
        let mut kernel = item("kernel", "settings of the kernel", done, None);
        kernel.changes.push((&write).into());
        let mut items = vec![
            item(
                "packages",
                "packages of the system",
                SetupOutcome::Unchanged,
                None,
            ),
            kernel,
        ];
        if std::env::var_os("HOSTKIT_TEST_FINE").is_none() {
            items.push(item(
                "ssh",
                "SSH by keys only",
                SetupOutcome::Refused,
                Some(locked_out()),
            ));
        }
        for item in &items {
            tell(Progress::Begun(item.name));
            if item.name == "kernel" && !wish.plan {
                tell(Progress::Changing(item.name, &write));
            }
            tell(Progress::Ended(item));
        }
        SetupReport {
            plan: wish.plan,
            changes: 1,
            items,
            next: vec!["`hostkit deploy`".to_owned()],
        }
    }

    pub(super) fn check() -> CheckReport {
        let item = |name, title, state, findings: &[&str], fix: Option<&str>| CheckedItem {
            name,
            title,
            why: "tests",
            state,
            findings: findings.iter().map(ToString::to_string).collect(),
            notes: Vec::new(),
            fix: fix.map(str::to_owned),
        };
        let mut items = vec![
            item("time", "time sync", ItemState::Ok, &[], None),
            item("swap", "swap", ItemState::NotApplicable, &[], None),
        ];
        if std::env::var_os("HOSTKIT_TEST_FINE").is_none() {
            let found = "PasswordAuthentication is `yes` by /etc/ssh/x\u{1b}[31m.conf line 1";
            let fix = Some("hostkit server setup");
            items.push(item("ssh", "SSH by keys only", ItemState::Drift, &[found], fix));
            items.push(item("logs", "log files", ItemState::Missing, &["not there"], fix));
        }
        CheckReport {
            ok: items.iter().all(|item| item.state.is_fine()),
            items,
        }
    }
}

/// Two projects that are kept apart or not, as the test wants it.
mod isolation {
    use hostkit_core::isolation::{AttemptOutcome, AttemptReport, IsolationReport};
    use hostkit_core::names::ProjectName;

    pub(super) fn examined(from: &ProjectName, to: &ProjectName) -> IsolationReport {
        let attempt = |noun: &str, act: String, outcome, why: Option<&str>| AttemptReport {
            noun: noun.to_owned(),
            act,
            outcome,
            why: why.map(str::to_owned),
        };
        let env = match std::env::var_os("HOSTKIT_TEST_FINE") {
            Some(_) => AttemptOutcome::Refused,
            None => AttemptOutcome::Succeeded,
        };
        IsolationReport {
            from: from.clone(),
            to: to.clone(),
            attempts: vec![
                attempt(
                    "home",
                    format!("list /home/{to}"),
                    AttemptOutcome::Refused,
                    Some("denied"),
                ),
                attempt("variables", format!("read /home/{to}/.env"), env, None),
                attempt(
                    "process",
                    "reach its processes".to_owned(),
                    AttemptOutcome::NotMade,
                    Some("nothing of it runs"),
                ),
            ],
        }
    }
}

/// A machine with a browser that may be changed and a list that may not.
mod trust {
    use std::path::Path;

    use hostkit_core::trust::{TrustOutcome, TrustPlace, TrustReport, TrustWish};

    pub(super) fn report(data: &Path, wish: TrustWish, command: &str) -> TrustReport {
        let done = match wish {
            TrustWish::Add => TrustOutcome::Added,
            TrustWish::Remove => TrustOutcome::Removed,
        };
        let place = |of, path: &str, outcome, trouble: Option<(&str, String)>| TrustPlace {
            of,
            path: path.into(),
            outcome,
            why: trouble.as_ref().map(|(why, _)| (*why).to_owned()),
            fix: trouble.map(|(_, fix)| fix),
        };
        let refused = Some(("only root may change it", format!("sudo {command}")));
        let mut places = vec![place("Chromium", "/home/a/.pki/nssdb", done, None)];
        if std::env::var_os("HOSTKIT_TEST_FINE").is_none() {
            places.push(place(
                "the system",
                "/usr/local/x.crt",
                TrustOutcome::NotDone,
                refused,
            ));
        }
        TrustReport {
            certificate: data.join("ca.pem"),
            name: "HostKit local authority 1a2b3c4d".to_owned(),
            places,
        }
    }
}
