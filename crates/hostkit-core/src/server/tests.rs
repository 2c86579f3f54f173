use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::size::ByteSize;

fn field(bytes: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(bytes);
    out
}

fn blob(fields: &[&[u8]]) -> String {
    STANDARD.encode(fields.iter().flat_map(|bytes| field(bytes)).collect::<Vec<u8>>())
}

fn ed25519() -> String {
    format!("ssh-ed25519 {}", blob(&[b"ssh-ed25519", &[7; 32]]))
}

fn rsa(bits: usize) -> String {
    let modulus = [vec![0], vec![0xc5; bits / 8]].concat();
    format!("ssh-rsa {}", blob(&[b"ssh-rsa", &[1, 0, 1], &modulus]))
}

fn algorithms() -> Algorithms {
    Algorithms {
        accepted: Vec::new(),
        rsa_bits: 2048,
    }
}

#[track_caller]
fn key_is_refused(line: &str, why: &str) {
    let (usable, refused) = usable_keys(line, &algorithms());
    assert_eq!(usable, 0, "{line}");
    assert!(refused[0].contains(why), "{refused:?}");
}

#[test]
fn keys_that_let_somebody_work_are_counted() {
    let point = [4; 65];
    let text = [
        "# a comment".to_owned(),
        String::new(),
        format!("{} me@home", ed25519()),
        format!(
            "from=\"10.0.0.0/8,192.0.2.7\",no-port-forwarding {} with a, comment",
            ed25519()
        ),
        format!("environment=\"A=say \\\"ssh-rsa\\\" twice\" {}", rsa(3072)),
        format!(
            "ecdsa-sha2-nistp256 {}",
            blob(&[b"ecdsa-sha2-nistp256", b"nistp256", &point])
        ),
        format!(
            "sk-ssh-ed25519@openssh.com {}",
            blob(&[b"sk-ssh-ed25519@openssh.com", &[1; 32], b"ssh:"])
        ),
    ]
    .join("\n");
    assert_eq!(usable_keys(&text, &algorithms()), (5, Vec::new()));
}

#[test]
fn keys_that_do_not_are_refused_with_the_reason() {
    let key = ed25519();
    key_is_refused(
        &format!("no-pty,command=\"echo 'Please login as the user \\\"debian\\\"'; sleep 10\" {key}"),
        "one command only",
    );
    key_is_refused(&format!("COMMAND=\"x\" {key}"), "one command only");
    key_is_refused(&format!("cert-authority {key}"), "signs certificates");
    key_is_refused(&format!("expiry-time=\"20300101\" {key}"), "ends some day");
    key_is_refused(&rsa(1024), "too short");
    key_is_refused(&format!("ssh-dss {}", blob(&[b"ssh-dss", &[1]])), "type");
    key_is_refused("ssh-ed25519 AAAA!!!", "damaged");
    key_is_refused("ssh-ed25519", "damaged");
    key_is_refused(
        &format!("ssh-ed25519 {}", blob(&[b"ssh-rsa", &[1], &[2]])),
        "another type",
    );
    key_is_refused(
        &format!("ssh-ed25519 {}", blob(&[b"ssh-ed25519", &[7; 31]])),
        "damaged",
    );
    key_is_refused(
        &format!("ssh-ed25519 {}", blob(&[b"ssh-ed25519", &[7; 32], b"more"])),
        "damaged",
    );
    // A length that reaches behind the end.
    key_is_refused(
        &format!("ssh-ed25519 {}", STANDARD.encode([255, 255, 255, 255, 1])),
        "damaged",
    );
    key_is_refused("hello world", "no key");
    key_is_refused("\"", "no key");
}

#[test]
fn keys_of_a_type_that_sshd_does_not_take_are_refused() {
    let only_rsa = Algorithms {
        accepted: vec!["rsa-sha2-512".to_owned()],
        rsa_bits: 2048,
    };
    assert_eq!(usable_keys(&ed25519(), &only_rsa).0, 0);
    assert_eq!(usable_keys(&rsa(2048), &only_rsa).0, 1);
}

proptest::proptest! {
    #[test]
    fn no_text_upsets_the_readers(text in "\\PC{0,200}") {
        let _ = usable_keys(&text, &algorithms());
        let _ = parse_accounts(&text);
        let _ = parse_shadow(&text);
        let _ = may_become_root(&text);
        let _ = Effective::parse(&text);
        let mut files = SshdFiles::default();
        files.insert(SSHD_MAIN, &text);
        let _ = files.occurrences("passwordauthentication");
    }

    #[test]
    fn a_setting_is_one_line_or_refused(value in "\\PC{0,40}|[\\x00-\\x7f]{0,20}") {
        let written = sshd_settings(Comment("test"), &[("Key", &value)]);
        if let Ok(text) = written {
            let line = format!("Key {value}");
            proptest::prop_assert_eq!(text.lines().last(), Some(line.as_str()));
            proptest::prop_assert_eq!(text.lines().count(), 4);
        }
    }
}

