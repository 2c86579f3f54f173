use super::*;

#[test]
fn text_is_valid_json_for_any_byte() {
    let all: Vec<u8> = (0..=255).collect();
    let mut out = Vec::new();
    text(&mut out, &all);
    let read: String = serde_json::from_slice(&out).unwrap();
    assert_eq!(read.chars().count(), 256);
}

#[test]
fn numbers_are_written_plainly() {
    for (value, expected) in [
        (0, "n0"),
        (7, "n7"),
        (1200, "n1200"),
        (u64::MAX, "n18446744073709551615"),
    ] {
        let mut out = Vec::new();
        number(&mut out, b"n", value);
        assert_eq!(out, expected.as_bytes());
    }
    let mut out = Vec::new();
    millis(&mut out, b"", Duration::from_micros(12_345));
    assert_eq!(out, b"12.34");
}

#[test]
fn files_rotate_by_size_and_the_oldest_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, thread) = start(
        folder.path(),
        crate::config::LogLimits {
            file_bytes: 100,
            files: 3,
            ..crate::config::LogLimits::default()
        },
    )
    .unwrap();
    for number in 0..10 {
        sink.pieces
            .send(Piece {
                bytes: format!("{number:059}\n").into_bytes(),
                home: sync_channel(1).0,
            })
            .unwrap();
    }
    drop(sink);
    thread.join().unwrap();
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["requests.log", "requests.log.1", "requests.log.2"]);
    let newest = std::fs::read_to_string(folder.path().join("requests.log")).unwrap();
    assert!(newest.trim_end().ends_with('9'));
}
