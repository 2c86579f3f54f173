//! `server setup` and `server check` on a machine in memory: what is done, what is left alone, what is undone.
#![allow(clippy::unwrap_used)]

mod drift;
mod faults;
mod files;
mod ssh;
mod whole;

use hostkit_core::kind::Failure;
use hostkit_core::server::{CheckReport, CheckedItem, SetupItem, SetupOutcome, SetupReport, SetupWish};
use hostkit_host::server::{Subject, check, setup};
use hostkit_testkit::fakes::{FakeFirewall, FakeMachine};

const SSH_FILE: &str = "/etc/ssh/sshd_config.d/00-hostkit.conf";

/// A machine with its packet filter.
struct Place {
    machine: FakeMachine,
    firewall: FakeFirewall,
    wish: SetupWish,
}

impl Place {
    fn bare() -> Self {
        Place {
            machine: FakeMachine::bare(),
            firewall: FakeFirewall::default(),
            wish: SetupWish::default(),
        }
    }

    fn ready() -> Self {
        let place = Place::bare();
        place.set_up_well();
        place.machine.journal.clear();
        place.firewall.journal.clear();
        place
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            machine: &self.machine,
            firewall: &self.firewall,
        }
    }

    fn try_set_up(&self) -> Result<SetupReport, Failure> {
        setup(self.subject(), &self.wish, &mut |_| {})
    }

    fn set_up(&self) -> SetupReport {
        self.try_set_up().unwrap()
    }

    #[track_caller]
    fn set_up_well(&self) -> SetupReport {
        let report = self.set_up();
        assert!(report.is_fine(), "{report:#?}");
        report
    }

    #[track_caller]
    fn has_nothing_to_do(&self) {
        self.machine.journal.clear();
        let report = self.set_up_well();
        assert_eq!(report.changes, 0, "{report:#?}");
        assert_eq!(self.machine.journal.entries(), [""; 0]);
        let checked = self.check();
        assert!(checked.ok, "{checked:#?}");
    }

    fn check(&self) -> CheckReport {
        check(self.subject(), &self.wish).unwrap()
    }

    #[track_caller]
    fn checked(&self, name: &str) -> CheckedItem {
        let report = self.check();
        report.items.into_iter().find(|item| item.name == name).unwrap()
    }
}

#[track_caller]
fn item<'a>(report: &'a SetupReport, name: &str) -> &'a SetupItem {
    report.items.iter().find(|item| item.name == name).unwrap()
}

#[track_caller]
fn outcome(report: &SetupReport, name: &str) -> SetupOutcome {
    item(report, name).outcome
}
