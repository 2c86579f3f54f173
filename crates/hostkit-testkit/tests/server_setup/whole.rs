//! A setup as a whole: from bare to ready, twice, planned, on machines that are not fit for it.

use hostkit_core::kind::Kind;
use hostkit_core::server::{ItemState, Progress, SetupOutcome, SetupWish, SwapSize, swap_size};
use hostkit_core::server_settings::Language;
use hostkit_core::size::ByteSize;
use hostkit_host::firewall::{Firewall, Seen};
use hostkit_host::server::setup;

use super::{Place, item, outcome};

#[test]
fn a_bare_machine_is_made_ready_and_a_second_run_finds_nothing_to_do() {
    let place = Place::bare();
    let report = place.set_up_well();
    assert!(report.changes > 20, "{report:#?}");
    assert!(
        place
            .machine
            .text("/etc/sysctl.d/60-hostkit.conf")
            .unwrap()
            .contains("vm.swappiness = 20")
    );
    assert_eq!(place.machine.text("/proc/sys/vm/swappiness").unwrap(), "20\n");
    assert!(
        place
            .machine
            .text("/etc/fail2ban/jail.d/hostkit.local")
            .unwrap()
            .contains("backend = systemd")
    );
    assert!(
        place
            .machine
            .text("/proc/swaps")
            .unwrap()
            .contains("/var/lib/hostkit/swapfile")
    );
    assert!(
        place
            .machine
            .sshd_in_force()
            .contains("passwordauthentication no")
    );
    assert!(place.machine.runs("hostkit-firewall.service"));
    place.has_nothing_to_do();
}

#[test]
fn languages_are_installed_where_they_are_asked_for_and_not_there_yet() {
    let mut place = Place::ready();
    let languages = place.checked("languages");
    assert_eq!(languages.state, ItemState::Ok);
    assert!(
        languages.notes[0].contains("Node.js is not here"),
        "{languages:?}"
    );
    place.wish.languages = Language::ALL.to_vec();
    assert_eq!(place.checked("languages").state, ItemState::Missing);
    let report = place.set_up_well();
    assert_eq!(outcome(&report, "languages"), SetupOutcome::Changed);
    let installed = place.machine.journal.entries().join("\n");
    assert!(
        installed.contains("nodejs") && installed.contains("npm"),
        "{installed}"
    );
    place.has_nothing_to_do();

    // From elsewhere is as good.
    let mut place = Place::ready();
    place.wish.languages = Language::ALL.to_vec();
    for program in ["node", "npm", "python3"] {
        place.machine.put(&format!("/usr/local/bin/{program}"), "");
    }
    place.has_nothing_to_do();
    assert!(place.checked("languages").notes.is_empty());
}

#[test]
fn only_what_was_declared_is_let_in() {
    let mut place = Place::bare();
    place.machine.put(
        "/etc/ssh/sshd_config",
        "Port 2222\nInclude /etc/ssh/sshd_config.d/*.conf\n",
    );
    place.wish.open_ports = vec!["25".parse().unwrap(), "51820/udp".parse().unwrap()];
    place.set_up_well();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let Seen::Intact(inbound) = runtime.block_on(place.firewall.observe()).unwrap().inbound else {
        panic!("there is no firewall");
    };
    assert_eq!(inbound.tcp.into_iter().collect::<Vec<_>>(), [25, 80, 443, 2222]);
    assert_eq!(inbound.udp.into_iter().collect::<Vec<_>>(), [51820]);
    let jail = place.machine.text("/etc/fail2ban/jail.d/hostkit.local").unwrap();
    assert!(jail.contains("port = 2222\n"), "{jail}");
    place.has_nothing_to_do();
    place.wish.open_ports.pop();
    let report = place.set_up_well();
    assert_eq!(outcome(&report, "firewall"), SetupOutcome::Changed);
    place.has_nothing_to_do();
}

#[test]
fn a_plan_shows_every_change_and_does_nothing() {
    let mut place = Place::bare();
    place.wish.plan = true;
    let planned = place.set_up();
    assert_eq!(place.machine.journal.entries(), [""; 0]);
    assert_eq!(place.firewall.journal.entries(), [""; 0]);
    let ssh = item(&planned, "ssh");
    assert_eq!(ssh.outcome, SetupOutcome::Planned);
    let diff = ssh.changes[0].diff.as_ref().unwrap();
    assert!(diff.contains("\n+PasswordAuthentication no\n"), "{diff}");
    place.wish = SetupWish::default();
    let done = place.set_up();
    let of = |name| {
        (
            item(&planned, name).changes.len(),
            item(&done, name).changes.len(),
        )
    };
    for name in [
        "packages", "kernel", "files", "swap", "journal", "ssh", "firewall",
    ] {
        assert_eq!(of(name).0, of(name).1, "{name}");
    }
}

#[test]
fn each_change_is_told_before_it_is_made() {
    let place = Place::bare();
    let mut told = Vec::new();
    let mut tell = |progress: Progress<'_>| match progress {
        Progress::Begun(name) => told.push(name.to_owned()),
        Progress::Changing(name, change) => told.push(format!("{name}: {}", change.summary())),
        Progress::Ended(item) => told.push(format!("{} ended", item.name)),
    };
    setup(place.subject(), &place.wish, &mut tell).unwrap();
    let at = |entry: &str| told.iter().position(|one| one == entry).unwrap();
    assert!(at("ssh") < at("ssh: write /etc/ssh/sshd_config.d/00-hostkit.conf"));
    assert!(at("ssh: write /etc/ssh/sshd_config.d/00-hostkit.conf") < at("ssh: reload ssh.service"));
    assert!(at("ssh: reload ssh.service") < at("ssh ended"));
}

