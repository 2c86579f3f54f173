//! `.env` text: what is written is read back by us, by a real shell, by a program started from it and by the rules of
//! systemd; what people have is understood.

use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

const PEM: &str =
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n+/==\n-----END PRIVATE KEY-----\n";
const CORPUS: &[&str] = &[
    "",
    " ",
    "plain",
    "$",
    "$$",
    "$X",
    "${X}",
    "$(id)",
    "`id`",
    "'",
    "\"",
    "''",
    "\"\"",
    "'\"",
    "\\",
    "\\\\",
    "a\\",
    "a\\\\b",
    "\\n",
    "C:\\new\\temp",
    "it's",
    "it's $5",
    "\\'",
    "\\\"",
    "#",
    "#a",
    "a#b",
    "a #b",
    "=",
    "a=b=",
    "==",
    " lead",
    "trail ",
    "\t",
    "\ta\t",
    "\n",
    "a\nb",
    "\n\n",
    "a\r\nb",
    "\r",
    "\r\n",
    "a\n",
    "\na",
    "{\"a\": [1, \"b's\", \"c\\nd\", \"$e\"]}",
    PEM,
    "$2b$12$KIXQ4Zf3v0n9rJ5eH0bq8uGm7yqJQ1pZ5rS3lW9xV2tB8cD4eF6gH",
    "😀 👩‍👩‍👧 ü ñ 漢字",
    "\u{feff}bom",
    "\u{81}\u{88}\u{7f}",
    "\u{1}\u{8}\u{b}\u{c}\u{1b}[31m",
    "\u{2028}\u{2029}\u{85}",
    "~",
    "~/x",
    "a:~/b",
    "*",
    "a;b",
    "a&b|c",
    "!history!",
    "%s%n",
    "postgres://u:p%40ss@h:5432/db?sslmode=require",
    "export A=b",
    "a\\\nb",
    "'a' \"b\" `c` $d \\e",
    "\\$",
    "'\\$'",
];

fn name(text: &str) -> VariableName {
    VariableName::parse(text).unwrap()
}

fn named<S: AsRef<str>>(values: &[S]) -> Vec<(VariableName, String)> {
    let values = values.iter().enumerate();
    values
        .map(|(n, value)| (name(&format!("V{n}")), value.as_ref().to_owned()))
        .collect()
}

