//! What is refused, and that a file is written when it must be. That systemd reads every byte back is shown on a machine.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs
        .iter()
        .map(|(name, value)| (VariableName::parse(name).unwrap(), Secret::new(*value)))
        .collect()
}

#[test]
fn values_that_cannot_be_carried_are_refused_by_name_and_never_shown() {
    let large = "s3cret".repeat(30_000);
    for value in [
        "s3cret\0",
        "s3cret\u{ffff}",
        "s3cret\u{fdd0}",
        "s3cret\u{1fffe}",
        large.as_str(),
    ] {
        let failure = render(&variables(&[("FINE", "x"), ("BAD", value)])).unwrap_err();
        assert_eq!(failure.kind, Kind::Invalid);
        let shown = format!("{failure} {:?}", failure);
        assert!(shown.contains("BAD") && !shown.contains("s3cret"), "{shown}");
        assert!(failure.hint.is_some());
    }
    let many: Variables = (0..20)
        .map(|n| {
            (
                VariableName::parse(&format!("V{n}")).unwrap(),
                Secret::new("x".repeat(60_000)),
            )
        })
        .collect();
    assert!(render(&many).unwrap_err().message.contains("together"));
}

#[test]
fn odd_but_possible_values_are_taken() {
    let text = render(&variables(&[("A", "\u{feff}\u{85}\u{1}\u{7f}\r\n"), ("B", "")])).unwrap();
    assert_eq!(text.reveal(), "A='\u{feff}\u{85}\u{1}\u{7f}\r\n'\nB=''\n");
}

#[test]
fn a_file_is_private_and_written_when_it_must_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("variables.env");
    let first = variables(&[("A", "it's"), ("B", "2")]);
    assert!(ensure(&path, &first).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert!(!ensure(&path, &first).unwrap());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(ensure(&path, &first).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert!(ensure(&path, &variables(&[("A", "3")])).unwrap());
    // What is refused leaves the file as it was.
    assert!(ensure(&path, &variables(&[("A", "\0")])).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "A=3\n");
    // A link that somebody put there is replaced, not followed.
    let elsewhere = folder.path().join("elsewhere");
    std::fs::write(&elsewhere, "A=3\n").unwrap();
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(ensure(&path, &variables(&[("A", "4")])).unwrap());
    assert!(std::fs::symlink_metadata(&path).unwrap().is_file());
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "A=3\n");
}

#[test]
fn what_systemd_adds_is_taken_away_unless_it_is_wanted() {
    let unset = to_unset(
        &variables(&[("PATH", "/bin"), ("PROXY", "x")]),
        ["PROXY", "OF_MANAGER", "bad name"],
    );
    assert!(!unset.contains("PATH") && !unset.contains("PROXY") && !unset.contains("bad name"));
    assert!(unset.contains("INVOCATION_ID") && unset.contains("OF_MANAGER"));
}
