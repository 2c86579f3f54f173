//! What fails is undone and told, and stops nothing that does not need it; what is killed is gone on with.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hostkit_core::server::{ItemState, SetupOutcome};
use hostkit_testkit::fakes::Faults;

use super::{Place, SSH_FILE, item, outcome};

#[test]
fn without_packages_what_needs_none_is_done() {
    let place = Place::bare();
    place.machine.fail("apt-get", "E: Unable to fetch some archives");
    let report = place.set_up();
    assert!(!report.is_fine());
    let packages = item(&report, "packages");
    assert_eq!(packages.outcome, SetupOutcome::Failed);
    let failure = packages.failure.as_ref().unwrap();
    assert!(
        failure
            .details
            .iter()
            .any(|line| line.contains("Unable to fetch")),
        "{failure:?}"
    );
    assert!(failure.hint.as_ref().unwrap().contains("apt-get update"));
    for name in ["time", "updates", "ssh", "firewall", "fail2ban", "logs"] {
        assert_eq!(outcome(&report, name), SetupOutcome::Skipped, "{name}");
        let message = &item(&report, name).failure.as_ref().unwrap().message;
        assert_eq!(*message, format!("cannot set up `{name}`: it needs `packages`"));
    }
    for name in ["kernel", "files", "swap", "journal"] {
        assert_eq!(outcome(&report, name), SetupOutcome::Changed, "{name}");
    }
    place.machine.mend();
    place.set_up_well();
    place.has_nothing_to_do();
}

#[test]
fn settings_that_sshd_refuses_are_taken_back() {
    let place = Place::bare();
    let before = place.machine.sshd_in_force();
    place
        .machine
        .fail("sshd -t", "Bad configuration option: Nonsense");
    let report = place.set_up();
    let failure = item(&report, "ssh").failure.clone().unwrap();
    assert_eq!(outcome(&report, "ssh"), SetupOutcome::Failed);
    assert_eq!(failure.details, ["Bad configuration option: Nonsense"]);
    assert!(place.machine.text(SSH_FILE).is_none());
    assert_eq!(place.machine.sshd_in_force(), before);
    assert_eq!(outcome(&report, "fail2ban"), SetupOutcome::Changed);
    place.machine.mend();
    place.set_up_well();
    place.has_nothing_to_do();
}

#[test]
fn a_file_that_was_there_comes_back_as_it_was() {
    let place = Place::ready();
    place.machine.put(SSH_FILE, "PasswordAuthentication yes\n");
    place.machine.put(
        "/etc/ssh/sshd_config",
        "Nonsense 1\nInclude /etc/ssh/sshd_config.d/*.conf\n",
    );
    let report = place.set_up();
    assert_eq!(outcome(&report, "ssh"), SetupOutcome::Failed);
    assert_eq!(
        place.machine.text(SSH_FILE).unwrap(),
        "PasswordAuthentication yes\n"
    );
    assert!(
        place
            .machine
            .text("/var/lib/hostkit/setup/ssh.unfinished")
            .is_none()
    );
}

#[test]
fn each_program_that_fails_leaves_no_file_of_its_item_behind() {
    for (program, name, path) in [
        (
            "systemctl restart",
            "journal",
            "/etc/systemd/journald.conf.d/60-hostkit.conf",
        ),
        (
            "systemctl daemon-reload",
            "files",
            "/etc/systemd/system.conf.d/60-hostkit.conf",
        ),
        ("systemctl try-reload-or-restart", "ssh", SSH_FILE),
        (
            "fail2ban-client --test",
            "fail2ban",
            "/etc/fail2ban/jail.d/hostkit.local",
        ),
        (
            "systemctl restart",
            "fail2ban",
            "/etc/fail2ban/jail.d/hostkit.local",
        ),
        ("nft --check", "firewall", "/etc/hostkit/firewall.nft"),
        ("systemctl enable", "firewall", "/etc/hostkit/firewall.nft"),
        ("fallocate", "swap", "/var/lib/hostkit/swapfile"),
        ("mkswap", "swap", "/var/lib/hostkit/swapfile.new"),
        (
            "systemctl enable",
            "swap",
            "/etc/systemd/system/var-lib-hostkit-swapfile.swap",
        ),
        ("sysctl", "kernel", "/etc/sysctl.d/60-hostkit.conf"),
        (
            "apt-config --config-file",
            "updates",
            "/etc/apt/apt.conf.d/60hostkit",
        ),
    ] {
        let place = Place::bare();
        place.machine.fail(program, "it does not work");
        let report = place.set_up();
        assert_eq!(
            outcome(&report, name),
            SetupOutcome::Failed,
            "{program}: {report:#?}"
        );
        let failure = item(&report, name).failure.as_ref().unwrap();
        assert!(failure.message.starts_with("cannot "), "{failure}");
        assert!(
            failure.details.iter().any(|line| line.contains("does not work")),
            "{failure:?}"
        );
        assert!(place.machine.text(path).is_none(), "{program} left {path}");
        assert!(
            place
                .machine
                .text(&format!("/var/lib/hostkit/setup/{name}.unfinished"))
                .is_none(),
            "{program}"
        );
        place.machine.mend();
        place.set_up_well();
        place.has_nothing_to_do();
    }
}

