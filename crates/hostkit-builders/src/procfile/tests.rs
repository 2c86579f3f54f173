//! What is a Procfile and what is not.

use proptest::prelude::*;

use super::*;

fn line(text: &str) -> Command {
    Command::Line(text.into())
}

#[test]
fn programs_comments_and_release_are_read() {
    let text = "# programs\n\nweb: uvicorn main:app --port $PORT  # the front\r\n// more\nml-worker:python -m jobs\n\
                release: python manage.py migrate\nquoted: echo 'a # b' \"c # d\" e#f\n";
    let file = parse(text).unwrap();
    let name = |text| ProcessName::parse(text).unwrap();
    assert_eq!(file.programs[&name("web")], line("uvicorn main:app --port $PORT"));
    assert_eq!(file.programs[&name("ml-worker")], line("python -m jobs"));
    assert_eq!(file.programs[&name("quoted")], line("echo 'a # b' \"c # d\" e#f"));
    assert_eq!(file.release, Some(line("python manage.py migrate")));
    assert_eq!(file.programs.len(), 3);
    assert_eq!(parse("").unwrap(), Procfile::default());
}

#[test]
fn one_bad_line_refuses_the_file_and_names_it() {
    for (text, at) in [
        ("web: a\nweb: b", "line 2"),
        ("release: a\nrelease: b", "line 2"),
        ("web: a\n\nno colon here", "line 3"),
        ("web:", "line 1"),
        ("web: # only a comment", "line 1"),
        ("Web: a", "line 1"),
        ("my_worker: a", "line 1"),
        ("../x: a", "line 1"),
        (": a", "line 1"),
    ] {
        let failure = parse(text).unwrap_err();
        assert_eq!(failure.kind, Kind::Invalid);
        assert!(failure.message.contains(at), "{text:?}: {failure}");
    }
    assert_eq!(parse("a\nb\nweb: c").unwrap_err().details.len(), 2);
}

#[test]
fn a_missing_file_is_none_and_a_link_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(procfile(folder.path()).unwrap(), None);
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join(FILE_NAME)).unwrap();
    assert!(procfile(folder.path()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![
        any::<String>(),
        "([a-z-]{0,6}: ?[a-z#'\"\\\\$ \\x00]{0,12}\n){0,5}",
    ]) {
        match parse(&text) {
            Ok(file) => {
                for command in file.programs.values().chain(&file.release) {
                    let shown = command.to_string();
                    prop_assert!(!shown.trim().is_empty() && !shown.contains(['\0', '\n']), "{:?}", shown);
                }
            }
            Err(failure) => prop_assert!(!failure.message.contains('\u{1b}'), "{:?}", failure.message),
        }
    }
}
