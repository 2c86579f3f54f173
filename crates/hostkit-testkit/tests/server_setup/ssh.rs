//! SSH: nobody is locked out, and whose file has the last word is said.

use hostkit_core::server::{ItemState, SetupOutcome};

use super::{Place, SSH_FILE, item, outcome};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f op@home\n";

/// Nothing of SSH is touched, and the reason and what to do next are said.
#[track_caller]
fn is_refused(place: &Place, detail: &str, next: &str) {
    let before = place.machine.sshd_in_force();
    let report = place.set_up();
    let ssh = item(&report, "ssh");
    assert_eq!(ssh.outcome, SetupOutcome::Refused, "{ssh:#?}");
    assert!(ssh.changes.is_empty());
    let failure = ssh.failure.as_ref().unwrap();
    assert!(failure.message.contains("locked out"), "{failure}");
    assert!(
        failure.details.iter().any(|line| line.contains(detail)),
        "{failure:#?}"
    );
    assert!(failure.hint.as_ref().unwrap().contains(next), "{failure:#?}");
    assert!(place.machine.text(SSH_FILE).is_none());
    assert_eq!(place.machine.sshd_in_force(), before);
    for other in report.items.iter().filter(|item| item.name != "ssh") {
        assert!(other.outcome.is_fine(), "{other:#?}");
    }
    let checked = place.checked("ssh");
    assert_eq!(checked.state, ItemState::Drift);
    assert!(checked.fix.unwrap().contains(next));
}

#[test]
fn without_a_key_passwords_stay() {
    let mut place = Place::bare();
    place.machine.take("/root/.ssh/authorized_keys");
    place.wish.operator = Some("anna".to_owned());
    is_refused(&place, "root: has no key", "ssh-copy-id anna@SERVER");
    place.machine.put("/root/.ssh/authorized_keys", KEY);
    place.set_up_well();
    place.has_nothing_to_do();
}

#[test]
fn a_key_with_a_forced_command_lets_nobody_work() {
    let place = Place::bare();
    place.machine.put(
        "/root/.ssh/authorized_keys",
        &format!("command=\"echo no\" {KEY}"),
    );
    is_refused(&place, "line 1: runs one command only", "ssh-copy-id root@SERVER");
}

#[test]
fn a_key_that_sshd_will_not_read_does_not_count_and_its_cure_is_said() {
    for (path, next) in [
        (
            "/root/.ssh/authorized_keys",
            "`chmod go-w /root/.ssh/authorized_keys`",
        ),
        ("/root/.ssh", "`chmod go-w /root/.ssh`"),
        ("/root", "`chmod go-w /root`"),
    ] {
        let place = Place::bare();
        place.machine.give(path, 0, 0o775);
        is_refused(&place, "others may write", next);
    }
    let place = Place::bare();
    place.machine.give("/root/.ssh/authorized_keys", 1000, 0o600);
    is_refused(&place, "belongs to somebody else", "chown root");
}

#[test]
fn an_account_counts_only_if_it_may_become_root() {
    let with = |name: &str| {
        let place = Place::bare();
        place.machine.take("/root/.ssh/authorized_keys");
        let passwd = format!("root:x:0:0:root:/root:/bin/bash\n{name}:x:1000:1000::/home/{name}:/bin/bash\n");
        place.machine.put("/etc/passwd", &passwd);
        place
            .machine
            .put(&format!("/home/{name}/.ssh/authorized_keys"), KEY);
        for path in ["/.ssh/authorized_keys", "/.ssh", ""] {
            place.machine.give(&format!("/home/{name}{path}"), 1000, 0o700);
        }
        place
    };
    with("deploy").set_up_well();
    is_refused(
        &with("guest"),
        "guest: has a key, but may not become root",
        "ssh-copy-id",
    );
    // A project's account is nobody's way in.
    let place = with("deploy");
    place.machine.put(
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\ndeploy:x:1000:1000:HostKit project deploy:/home/deploy:/bin/bash\n",
    );
    is_refused(&place, "root: has no key", "ssh-copy-id");
    let place = with("deploy");
    place.machine.put(
        "/etc/shadow",
        "root:*:19000:0:99999:7:::\ndeploy:!:19000:0:99999:7::10:\n",
    );
    is_refused(&place, "deploy: its account has expired", "ssh-copy-id");
}

