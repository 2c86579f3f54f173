//! The role `ended`, after the program: notes how it ended, and sees to it that what is left of a program that crashed
//! does not stand in the way of the next one.

use std::path::Path;
use std::time::{Duration, Instant};

use hostkit_core::log::LogStream;
use hostkit_core::size::Span;
use hostkit_core::workload::Exit;
use jiff::Timestamp;
use nix::sys::signal::Signal;

use super::control_group::MemoryKills;
use super::{KEEPER_NAME, LaunchSpec, RunRecord, control_group};
use crate::processes;

/// How long to wait for the last words of a program to reach its log.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How much longer than the program's grace a word that somebody asked for its end holds: whoever asked may have died.
const ASKED_FOR: Duration = Duration::from_secs(120);

/// What systemd says about the end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    code: Option<i32>,
    signal: Option<i32>,
    /// `success`, `exit-code`, `oom-kill` …
    result: String,
}

/// Runs the role.
pub(crate) fn run() -> i32 {
    let Ok(spec) = LaunchSpec::read_from_input() else {
        return 64;
    };
    // A variable of the project's own may have one of these names; then its value is not systemd's word.
    let variable = |name: &str| {
        let is_systemds = !spec.variables.iter().any(|own| own == name);
        is_systemds.then(|| std::env::var(name).ok()).flatten()
    };
    let word = word_of(
        variable("EXIT_CODE").as_deref(),
        variable("EXIT_STATUS").as_deref(),
        variable("SERVICE_RESULT").as_deref(),
    );
    let asked = is_asked(&spec.asked, spec.stop.grace.0);
    if !asked && word.result != "success" {
        kill_the_rest();
    }
    let mut record = RunRecord::read(&spec.state);
    let kills = control_group::own_memory_kills();
    let now = Timestamp::now();
    let text = note(&mut record, &spec, &word, asked, kills, now);
    wait_for_last_words();
    let mut log = spec.log_about_it();
    log.line(now, LogStream::Hostkit, &text);
    // Who sees the record finds what was said about it.
    log.flush();
    if let Err(e) = record.write(&spec.state) {
        log.line(
            now,
            LogStream::Hostkit,
            &format!("cannot note how the program ended: {e}"),
        );
        log.flush();
    }
    0
}

fn word_of(code: Option<&str>, status: Option<&str>, result: Option<&str>) -> Word {
    let number = status.and_then(|status| status.parse().ok());
    let (code, signal) = match code {
        Some("exited") => (number, None),
        Some("killed" | "dumped") => (None, status.and_then(signal_of)),
        _ => (None, None),
    };
    Word {
        code,
        signal,
        result: result.unwrap_or_default().to_owned(),
    }
}

/// The number of a signal that systemd calls `KILL`, or by its number where it has no name.
fn signal_of(status: &str) -> Option<i32> {
    let named: Option<Signal> = format!("SIG{status}").parse().ok();
    named.map(|signal| signal as i32).or_else(|| status.parse().ok())
}

fn is_asked(mark: &Path, grace: Duration) -> bool {
    let age = std::fs::symlink_metadata(mark)
        .and_then(|meta| meta.modified())
        .map(|at| at.elapsed().unwrap_or_default());
    age.is_ok_and(|age| age < grace + ASKED_FOR)
}

/// Brings the record up to date; what is to be said about it.
fn note(
    record: &mut RunRecord,
    spec: &LaunchSpec,
    word: &Word,
    asked: bool,
    kills: Option<MemoryKills>,
    now: Timestamp,
) -> String {
    let started = record.pause_ends(&spec.restart);
    let never_ran = started.is_some_and(|at| now < at);
    // The count goes on as long as the group is the same one, and begins at nothing in another.
    let killed = |kills: MemoryKills| match record.memory_kills {
        Some((same, before)) if same == kills.group => kills.count > before,
        _ => kills.count > 0,
    };
    let out_of_memory = word.result == "oom-kill" || kills.is_some_and(killed);
    let is_over_limit = out_of_memory && kills.is_some_and(|kills| kills.reached_limit);
    record.memory_kills = kills.map(|kills| (kills.group, kills.count));
    if !never_ran {
        record.last_exit = Some(Exit {
            code: word.code,
            signal: word.signal,
            out_of_memory,
            memory_limit: spec.memory.filter(|_| is_over_limit),
            at: now,
        });
    }
    if asked {
        (record.crashes, record.crashed_at) = (0, None);
        return "program was stopped, as asked".to_owned();
    }
    if never_ran {
        return "the pause before the next start was ended".to_owned();
    }
    let is_stable =
        started.is_some_and(|at| now.duration_since(at).unsigned_abs() >= spec.restart.stable_after.0);
    record.crashes = if is_stable {
        1
    } else {
        record.crashes.saturating_add(1)
    };
    record.crashed_at = Some(now);
    let how = record
        .last_exit
        .as_ref()
        .map_or_else(String::new, ToString::to_string);
    let pause = Span(spec.restart.pause(record.crashes));
    format!("program ended ({how}); it is started again in {pause}")
}

fn others() -> Vec<u32> {
    let own = std::process::id();
    control_group::own_processes()
        .into_iter()
        .filter(|pid| {
            *pid != own && processes::stat(*pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
        })
        .collect()
}

fn is_keeper(pid: &u32) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim_end() == KEEPER_NAME.to_str().unwrap_or_default()
}