#[test]
fn a_bare_machine_is_told_apart_from_one_that_drifted() {
    let place = Place::bare();
    let report = place.check();
    assert!(!report.ok);
    for item in &report.items {
        let expected = match item.name {
            "ssh" | "journal" | "kernel" | "files" | "updates" | "fail2ban" | "firewall" | "swap"
            | "packages" | "databases" | "logs" => ItemState::Missing,
            // Nobody asked for one.
            "languages" => continue,
            _ => ItemState::Drift,
        };
        assert_eq!(item.state, expected, "{item:?}");
        assert_eq!(item.fix.as_deref(), Some("hostkit server setup"), "{item:?}");
        assert!(!item.findings.is_empty() && !item.why.is_empty(), "{item:?}");
    }
    assert_eq!(place.machine.journal.entries(), [""; 0]);
}

#[test]
fn servers_that_nobody_needs_do_not_come_with_their_programs_and_those_of_others_stay() {
    let place = Place::bare();
    place.set_up_well();
    assert!(place.machine.runs("postgresql.service"));
    for unit in ["pgbouncer.service", "redis-server.service"] {
        assert!(!place.machine.runs(unit), "{unit}");
    }

    // Somebody has one of each, and is not asked.
    let place = Place::bare();
    place.machine.install(&["pgbouncer", "redis-server"]);
    place.set_up_well();
    for unit in ["pgbouncer.service", "redis-server.service"] {
        assert!(place.machine.runs(unit), "{unit}");
    }
    place.has_nothing_to_do();
}

#[test]
fn a_container_has_the_swap_the_clock_and_the_kernel_of_its_host() {
    let place = Place::bare();
    place.machine.is_container();
    let report = place.set_up_well();
    assert_eq!(outcome(&report, "swap"), SetupOutcome::NotApplicable);
    assert!(item(&report, "swap").notes[0].contains("container"));
    assert_eq!(outcome(&report, "kernel"), SetupOutcome::Unchanged);
    assert!(item(&report, "kernel").notes[0].contains("vm.swappiness"));
    assert_eq!(place.machine.text("/proc/sys/vm/swappiness").unwrap(), "60\n");
    place.has_nothing_to_do();
}

#[test]
fn a_small_disk_gets_less_swap_and_a_full_one_none() {
    let place = Place::bare();
    place.machine.has_room(6 << 30);
    assert_eq!(swap_size(6 << 30), SwapSize::Reduced(ByteSize(2 << 30)));
    let report = place.set_up_well();
    assert!(item(&report, "swap").notes[0].contains("the disk is small"));
    place.has_nothing_to_do();

    let place = Place::bare();
    place.machine.has_room(1 << 30);
    let report = place.set_up();
    assert_eq!(outcome(&report, "swap"), SetupOutcome::Refused);
    assert!(
        item(&report, "swap")
            .failure
            .as_ref()
            .unwrap()
            .hint
            .as_ref()
            .unwrap()
            .contains("free at least")
    );
    assert_eq!(place.checked("swap").state, ItemState::Drift);
}

#[test]
fn swap_that_is_there_is_enough() {
    let place = Place::bare();
    place
        .machine
        .put("/proc/swaps", "Filename Type\n/dev/vda2 partition\n");
    let report = place.set_up_well();
    assert_eq!(outcome(&report, "swap"), SetupOutcome::Unchanged);
    assert!(place.machine.text("/var/lib/hostkit/swapfile").is_none());
}

#[test]
fn another_clock_is_as_good() {
    let place = Place::bare();
    place.machine.unit("chrony.service", true, true, false);
    let report = place.set_up_well();
    assert_eq!(item(&report, "time").notes, ["chrony.service keeps the clock"]);
}

#[test]
fn where_ufw_is_active_it_is_told_of_our_ports_and_decides() {
    let place = Place::ready();
    place.machine.has_ufw(&[
        "22/tcp  ALLOW  10.0.0.0/8",
        "Anywhere  DENY  203.0.113.9",
        "443  ALLOW  Anywhere",
    ]);
    assert_eq!(place.checked("firewall").state, ItemState::Drift);
    let report = place.set_up_well();
    assert_eq!(item(&report, "firewall").notes, ["ufw is active and decides"]);
    // Who may reach SSH was said, and is not widened.
    assert_eq!(
        place.machine.ufw_rules().last().unwrap(),
        "80/tcp  ALLOW  Anywhere"
    );
    assert_eq!(place.machine.ufw_rules().len(), 4);
    assert_eq!(place.firewall.journal.entries(), ["remove inbound"]);
    place.has_nothing_to_do();
}

#[test]
fn where_firewalld_is_active_nothing_is_done_behind_its_back() {
    let place = Place::bare();
    place.machine.unit("firewalld.service", true, true, false);
    let report = place.set_up();
    let firewall = item(&report, "firewall");
    assert_eq!(firewall.outcome, SetupOutcome::Refused);
    let hint = firewall.failure.as_ref().unwrap().hint.clone().unwrap();
    assert!(hint.contains("--add-port=443/tcp"), "{hint}");
    assert_eq!(place.firewall.journal.entries(), [""; 0]);
}

#[test]
fn an_unknown_system_is_left_alone() {
    let place = Place::bare();
    place
        .machine
        .put("/etc/os-release", "ID=fedora\nPRETTY_NAME=Fedora\n");
    let failure = place.try_set_up().unwrap_err();
    assert_eq!(failure.kind, Kind::Invalid);
    assert!(failure.message.contains("`Fedora`"), "{failure}");

    let place = Place::bare();
    place.machine.take("/run/systemd/system");
    let failure = place.try_set_up().unwrap_err();
    assert!(failure.message.contains("systemd"), "{failure}");
    assert_eq!(place.machine.journal.entries(), [""; 0]);
}