#[test]
fn what_sshd_itself_forbids_counts() {
    for (line, detail) in [
        ("AllowUsers somebody", "AllowUsers"),
        ("DenyUsers ro*", "DenyUsers"),
        ("AllowGroups ssh", "AllowGroups"),
        ("AuthenticationMethods publickey,password", "a key alone"),
        ("PubkeyAuthentication no", "a key alone"),
        ("PubkeyAcceptedAlgorithms rsa-sha2-512", "of a type"),
        ("AuthorizedKeysFile /etc/ssh/keys/%u", "has no key"),
    ] {
        let place = Place::bare();
        let text = format!("{line}\nInclude /etc/ssh/sshd_config.d/*.conf\n");
        place.machine.put("/etc/ssh/sshd_config", &text);
        is_refused(&place, detail, "ssh-copy-id");
    }
}

#[test]
fn root_whom_somebody_shut_out_stays_out() {
    let place = Place::bare();
    place.machine.put(
        "/etc/ssh/sshd_config.d/50-cloud-init.conf",
        "PermitRootLogin no\nPasswordAuthentication yes\n",
    );
    is_refused(&place, "sshd does not let root in", "ssh-copy-id");
}

#[test]
fn a_file_that_is_read_before_ours_is_named() {
    let place = Place::bare();
    place.machine.put(
        "/etc/ssh/sshd_config.d/00-a.conf",
        "# mine\nPasswordAuthentication yes\n",
    );
    let report = place.set_up();
    let failure = item(&report, "ssh").failure.as_ref().unwrap();
    assert_eq!(outcome(&report, "ssh"), SetupOutcome::Refused);
    assert!(
        failure
            .message
            .contains("line 2 of /etc/ssh/sshd_config.d/00-a.conf says `passwordauthentication yes`"),
        "{failure}"
    );
    // The rest of it is done all the same.
    assert!(
        place
            .machine
            .sshd_in_force()
            .contains("kbdinteractiveauthentication no")
    );
    let checked = place.checked("ssh");
    assert!(
        checked.findings[0]
            .contains("PasswordAuthentication is `yes` by /etc/ssh/sshd_config.d/00-a.conf line 2"),
        "{checked:?}"
    );
    place.machine.take("/etc/ssh/sshd_config.d/00-a.conf");
    let report = place.set_up();
    assert!(report.is_fine(), "{report:#?}");
}

#[test]
fn a_match_block_that_lets_passwords_in_is_named() {
    let place = Place::bare();
    place.machine.put(
        "/etc/ssh/sshd_config",
        "Include /etc/ssh/sshd_config.d/*.conf\nMatch Address 10.0.0.0/8\n  PasswordAuthentication yes\n",
    );
    let report = place.set_up();
    let failure = item(&report, "ssh").failure.clone().unwrap();
    assert!(
        failure.message.contains("line 3 of /etc/ssh/sshd_config"),
        "{failure}"
    );
    assert!(failure.message.contains("`Match` block"), "{failure}");
}

#[test]
fn drop_ins_that_are_not_read_are_no_protection() {
    let place = Place::bare();
    place
        .machine
        .put("/etc/ssh/sshd_config", "PasswordAuthentication yes\n");
    let report = place.set_up();
    let failure = item(&report, "ssh").failure.clone().unwrap();
    assert!(
        failure
            .hint
            .unwrap()
            .contains("Include /etc/ssh/sshd_config.d/*.conf")
    );
    assert_eq!(place.checked("ssh").state, ItemState::Drift);
}

#[test]
fn a_closed_machine_whose_last_key_is_gone_is_worth_a_word() {
    let place = Place::ready();
    place.machine.take("/root/.ssh/authorized_keys");
    let checked = place.checked("ssh");
    assert_eq!(checked.state, ItemState::Ok);
    assert!(checked.notes[0].contains("locked out"), "{checked:?}");
}