#[test]
fn accounts_that_may_have_an_operator_behind_them() {
    let text = "root:x:0:0:root:/root:/bin/bash\n\
                daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
                deploy:x:1000:1000:,,,:/home/deploy:\n\
                shop:x:1001:1001:HostKit project shop:/home/shop:/bin/bash\n\
                nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\
                -rf:x:1002:1002::/home/x:/bin/sh\n\
                broken:x:1003\n";
    let names: Vec<String> = parse_accounts(text)
        .into_iter()
        .filter(Account::may_be_operator)
        .map(|account| account.name)
        .collect();
    assert_eq!(names, ["root", "deploy"]);
}

#[test]
fn shadow_says_who_has_a_password_and_who_is_locked() {
    let shadow = parse_shadow(
        "root:*:19000:0:99999:7:::\n\
         deploy:$y$j9T$abc:19000:0:99999:7::20000:\n\
         ubuntu:!$6$abc:19000:0:99999:7:::\n",
    );
    let told = |name: &str| {
        let one = shadow[name];
        (one.has_password, one.is_locked, one.expires)
    };
    assert_eq!(told("root"), (false, false, None));
    assert_eq!(told("deploy"), (true, false, Some(20000)));
    assert_eq!(told("ubuntu"), (false, true, None));
}

#[test]
fn sudo_is_believed_only_where_it_gives_everything() {
    let listing = |rule: &str| format!("User a may run the following commands on vm:\n    {rule}\n");
    assert_eq!(may_become_root(&listing("(ALL : ALL) ALL")), Some(true));
    assert_eq!(may_become_root(&listing("(ALL) NOPASSWD: ALL")), Some(false));
    assert_eq!(may_become_root(&listing("(root) NOPASSWD: ALL")), Some(false));
    assert_eq!(
        may_become_root(&listing("(ALL) NOPASSWD: /usr/bin/hostkit")),
        None
    );
    assert_eq!(may_become_root(&listing("(www-data) ALL")), None);
    assert_eq!(
        may_become_root("User a is not allowed to run sudo on vm.\n"),
        None
    );
    let two = "    (ALL : ALL) ALL\n    (ALL) NOPASSWD: ALL\n";
    assert_eq!(may_become_root(two), Some(false));
}

fn sshd(files: &[(&str, &str)]) -> SshdFiles {
    let mut all = SshdFiles::default();
    for (path, text) in files {
        all.insert(path, text);
    }
    all
}

#[test]
fn the_first_setting_holds_and_its_file_is_known() {
    let files = sshd(&[
        (
            SSHD_MAIN,
            "# top\nInclude /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication yes\n",
        ),
        (
            "/etc/ssh/sshd_config.d/50-cloud-init.conf",
            "passwordauthentication=yes # cloud\n",
        ),
        (
            "/etc/ssh/sshd_config.d/00-hostkit.conf",
            "PasswordAuthentication no\n",
        ),
        (
            "/etc/ssh/sshd_config.d/.hidden.conf",
            "PasswordAuthentication hidden\n",
        ),
        (
            "/etc/ssh/sshd_config.d/notes.txt",
            "PasswordAuthentication text\n",
        ),
    ]);
    let found = files.occurrences("passwordauthentication");
    let values: Vec<(&str, usize, &str)> = found
        .iter()
        .map(|one| (one.path.rsplit('/').next().unwrap(), one.line, one.value.as_str()))
        .collect();
    assert_eq!(
        values,
        [
            ("00-hostkit.conf", 1, "no"),
            ("50-cloud-init.conf", 1, "yes"),
            ("sshd_config", 3, "yes")
        ]
    );
}

#[test]
fn what_stands_in_a_match_block_is_conditional() {
    let files = sshd(&[
        (
            SSHD_MAIN,
            "Match User ftp\n  PasswordAuthentication yes\n  Include extra.conf\nMatch all\nUsePAM yes\n",
        ),
        ("/etc/ssh/extra.conf", "PasswordAuthentication yes\n"),
    ]);
    assert!(
        files
            .occurrences("passwordauthentication")
            .iter()
            .all(|one| one.conditional)
    );
    assert_eq!(files.occurrences("passwordauthentication").len(), 2);
    assert!(!files.occurrences("usepam")[0].conditional);
    assert!(!files.reads("/etc/ssh/extra.conf"));
    assert!(!files.reads("/etc/ssh/sshd_config.d/00-hostkit.conf"));
    assert_eq!(files.includes(), ["/etc/ssh/extra.conf"]);
}

#[test]
fn a_file_that_includes_itself_comes_to_an_end() {
    let files = sshd(&[(SSHD_MAIN, "Include sshd_config\nUsePAM yes\n")]);
    assert_eq!(files.occurrences("usepam").len(), 16);
}