/// What a program finds in its environment when a shell read the file and became the program.
fn through_shell(text: &str, program: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("written.env");
    std::fs::write(&file, text).unwrap();
    let output = Command::new("sh")
        .args(["-c", "set -a; . \"$1\"; shift; exec \"$@\"", "sh"])
        .arg(&file)
        .args(program)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{text}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn environment(zero_separated: &[u8]) -> std::collections::BTreeMap<String, String> {
    String::from_utf8(zero_separated.to_vec())
        .unwrap()
        .split('\0')
        .filter_map(|entry| entry.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The state machine of `load_env_file` in systemd 252 (`src/basic/env-file.c`), for texts without comments.
fn as_systemd(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut chars = text.chars();
    'entries: loop {
        let mut name = String::new();
        loop {
            match chars.next() {
                None => break 'entries,
                Some('=') => break,
                Some(c) => name.push(c),
            }
        }
        let (mut value, mut quote, mut started) = (String::new(), None, false);
        while let Some(c) = chars.next() {
            match (quote, c) {
                (Some('\''), '\'') | (Some('"'), '"') => quote = None,
                (Some('"'), '\\') => match chars.next() {
                    Some('\n') | None => {}
                    Some(c) if "\"\\`$".contains(c) => value.push(c),
                    Some(c) => value.extend(['\\', c]),
                },
                (Some(_), c) => value.push(c),
                (None, '\n' | '\r') => break,
                (None, '\'' | '"') if !started => quote = Some(c),
                (None, '\\') => value.extend(chars.next()),
                (None, ' ' | '\t') if !started => {}
                (None, c) => {
                    started = true;
                    value.push(c);
                }
            }
        }
        found.push((name, value));
    }
    found
}

#[test]
fn every_value_of_the_corpus_comes_back() {
    let variables = named(CORPUS);
    let text = write(&variables);
    assert_eq!(parse(&text).unwrap(), variables);
    for variable in variables {
        let one = std::slice::from_ref(&variable);
        assert_eq!(parse(&write(one)).unwrap(), one);
    }
}

#[test]
fn a_real_shell_reads_the_same() {
    let found = environment(&through_shell(&write(&named(CORPUS)), &["env", "-0"]));
    for (n, value) in CORPUS.iter().enumerate() {
        assert_eq!(found[&format!("V{n}")], *value, "V{n}");
    }
}

#[test]
fn a_python_program_started_from_it_finds_the_same() {
    let program = "import os, sys, json; json.dump(dict(os.environ), sys.stdout)";
    let out = through_shell(&write(&named(CORPUS)), &["python3", "-X", "utf8", "-c", program]);
    let found: serde_json::Value = serde_json::from_slice(&out).unwrap();
    for (n, value) in CORPUS.iter().enumerate() {
        assert_eq!(found[format!("V{n}")], *value, "V{n}");
    }
}

#[test]
fn systemd_reads_the_same() {
    let found = as_systemd(&write(&named(CORPUS)));
    assert_eq!(found.len(), CORPUS.len());
    for (expected, (_, value)) in CORPUS.iter().zip(found) {
        assert_eq!(value, *expected);
    }
}

#[test]
fn what_people_have_is_understood() {
    for (text, expected) in [
        ("A=b", "b"),
        ("A = b ", "b"),
        ("  export   A=b", "b"),
        ("export\tA=b", "b"),
        ("A=b # a comment", "b"),
        ("A=b#c", "b#c"),
        ("A= # a comment", ""),
        ("A=#c", "#c"),
        ("A=", ""),
        ("A=it's", "it's"),
        ("A=say \"hi\"", "say \"hi\""),
        ("A=$X ${Y} `z` \\n", "$X ${Y} `z` \\n"),
        ("A='$X \\n \"y\" # z'", "$X \\n \"y\" # z"),
        ("A=\"$X \\n\\t\\r\\\"\\\\\\$\\` \\x\" # c", "$X \n\t\r\"\\$` \\x"),
        ("A='line 1\nline 2'", "line 1\nline 2"),
        ("A=\"line 1\nline 2\"", "line 1\nline 2"),
        ("A=\"joined \\\nhere\"", "joined here"),
        ("\u{feff}A=b", "b"),
        ("A=b\r\n", "b"),
        ("# c\r\n\r\nA='b\r\nc'\r\n", "b\nc"),
        ("A='b\r\nc'\n", "b\r\nc"),
        ("A='it'\\''s'", "it's"),
        ("A='it'\"'\"'s'", "it's"),
        ("A=x\nA=b", "b"),
        ("\n\n   # c\n\tA=b\n\n", "b"),
        ("A=a=b==", "a=b=="),
        ("export=b\nA=c", "c"),
    ] {
        let found = parse(text).unwrap_or_else(|e| panic!("{text:?}: {e:?}"));
        let value = found.iter().find(|(n, _)| n.as_str() == "A");
        assert_eq!(value.map(|(_, v)| v.as_str()), Some(expected), "{text:?}");
    }
    assert!(parse("").unwrap().is_empty());
}

#[test]
fn every_wrong_line_is_told_without_its_value() {
    let text = "GOOD=1\nno sign hunter2\n1A=hunter2\n\nB='hunter2\nC=\"hunter2\" hunter2\nD=hunter2\0\n";
    let problems = parse(text).unwrap_err();
    let lines: Vec<usize> = problems.problems.iter().map(|p| p.line).collect();
    assert_eq!(lines, [2, 3, 5, 6, 7]);
    let failure = problems.into_failure(".env");
    assert_eq!(failure.message, "cannot read `.env`: 5 lines are wrong");
    assert!(
        failure.details[0].starts_with(".env:2: "),
        "{:?}",
        failure.details
    );
    assert!(
        !failure.details.concat().contains("hunter2"),
        "{:?}",
        failure.details
    );
}

#[test]
fn a_value_over_several_lines_does_not_confuse_the_count() {
    let problems = parse("A='1\n2\n3'\nwrong\n").unwrap_err().problems;
    assert_eq!(problems[0].line, 4);
}

#[test]
fn a_value_that_is_too_long_is_refused() {
    let text = format!("A={}", "x".repeat(crate::variables::MAX_VALUE_BYTES + 1));
    assert!(
        parse(&text).unwrap_err().problems[0]
            .message
            .contains("130048 are taken")
    );
}

fn values() -> impl Strategy<Value = Vec<String>> {
    let odd = vec![
        "'", "\"", "\\", "$", "`", "#", "=", " ", "\n", "\r\n", "\r", "\t", "a", "{X}", "é", "😀", "n",
    ];
    let value = prop_oneof![
        prop::collection::vec(prop::sample::select(odd), 0..12).prop_map(|parts| parts.concat()),
        any::<String>().prop_map(|text| text.replace('\0', "")),
    ];
    prop::collection::vec(value, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_value_comes_back(values in values()) {
        let variables = named(&values);
        let text = write(&variables);
        prop_assert_eq!(&parse(&text).unwrap(), &variables);
        let found: Vec<String> = as_systemd(&text).into_iter().map(|(_, value)| value).collect();
        prop_assert_eq!(found, values);
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), parts in values()) {
        let _ = parse(&text);
        let _ = parse(&format!("A={}", parts.concat()));
    }
}

proptest! {
    // Each case starts a shell.
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_real_shell_reads_every_value(values in values()) {
        let found = environment(&through_shell(&write(&named(&values)), &["env", "-0"]));
        for (n, value) in values.iter().enumerate() {
            prop_assert_eq!(&found[&format!("V{n}")], value);
        }
    }
}