/// A daemon that a crashed program left may hold its port.
fn kill_the_rest() {
    let deadline = Instant::now() + LAST_WORDS;
    loop {
        let left: Vec<u32> = others().into_iter().filter(|pid| !is_keeper(pid)).collect();
        if left.is_empty() || Instant::now() > deadline {
            return;
        }
        for pid in left {
            processes::signal(pid, Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits for the log keeper, unless somebody else is left to print: then systemd sees to the rest first.
fn wait_for_last_words() {
    let deadline = Instant::now() + LAST_WORDS;
    while Instant::now() < deadline {
        let left = others();
        if left.is_empty() || !left.iter().all(is_keeper) {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::spec;
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn systemds_words_are_understood() {
        let word = word_of(Some("exited"), Some("7"), Some("exit-code"));
        assert_eq!((word.code, word.signal), (Some(7), None));
        let word = word_of(Some("killed"), Some("KILL"), Some("signal"));
        assert_eq!((word.code, word.signal), (None, Some(9)));
        let word = word_of(Some("dumped"), Some("SEGV"), Some("core-dump"));
        assert_eq!((word.code, word.signal), (None, Some(11)));
        for strange in [None, Some(""), Some("exited "), Some("\u{1}")] {
            let word = word_of(strange, Some("no number"), None);
            assert_eq!((word.code, word.signal), (None, None));
        }
    }

    #[test]
    fn crashes_are_counted_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let spec = spec(folder.path());
        let word = word_of(Some("exited"), Some("7"), Some("exit-code"));
        let mut record = RunRecord::default();
        let first = at("2026-01-01T00:00:00Z");
        let said = note(&mut record, &spec, &word, false, None, first);
        assert_eq!(
            said,
            "program ended (exit status 7); it is started again in 500ms"
        );
        assert_eq!((record.crashes, record.crashed_at), (1, Some(first)));
        // It ran for a second.
        note(
            &mut record,
            &spec,
            &word,
            false,
            None,
            at("2026-01-01T00:00:01.5Z"),
        );
        assert_eq!(record.crashes, 2);
        // It ran for two minutes: what was before is forgotten.
        note(&mut record, &spec, &word, false, None, at("2026-01-01T00:02:10Z"));
        assert_eq!(record.crashes, 1);
        // Asked to end, nothing is counted.
        note(&mut record, &spec, &word, true, None, at("2026-01-01T00:02:20Z"));
        assert_eq!((record.crashes, record.crashed_at), (0, None));
        assert_eq!(record.last_exit.unwrap().code, Some(7));
    }

    #[test]
    fn an_end_during_the_pause_is_no_end_of_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let spec = spec(folder.path());
        let crash = word_of(Some("exited"), Some("7"), Some("exit-code"));
        let stopped = word_of(Some("killed"), Some("TERM"), Some("success"));
        let mut record = RunRecord::default();
        let now = at("2026-01-01T00:00:00Z");
        note(&mut record, &spec, &crash, false, None, now);
        note(
            &mut record,
            &spec,
            &stopped,
            false,
            None,
            at("2026-01-01T00:00:00.2Z"),
        );
        assert_eq!((record.crashes, record.last_exit.unwrap().code), (1, Some(7)));
    }

    #[test]
    fn a_kill_for_memory_is_proved_by_the_kernels_count() {
        let folder = tempfile::tempdir().unwrap();
        let mut spec = spec(folder.path());
        spec.memory = Some(hostkit_core::size::ByteSize::mib(64));
        let word = word_of(Some("killed"), Some("KILL"), Some("signal"));
        let mut record = RunRecord::default();
        let mut how = |kills: Option<(u64, u64, bool)>| {
            let kills = kills.map(|(group, count, reached_limit)| MemoryKills {
                group,
                count,
                reached_limit,
            });
            note(&mut record, &spec, &word, true, kills, at("2026-01-01T00:00:00Z"));
            record.last_exit.as_ref().unwrap().to_string()
        };
        let (limit, none_left) = (
            "killed: used more than its memory limit of 64MB",
            "killed: there was no memory left for it",
        );
        assert_eq!(how(Some((5, 0, true))), "killed by signal 9");
        assert_eq!(how(Some((5, 1, true))), limit);
        assert_eq!(how(Some((5, 1, true))), "killed by signal 9");
        assert_eq!(how(Some((6, 1, true))), limit);
        assert_eq!(how(Some((6, 2, false))), none_left);
        assert_eq!(how(None), "killed by signal 9");
        let said = word_of(Some("killed"), Some("KILL"), Some("oom-kill"));
        note(&mut record, &spec, &said, true, None, at("2026-01-01T00:00:00Z"));
        assert!(record.last_exit.unwrap().out_of_memory);
    }

    #[test]
    fn an_old_word_that_somebody_asked_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("asked");
        assert!(!is_asked(&mark, Duration::ZERO));
        let file = std::fs::File::create(&mark).unwrap();
        assert!(is_asked(&mark, Duration::ZERO));
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(600))
            .unwrap();
        assert!(!is_asked(&mark, Duration::ZERO));
    }
}
