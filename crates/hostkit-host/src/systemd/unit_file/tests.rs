//! The text is read back by a reader that follows systemd's own rules, written apart from the writer.

use proptest::prelude::*;

use super::*;
use crate::systemd::sandbox::{Access, Bind, ProtectHome, ProtectSystem};
use hostkit_core::size::ByteSize;

/// Splits a line into words as systemd does for commands and variables: quotes of both kinds, C escapes everywhere.
fn words(line: &str) -> Vec<String> {
    let bytes = line.as_bytes();
    let (mut at, mut words) = (0, Vec::new());
    while at < bytes.len() {
        if b" \t\n\r".contains(&bytes[at]) {
            at += 1;
            continue;
        }
        let (mut word, mut quote) = (Vec::new(), None);
        while at < bytes.len() {
            let byte = bytes[at];
            at += 1;
            match (byte, quote) {
                (b'\\', _) => {
                    let kind = bytes[at];
                    at += 1;
                    match kind {
                        b'n' => word.push(b'\n'),
                        b't' => word.push(b'\t'),
                        b'\\' | b'"' | b'\'' => word.push(kind),
                        b'x' => {
                            word.push(u8::from_str_radix(&line[at..at + 2], 16).unwrap());
                            assert_ne!(word.last(), Some(&0), "systemd takes no zero bytes");
                            at += 2;
                        }
                        other => panic!("an escape systemd does not know: {other}"),
                    }
                }
                (b'"' | b'\'', None) => quote = Some(byte),
                (byte, Some(open)) if byte == open => quote = None,
                (b' ' | b'\t' | b'\n' | b'\r', None) => break,
                (byte, _) => word.push(byte),
            }
        }
        assert_eq!(quote, None, "the quotes are closed");
        words.push(String::from_utf8(word).unwrap());
    }
    words
}

/// `%%` is `%`; any other specifier would be a value of the machine.
fn without_specifiers(text: &str) -> String {
    let mut chars = text.chars();
    let mut plain = String::new();
    while let Some(c) = chars.next() {
        if c == '%' {
            assert_eq!(chars.next(), Some('%'), "a specifier in {text:?}");
        }
        plain.push(c);
    }
    plain
}

/// `$$` is `$`; any other use would be a variable.
fn without_variables(text: &str) -> String {
    let mut chars = text.chars();
    let mut plain = String::new();
    while let Some(c) = chars.next() {
        if c == '$' {
            assert_eq!(chars.next(), Some('$'), "a variable in {text:?}");
        }
        plain.push(c);
    }
    plain
}

/// Sections and settings, line by line, refusing what systemd would not read.
fn settings(text: &str) -> Vec<(String, String, String)> {
    let (mut section, mut found) = (String::new(), Vec::new());
    for line in text.split(['\n', '\r', '\0']) {
        assert!(
            !line.ends_with('\\'),
            "a line that is joined with the next: {line:?}"
        );
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            section = name.strip_suffix(']').unwrap().to_owned();
            continue;
        }
        let (key, value) = line.split_once('=').unwrap();
        found.push((section.clone(), key.to_owned(), value.to_owned()));
    }
    found
}

fn only(file: UnitFile) -> String {
    let mut found = settings(&file.render().unwrap());
    assert_eq!(found.len(), 1, "one setting went in: {found:?}");
    found.remove(0).2
}

fn service() -> UnitFile {
    UnitFile::new().section(Section::Service)
}

fn read_back(arguments: &[String]) -> Vec<String> {
    let line = only(service().command("ExecStart", "/usr/bin/env", arguments));
    let read = words(&line);
    assert_eq!(read[0], "/usr/bin/env");
    read[1..]
        .iter()
        .map(|word| without_variables(&without_specifiers(word)))
        .collect()
}

const HOSTILE: [&str; 26] = [
    "",
    " ",
    "$",
    "$$",
    "${HOME}",
    "$HOME",
    "a$b",
    "%",
    "%%",
    "%n %i",
    "'",
    "\"",
    "\\",
    "\\n",
    "\\x41",
    "a\\",
    ";",
    "\\;",
    "\n[Service]\nExecStartPre=/bin/rm -rf /",
    "\r\n",
    "\t",
    "\u{1}\u{7f}\u{1b}[31m",
    "#",
    "-x --",
    "\u{feff}gr\u{fc}n \u{1f600} \u{2028}\u{85}\u{a0}",
    "a b  c",
];

#[test]
fn hostile_arguments_come_back_byte_for_byte() {
    let arguments: Vec<String> = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    assert_eq!(read_back(&arguments), arguments);
    for argument in &arguments {
        let alone = std::slice::from_ref(argument);
        assert_eq!(read_back(alone), alone);
        let line = only(service().variable("X", argument));
        let read: Vec<String> = words(&line).iter().map(|word| without_specifiers(word)).collect();
        assert_eq!(read, [format!("X={argument}")]);
    }
}

/// Any text systemd can carry.
fn carried() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            any::<char>(),
            proptest::sample::select(vec![
                '\\', '"', '\'', '$', '%', ' ', '\n', '\r', '\t', ';', '{', 'x', '\u{7f}'
            ]),
        ],
        0..40,
    )
    .prop_map(|chars| {
        chars
            .into_iter()
            .filter(|c| *c != '\0' && !is_noncharacter(*c))
            .collect()
    })
}

