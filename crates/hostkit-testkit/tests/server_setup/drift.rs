//! What somebody changed is found, named, and mended; what cannot be mended is said, with who can.

use hostkit_core::server::{ItemState, SetupOutcome};

use super::{Place, SSH_FILE, item, outcome};

#[track_caller]
fn is_found_and_mended(place: &Place, name: &str, word: &str) {
    let checked = place.checked(name);
    assert!(!checked.state.is_fine(), "{checked:?}");
    assert!(
        checked.findings.iter().any(|finding| finding.contains(word)),
        "{checked:?}"
    );
    assert_eq!(checked.fix.as_deref(), Some("hostkit server setup"));
    let others = place.check().items;
    assert!(
        others
            .iter()
            .all(|item| item.name == name || item.state.is_fine()),
        "{others:#?}"
    );
    let report = place.set_up_well();
    assert_eq!(outcome(&report, name), SetupOutcome::Changed);
    let item = item(&report, name);
    assert_eq!(report.changes, item.changes.len(), "{report:#?}");
    place.has_nothing_to_do();
}

#[test]
fn a_file_that_was_changed() {
    for (path, name) in [
        ("/etc/sysctl.d/60-hostkit.conf", "kernel"),
        ("/etc/systemd/journald.conf.d/60-hostkit.conf", "journal"),
        ("/etc/systemd/system.conf.d/60-hostkit.conf", "files"),
        ("/etc/apt/apt.conf.d/60hostkit", "updates"),
        ("/etc/fail2ban/jail.d/hostkit.local", "fail2ban"),
        ("/etc/hostkit/firewall.nft", "firewall"),
        ("/etc/systemd/system/hostkit-firewall.service", "firewall"),
        ("/etc/systemd/system/var-lib-hostkit-swapfile.swap", "swap"),
        ("/etc/tmpfiles.d/hostkit-logs.conf", "logs"),
        (
            "/etc/systemd/system/postgresql@.service.d/60-hostkit.conf",
            "databases",
        ),
        (
            "/etc/postgresql-common/createcluster.d/60-hostkit.conf",
            "databases",
        ),
        (SSH_FILE, "ssh"),
    ] {
        let place = Place::ready();
        place.machine.put(path, "# mine now\n");
        is_found_and_mended(&place, name, &format!("{path} was changed"));
        let place = Place::ready();
        place.machine.take(path);
        is_found_and_mended(&place, name, &format!("{path} is not there"));
        let place = Place::ready();
        place.machine.give(path, 1000, 0o666);
        is_found_and_mended(&place, name, "0666");
    }
}

#[test]
fn a_unit_that_was_stopped_disabled_or_masked() {
    for (unit, name) in [
        ("fail2ban.service", "fail2ban"),
        ("systemd-timesyncd.service", "time"),
        ("apt-daily-upgrade.timer", "updates"),
        ("logrotate.timer", "logs"),
        ("postgresql.service", "databases"),
        ("hostkit-firewall.service", "firewall"),
    ] {
        for (how, word) in [
            ((true, false, false), "does not run"),
            ((false, true, false), "not started at boot"),
            ((true, false, true), "masked"),
        ] {
            let place = Place::ready();
            place.machine.unit(unit, how.0, how.1, how.2);
            is_found_and_mended(&place, name, word);
        }
    }
}

#[test]
fn rules_of_the_firewall_that_were_changed() {
    let place = Place::ready();
    place.firewall.disturb_inbound();
    is_found_and_mended(&place, "firewall", "somebody changed");
}

#[test]
fn a_setting_of_the_kernel_and_one_that_was_raised() {
    let place = Place::ready();
    place.machine.put("/proc/sys/vm/swappiness", "100\n");
    is_found_and_mended(&place, "kernel", "vm.swappiness is 100, not 20");
    place
        .machine
        .put("/proc/sys/fs/inotify/max_user_watches", "1048576\n");
    place.has_nothing_to_do();
}

#[test]
fn a_setting_of_the_kernel_that_another_file_takes_back_at_the_next_boot() {
    let place = Place::ready();
    place
        .machine
        .put("/etc/sysctl.d/99-mine.conf", "# a\nvm.swappiness=60\n");
    let checked = place.checked("kernel");
    assert_eq!(checked.state, ItemState::Drift);
    assert!(
        checked
            .fix
            .as_ref()
            .unwrap()
            .contains("/etc/sysctl.d/99-mine.conf"),
        "{checked:?}"
    );
    let report = place.set_up();
    assert_eq!(outcome(&report, "kernel"), SetupOutcome::Refused);
    // A value that will do as well is nobody's business.
    place
        .machine
        .put("/etc/sysctl.d/99-mine.conf", "vm.swappiness=10\n");
    place.has_nothing_to_do();
    // One of the same name in /etc hides one in /usr/lib.
    place
        .machine
        .put("/usr/lib/sysctl.d/99-mine.conf", "vm.swappiness=60\n");
    place.has_nothing_to_do();
}

#[test]
fn a_setting_of_the_journal_or_of_apt_that_another_file_overrules() {
    let place = Place::ready();
    let path = "/etc/systemd/journald.conf.d/90-mine.conf";
    place.machine.put(path, "[Journal]\nSystemMaxUse=100G\n");
    let checked = place.checked("journal");
    assert!(
        checked.findings[0].contains("`100G` by /etc/systemd/journald.conf.d/90-mine.conf"),
        "{checked:?}"
    );
    assert!(checked.fix.as_ref().unwrap().contains(path));

    let place = Place::ready();
    place.machine.put(
        "/etc/apt/apt.conf.d/99mine",
        "APT::Periodic::Unattended-Upgrade \"0\";\n",
    );
    let report = place.set_up();
    assert_eq!(outcome(&report, "updates"), SetupOutcome::Refused);
    let hint = item(&report, "updates")
        .failure
        .as_ref()
        .unwrap()
        .hint
        .clone()
        .unwrap();
    assert!(
        hint.contains("grep -r APT::Periodic::Unattended-Upgrade"),
        "{hint}"
    );
}

#[test]
fn a_folder_of_logs_that_others_may_write() {
    let place = Place::ready();
    place.machine.give("/var/log/projects", 1000, 0o777);
    is_found_and_mended(&place, "logs", "0777");
    let place = Place::ready();
    place.machine.take("/var/log/projects");
    place.machine.put("/var/log/projects", "a file");
    let checked = place.checked("logs");
    assert!(checked.fix.unwrap().starts_with("move it away"));
}

#[test]
fn swap_that_was_switched_off() {
    let place = Place::ready();
    place.machine.put("/proc/swaps", "Filename Type\n");
    is_found_and_mended(&place, "swap", "is not in use");
}

#[test]
fn an_interrupted_installation() {
    let place = Place::ready();
    place.machine.is_half_installed();
    is_found_and_mended(&place, "packages", "interrupted");
    place.machine.is_half_unpacked();
    is_found_and_mended(&place, "packages", "interrupted");
}