#[test]
fn a_root_login_that_was_taken_away_is_not_given_back() {
    let ours = "/etc/ssh/sshd_config.d/00-hostkit.conf";
    let word = |main: &str| {
        let main = format!("Include /etc/ssh/sshd_config.d/*.conf\n{main}");
        strictest_root_login(
            &sshd(&[(SSHD_MAIN, &main), (ours, "PermitRootLogin prohibit-password\n")]),
            ours,
        )
    };
    assert_eq!(word("PermitRootLogin No\n"), "no");
    assert_eq!(
        word("PermitRootLogin forced-commands-only\n"),
        "forced-commands-only"
    );
    assert_eq!(word("PermitRootLogin yes\n"), "prohibit-password");
    assert_eq!(word("Match User a\nPermitRootLogin no\n"), "prohibit-password");
    assert_eq!(word(""), "prohibit-password");
}

#[test]
fn lists_of_accounts_are_read_as_sshd_reads_them() {
    assert!(matches_any(&["root", "deploy"], "deploy"));
    assert!(matches_any(&["dep*"], "deploy"));
    assert!(matches_any(&["d?ploy@10.*"], "deploy"));
    assert!(!matches_any(&["dep*", "!deploy"], "deploy"));
    assert!(!matches_any(&["root"], "deploy"));
    assert!(matches_any(&["**a*b**"], "xxaxxbxx"));
    assert!(!matches_any(&["*a*b"], "ba"));
}

#[test]
fn effective_settings_are_read() {
    let effective =
        Effective::parse("port 22\nport 2222\nPasswordAuthentication no\nallowusers a\nallowusers b\n");
    assert_eq!(effective.words("port"), ["22", "2222"]);
    assert_eq!(effective.value("passwordauthentication"), "no");
    assert_eq!(effective.words("allowusers"), ["a", "b"]);
    assert_eq!(effective.value("denyusers"), "");
}

#[test]
fn swap_leaves_room_on_the_disk() {
    const GIB: u64 = 1 << 30;
    assert_eq!(swap_size(100 * GIB), SwapSize::Full(ByteSize(4 * GIB)));
    assert_eq!(swap_size(12 * GIB), SwapSize::Full(ByteSize(4 * GIB)));
    assert_eq!(swap_size(6 * GIB), SwapSize::Reduced(ByteSize(2 * GIB)));
    assert_eq!(swap_size(GIB * 3 / 2), SwapSize::Reduced(ByteSize(GIB / 2)));
    assert_eq!(swap_size(GIB), SwapSize::NoRoom);
    assert_eq!(swap_size(0), SwapSize::NoRoom);
}

#[test]
fn kernel_settings_that_somebody_raised_are_left_alone() {
    let setting = |demand| KernelSetting {
        key: "a.b",
        demand,
        why: "",
    };
    assert!(setting(Demand::AtLeast(10)).is_met_by("11\n"));
    assert!(!setting(Demand::AtLeast(10)).is_met_by("9"));
    assert!(setting(Demand::AtLeast(10)).is_met_by("18446744073709551615"));
    assert!(!setting(Demand::AtMost(20)).is_met_by("60"));
    assert!(!setting(Demand::AtMost(20)).is_met_by(""));
    assert!(setting(Demand::Exactly("4 5")).is_met_by("4\t5\n"));
}

#[test]
fn distributions() {
    let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n";
    assert_eq!(
        Distribution::parse(debian).unwrap().name,
        "Debian GNU/Linux 12 (bookworm)"
    );
    assert!(Distribution::parse("ID=debian\nPRETTY_NAME='Debian sid'\n").is_ok());
    assert!(Distribution::parse("ID=ubuntu\nVERSION_ID=\"24.04\"\n").is_ok());
    for text in [
        "",
        "ID=ubuntu\nVERSION_ID=20.04\n",
        "ID=debian\nVERSION_ID=11\n",
        "ID=fedora\n",
    ] {
        let failure = Distribution::parse(text).unwrap_err();
        assert!(
            failure.message.starts_with("cannot set up this machine: "),
            "{failure}"
        );
        assert!(failure.hint.is_some());
    }
}

#[test]
fn a_changed_file_is_shown_line_by_line() {
    let change = Change::Write {
        path: "/etc/a.conf".to_owned(),
        mode: 0o644,
        before: Some(Before {
            text: "one\ntwo\n".to_owned(),
            mode: 0o644,
            uid: 0,
        }),
        after: "one\n2\n".to_owned(),
    };
    assert_eq!(change.summary(), "change /etc/a.conf");
    assert_eq!(
        change.diff().unwrap(),
        "--- /etc/a.conf\n+++ /etc/a.conf\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
    );
}

#[test]
fn values_with_quotes_do_not_get_into_settings_of_apt() {
    assert!(apt_settings(Comment("x"), &[("A::B", "1\"; C \"2")]).is_err());
    assert!(sysctl_settings(Comment("x"), &[("a.b", "1\nkernel.core_pattern = |/bin/x")]).is_err());
    assert!(
        Sections::new(Comment("x"))
            .section("a")
            .line("k", "=", "1\nv")
            .text()
            .is_err()
    );
    assert_eq!(
        Sections::new(Comment("Why."))
            .section("Journal")
            .line("SystemMaxUse", "=", "1G")
            .text()
            .unwrap(),
        "# Written by `hostkit server setup`, which writes it again where it was changed.\n# Why.\n\n[Journal]\nSystemMaxUse=1G\n"
    );
}
