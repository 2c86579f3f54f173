//! What is written is read back, across rotations and after damage.

use std::time::Duration;

use super::*;

fn limits(bytes: u64) -> LogLimits {
    LogLimits {
        bytes,
        files: 3,
        age: Duration::from_secs(3600),
    }
}

fn texts(lines: &[StoredLine]) -> Vec<&str> {
    lines.iter().map(|l| l.text.as_str()).collect()
}

#[test]
fn lines_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web/a.log");
    let mut log = LogWriter::new(path.clone(), limits(1 << 20));
    let at: Timestamp = "2025-02-15T12:00:00.5Z".parse().unwrap();
    for (stream, text) in [
        (LogStream::Out, ""),
        (LogStream::Err, " a  b\t\u{1f600} "),
        (LogStream::Hostkit, "x"),
    ] {
        log.line(at, stream, text);
    }
    log.flush();
    let (lines, _) = read_back(&path, &Want::default()).unwrap();
    assert_eq!(texts(&lines), ["", " a  b\t\u{1f600} ", "x"]);
    assert!(lines.iter().all(|l| l.at == at));
    assert_eq!(lines[1].stream, LogStream::Err);
}

#[test]
fn rotation_keeps_the_newest_and_readers_find_their_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    let mut log = LogWriter::new(path.clone(), limits(2000));
    let (_, mut cursor) = read_back(&path, &Want::default()).unwrap();
    let mut followed = Vec::new();
    for number in 0..500 {
        log.line(Timestamp::now(), LogStream::Out, &format!("line {number}"));
        log.flush();
        if number % 40 == 0 {
            cursor.read_on(|l| followed.push(l.text)).unwrap();
        }
    }
    cursor.read_on(|l| followed.push(l.text)).unwrap();
    let expected: Vec<String> = (0..500).map(|n| format!("line {n}")).collect();
    assert_eq!(followed, expected);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);

    let (lines, _) = read_back(
        &path,
        &Want {
            last: Some(70),
            ..Want::default()
        },
    )
    .unwrap();
    assert_eq!(texts(&lines), &expected[430..]);
    let (lines, _) = read_back(
        &path,
        &Want {
            last: Some(1),
            contains: Some("49".into()),
            ..Want::default()
        },
    )
    .unwrap();
    assert_eq!(texts(&lines), ["line 499"]);
    let (all, _) = read_back(&path, &Want::default()).unwrap();
    assert!(all.len() > 70 && all.len() < 500);
    let since = all[all.len() - 3].at;
    let (lines, _) = read_back(
        &path,
        &Want {
            since: Some(since),
            ..Want::default()
        },
    )
    .unwrap();
    assert!(lines.len() >= 3 && lines.len() < all.len());
}

#[test]
fn a_full_disk_loses_lines_and_says_so_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blocked/a.log");
    std::fs::write(folder.path().join("blocked"), "a file where the folder should be").unwrap();
    let mut log = LogWriter::new(path.clone(), limits(1 << 20));
    for _ in 0..3 {
        log.line(Timestamp::now(), LogStream::Out, "lost");
        log.flush();
    }
    std::fs::remove_file(folder.path().join("blocked")).unwrap();
    log.line(Timestamp::now(), LogStream::Out, "kept");
    log.flush();
    let (lines, _) = read_back(&path, &Want::default()).unwrap();
    assert_eq!(
        texts(&lines),
        ["3 lines were lost: the log could not be written", "kept"]
    );
}

#[test]
fn half_a_line_is_left_out_and_not_glued_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    std::fs::write(&path, "2025-02-15T12:00:00Z out one\n2025-02-15T12:0").unwrap();
    let (lines, mut cursor) = read_back(&path, &Want::default()).unwrap();
    assert_eq!(texts(&lines), ["one"]);
    let mut log = LogWriter::new(path.clone(), limits(1 << 20));
    log.line(Timestamp::now(), LogStream::Out, "two");
    log.flush();
    let mut more = Vec::new();
    cursor.read_on(|l| more.push(l.text)).unwrap();
    assert_eq!(more, ["two"]);
}

#[test]
fn bytes_that_are_no_log_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.log");
    let line = "2025-02-15T12:00:00Z out fine\n";
    // The same bytes every time: a linear congruential generator.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    for round in 0..300 {
        let mut bytes: Vec<u8> = Vec::new();
        for _ in 0..20 {
            match next() % 4 {
                0 => bytes.extend_from_slice(line.as_bytes()),
                1 => bytes.extend_from_slice(&line.as_bytes()[..usize::from(next()) % line.len()]),
                2 => bytes.extend((0..next()).map(|_| next())),
                _ => bytes.extend_from_slice(b"\n \n"),
            }
        }
        bytes.push(b'\n');
        bytes.extend_from_slice(line.as_bytes());
        std::fs::write(&path, &bytes).unwrap();
        for last in [None, Some(1), Some(5)] {
            let want = Want {
                last,
                ..Want::default()
            };
            let (lines, _) = read_back(&path, &want).unwrap();
            assert_eq!(lines.last().unwrap().text, "fine", "round {round}");
            assert!(lines.len() <= last.unwrap_or(usize::MAX));
        }
    }
}
