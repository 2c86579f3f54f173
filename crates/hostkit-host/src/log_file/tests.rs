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

#[test]
fn several_writers_lose_no_line_across_rotations() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let keep = LogLimits {
        files: 30,
        ..limits(4000)
    };
    let mut cursor = Cursor::at_start(&path, Form::Shared);
    let mut followed = Vec::new();
    let done = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (path, done) = (path.clone(), &done);
            scope.spawn(move || {
                let mut log = LogWriter::shared(path, keep, &format!("web.{number}"));
                for line in 0..200 {
                    log.line(Timestamp::now(), LogStream::Out, &format!("{number} {line}"));
                    log.flush();
                }
                done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            });
        }
        while done.load(std::sync::atomic::Ordering::SeqCst) < 4 {
            cursor.read_on(|line| followed.push(line)).unwrap();
        }
    });
    cursor.read_on(|line| followed.push(line)).unwrap();
    for number in 0..4 {
        let of_one: Vec<&str> = followed
            .iter()
            .filter(|line| line.writer == format!("web.{number}"))
            .map(|line| line.text.as_str())
            .collect();
        let expected: Vec<String> = (0..200).map(|line| format!("{number} {line}")).collect();
        assert_eq!(of_one, expected);
    }
    assert!(std::fs::read_dir(folder.path()).unwrap().count() > 2);
    let want = Want {
        form: Form::Shared,
        writer: Some("web.1".into()),
        last: Some(3),
        ..Want::default()
    };
    let (lines, _) = read_back(&path, &want).unwrap();
    assert_eq!(texts(&lines), ["1 197", "1 198", "1 199"]);
}

#[test]
fn a_writers_name_is_not_another_ones_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    for writer in ["web.1.1", "web.1.12", "web2.1.1"] {
        let mut log = LogWriter::shared(path.clone(), limits(1 << 20), writer);
        log.line(Timestamp::now(), LogStream::Out, writer);
        log.flush();
    }
    let of = |writer: &str| {
        let want = Want {
            form: Form::Shared,
            writer: Some(writer.to_owned()),
            ..Want::default()
        };
        read_back(&path, &want).unwrap().0.len()
    };
    assert_eq!(
        [of("web"), of("web.1"), of("web.1.1"), of("web2"), of("we")],
        [2, 2, 1, 1, 0]
    );
}

#[test]
fn a_link_a_pipe_and_an_endless_file_in_place_of_a_log_are_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let line = "2025-02-15T12:00:00Z out secret\n";
    let elsewhere = folder.path().join("elsewhere");
    std::fs::write(&elsewhere, line).unwrap();
    let link = folder.path().join("link.log");
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    assert!(read_back(&link, &Want::default()).unwrap().0.is_empty());
    let mut log = LogWriter::new(link.clone(), limits(1 << 20));
    log.line(Timestamp::now(), LogStream::Out, "not through a link");
    log.flush();
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), line);

    let pipe = folder.path().join("pipe.log");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(read_back(&pipe, &Want::default()).unwrap().0.is_empty());

    let endless = folder.path().join("endless.log");
    let file = std::fs::File::create(&endless).unwrap();
    file.set_len(1 << 40).unwrap();
    let last = Want {
        last: Some(10),
        ..Want::default()
    };
    assert!(read_back(&endless, &last).unwrap().0.is_empty());
}