#[test]
fn a_kernel_setting_that_was_set_is_set_back() {
    let place = Place::bare();
    place.machine.put("/proc/sys/kernel/kptr_restrict", "0\n");
    // The last of them fails.
    place.machine.fail("sysctl", "no");
    place.set_up();
    assert_eq!(place.machine.text("/proc/sys/vm/swappiness").unwrap(), "60\n");
}

#[test]
fn a_packet_filter_that_refuses_leaves_no_rules_for_the_next_boot() {
    let place = Place::bare();
    place
        .firewall
        .faults
        .fail_always("ensure_inbound", Faults::broken("load the rules"));
    let report = place.set_up();
    assert_eq!(outcome(&report, "firewall"), SetupOutcome::Failed);
    assert!(place.machine.text("/etc/hostkit/firewall.nft").is_none());
    assert!(
        place
            .machine
            .text("/etc/systemd/system/hostkit-firewall.service")
            .is_none()
    );
    place.firewall.faults.clear();
    place.set_up_well();
    place.has_nothing_to_do();
}

#[test]
fn on_a_full_disk_nothing_is_begun() {
    let place = Place::bare();
    place.machine.disk_is_full(true);
    let report = place.set_up();
    for item in report
        .items
        .iter()
        .filter(|item| item.outcome == SetupOutcome::Failed)
    {
        let hint = item.failure.as_ref().unwrap().hint.clone().unwrap();
        assert!(hint.contains("make room"), "{item:#?}");
    }
    assert_eq!(outcome(&report, "kernel"), SetupOutcome::Failed);
    assert_eq!(place.machine.journal.entries(), [""; 0]);
    place.machine.mend();
    place.set_up_well();
    place.has_nothing_to_do();
}

#[test]
fn killed_at_any_moment_the_next_run_goes_on() {
    let whole = Place::bare();
    whole.set_up_well();
    let changes = whole.machine.journal.entries().len();
    assert!(changes > 40);
    for at in 0..changes {
        let place = Place::bare();
        place.machine.kill_after(at);
        let died = catch_unwind(AssertUnwindSafe(|| place.set_up()));
        assert!(died.is_err(), "{at}");
        place.machine.mend();
        let report = place.set_up();
        assert!(report.is_fine(), "killed after {at}: {report:#?}");
        assert!(
            place
                .machine
                .sshd_in_force()
                .contains("passwordauthentication no"),
            "killed after {at}: sshd goes by its old settings"
        );
        place.has_nothing_to_do();
    }
}

#[test]
fn an_item_that_was_killed_in_the_middle_is_not_told_as_fine() {
    let place = Place::bare();
    let entries = {
        let whole = Place::bare();
        whole.set_up_well();
        whole.machine.journal.entries()
    };
    let written = entries
        .iter()
        .position(|entry| *entry == format!("write {SSH_FILE}"))
        .unwrap();
    place.machine.kill_after(written + 1);
    let died = catch_unwind(AssertUnwindSafe(|| place.set_up()));
    assert!(died.is_err());
    place.machine.mend();
    // The file is there and right; sshd has not read it.
    assert!(place.machine.text(SSH_FILE).is_some());
    let checked = place.checked("ssh");
    assert_eq!(checked.state, ItemState::Drift);
    assert!(
        checked
            .findings
            .iter()
            .any(|finding| finding.contains("in the middle")),
        "{checked:?}"
    );
    // What the killed run found is what a failure goes back to.
    place.machine.fail("systemctl try-reload-or-restart", "no");
    let report = place.set_up();
    assert_eq!(outcome(&report, "ssh"), SetupOutcome::Failed);
    assert!(place.machine.text(SSH_FILE).is_none());
}