proptest! {
    #[test]
    fn any_arguments_come_back_byte_for_byte(arguments in proptest::collection::vec(carried(), 0..6)) {
        prop_assert_eq!(read_back(&arguments), arguments);
    }

    #[test]
    fn any_text_is_one_setting_or_refused(text in any::<String>()) {
        let files = [
            service().text("Description", text.clone()),
            service().words("ReadWritePaths", [text.clone(), "/x".to_owned()]),
            service().word("MemoryMax", text.clone()),
            service().environment_file(text.clone()),
            service().variable(&text, "v"),
            service().variable("V", &text),
            service().command("ExecStart", text.clone(), &[]),
            service().command("ExecStart", "/bin/x", &[text]),
        ];
        for file in files {
            if let Ok(written) = file.render() {
                let found = settings(&written);
                prop_assert_eq!(found.len(), 1, "{}", written);
                prop_assert_eq!(found[0].0.as_str(), "Service");
            }
        }
    }
}

#[test]
fn texts_are_kept_but_for_their_specifiers() {
    for text in ["a", "a b", "grün 100% 'x' \"y\" $z #1", "/srv/a b"] {
        assert_eq!(
            without_specifiers(&only(service().text("Description", text))),
            text
        );
    }
    assert_eq!(
        only(service().words("X", ["/a b", "c%d", "e\\f\"g", "h"])),
        "\"/a b\" \"c%%d\" \"e\\\\f\\\"g\" h"
    );
    assert_eq!(only(service().word("CPUQuota", "20%")), "20%");
    assert_eq!(only(service().empty("CapabilityBoundingSet")), "");
    let slice = UnitName::slice(&["projects", "my-shop"]).unwrap();
    assert_eq!(only(service().unit("Slice", &slice)), slice.as_str());
}

#[test]
fn what_systemd_would_not_read_back_is_refused_without_showing_it() {
    let files = [
        service().text("Description", "secret\nUser=root"),
        service().text("Description", "secret\0"),
        service().text("Description", " secret"),
        service().text("Description", "secret\\"),
        service().text("Description", ""),
        service().text("Description", "secret\u{ffff}"),
        service().words("ReadWritePaths", ["secret\nUser=root"]),
        service().words("ReadWritePaths", [""]),
        service().word("User", "secret; x"),
        service().word("User", "secret\n"),
        service().command("ExecStart", "secret", &[]),
        service().command("ExecStart", "/secret\"", &[]),
        service().command("ExecStart", "/secret\\", &[]),
        service().command("ExecStart", "/secret$HOME", &[]),
        service().command("ExecStart", "/secret/../x", &[]),
        service().command("ExecStart", "/secret/", &[]),
        service().command("ExecStart", "/bin/x", &["secret\0".into()]),
        service().command("ExecStart", "/bin/x", &["secret\u{fdd0}".into()]),
        service().command("ExecStart", "/bin/x", &["secret".repeat(200_000)]),
        service().environment_file("/secret*"),
        service().environment_file("secret"),
        service().variable("1SECRET", "x"),
        service().variable("A=SECRET", "x"),
        service().variable("A", "secret\0"),
    ];
    for file in files {
        let failure = file.render().unwrap_err();
        assert_eq!(failure.kind, Kind::Invalid, "{file:?}");
        assert!(!failure.message.to_lowercase().contains("secret"), "{failure}");
    }
}

#[test]
fn a_whole_file_reads_as_one_would_write_it() {
    let sandbox = Sandbox {
        no_new_privileges: true,
        no_capabilities: true,
        protect_system: ProtectSystem::Strict,
        protect_home: ProtectHome::Empty,
        private_tmp: true,
        hide_processes: true,
        address_families: vec!["AF_INET", "AF_UNIX"],
        restrict_namespaces: true,
        native_system_calls: true,
        system_calls: vec!["@system-service"],
        without_system_calls: vec!["@privileged", "@resources"],
        umask: Some(0o077),
        read_write: vec!["/home/shop/shared".into()],
        inaccessible: vec!["/var/lib/hostkit".into()],
        binds: vec![
            Bind::in_place("/home/shop/app", Access::ReadOnly),
            Bind::in_place("/home/shop/shared", Access::ReadWrite),
        ],
        temporary: vec!["/mnt".into()],
        ..Sandbox::default()
    };
    let limits = UnitLimits {
        memory: Some(ByteSize::mib(64)),
        cpu_percent: Some(150),
        tasks: Some(64),
        io_weight: Some(50),
        cpu_weight: Some(20),
        time: Some(std::time::Duration::from_millis(1500)),
    };
    let file = UnitFile::new()
        .text("Description", "shop: web of production")
        .section(Section::Install)
        .word("WantedBy", "multi-user.target")
        .section(Section::Service)
        .word("Type", "exec")
        .text("User", "shop")
        .environment_file("/home/shop/.env")
        .command(
            "ExecStart",
            "/usr/bin/hostkit",
            &["launch".into(), "/srv/a b".into()],
        )
        .limits(&limits)
        .sandbox(&sandbox)
        .unwrap()
        .section(Section::Unit)
        .word("StartLimitIntervalSec", 0);
    let text = file.render().unwrap();
    let expected = "
[Unit]
Description=shop: web of production
StartLimitIntervalSec=0

[Install]
WantedBy=multi-user.target

[Service]
Type=exec
User=shop
EnvironmentFile=/home/shop/.env
ExecStart=\"/usr/bin/hostkit\" \"launch\" \"/srv/a b\"
MemoryMax=67108864
MemorySwapMax=0
CPUQuota=150%
TasksMax=64
IOWeight=50
CPUWeight=20
RuntimeMaxSec=1500ms
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=tmpfs
ProtectProc=invisible
CapabilityBoundingSet=
RestrictNamespaces=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_INET AF_UNIX
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask=0077
ReadWritePaths=/home/shop/shared
InaccessiblePaths=-/var/lib/hostkit
BindPaths=/home/shop/shared:/home/shop/shared
BindReadOnlyPaths=/home/shop/app:/home/shop/app
TemporaryFileSystem=/mnt
";
    assert_eq!(text.strip_prefix(HEADER), Some(expected));
}
