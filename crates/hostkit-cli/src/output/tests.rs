use std::io::Write;
use std::sync::{Arc, Mutex};

use hostkit_core::kind::{Failure, Kind};
use jiff::Timestamp;

use super::foreign::{clean, json_for_terminal};
use super::*;
use crate::args::Globals;
use crate::stop::Stop;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("UTF-8")
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn globals(json: bool, quiet: bool) -> Globals {
    Globals {
        data: None,
        url: None,
        token: None,
        json,
        quiet,
        verbose: false,
    }
}

fn printer(terminal: bool, colour: bool, globals: &Globals) -> (Printer, Sink, Sink) {
    let (out, err) = (Sink::default(), Sink::default());
    let sinks = Sinks {
        out: Box::new(out.clone()),
        err: Box::new(err.clone()),
        out_is_terminal: terminal,
        err_is_terminal: terminal,
        colour,
    };
    (Printer::new(sinks, globals), out, err)
}

fn failure() -> Failure {
    Failure::new(Kind::Failed, "cannot build `shop`: npm ci failed")
        .hint("look at package.json")
        .details(vec!["npm ERR! code E404".into()])
}

#[test]
fn data_and_talk_go_different_ways() {
    let (printer, out, err) = printer(false, true, &globals(false, false));
    printer.line("data").expect("written");
    printer.say("talk");
    printer.next("more");
    assert_eq!(
        (out.text(), err.text()),
        ("data\n".into(), "talk\nnext: more\n".into())
    );
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    for (terminal, colour, expected) in [(true, true, true), (true, false, false), (false, true, false)] {
        let (printer, out, err) = printer(terminal, colour, &globals(false, false));
        printer
            .line(&printer.on_out("live", Style::Good))
            .expect("written");
        printer.error(&failure());
        assert_eq!(
            out.text().contains('\u{1b}'),
            expected,
            "terminal {terminal}, colour {colour}"
        );
        assert_eq!(err.text().contains('\u{1b}'), expected);
    }
}

#[test]
fn an_error_says_what_why_and_what_next() {
    let (printer, _, err) = printer(false, true, &globals(false, true));
    printer.error(&failure());
    assert_eq!(
        err.text(),
        "error: cannot build `shop`: npm ci failed\n  npm ERR! code E404\nhint: look at package.json\n"
    );
}

#[test]
fn quiet_and_json_leave_only_what_was_asked_for() {
    for globals in [globals(false, true), globals(true, false)] {
        let (printer, _, err) = printer(true, true, &globals);
        printer.say("talk");
        printer.next("more");
        assert_eq!(err.text(), "");
        assert!(!printer.is_live());
        printer.warn("heard");
        assert!(err.text().contains("heard"));
    }
}

#[test]
fn json_is_for_programs_and_readable_on_a_terminal() {
    for (terminal, lines) in [(false, 1), (true, 3)] {
        let (printer, out, _) = printer(terminal, true, &globals(true, false));
        printer.json(&serde_json::json!({ "a": 1 })).expect("written");
        assert_eq!(out.text().lines().count(), lines);
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let sinks = Sinks {
        out: Box::new(Closed),
        err: Box::new(Closed),
        out_is_terminal: false,
        err_is_terminal: false,
        colour: true,
    };
    let printer = Printer::new(sinks, &globals(false, false));
    assert!(matches!(printer.line("data"), Err(Stop::ClosedPipe)));
    printer.say("nobody hears");
}

#[test]
fn tables_have_columns_and_nothing_behind_them() {
    let mut table = Table::new(&["NAME", "STATE"]);
    table.row(vec![
        ("a-long-name".into(), Style::Name),
        ("live".into(), Style::Good),
    ]);
    table.row(vec![("b".into(), Style::Name), (String::new(), Style::Plain)]);
    table.row(vec![
        ("c\u{1b}[2J\n".into(), Style::Name),
        ("ü".into(), Style::Plain),
    ]);
    assert_eq!(
        table.render(false),
        "NAME         STATE\na-long-name  live\nb            -\nc [2J        ü\n"
    );
    assert!(table.render(true).contains('\u{1b}'));
}

#[test]
fn json_on_a_terminal_steers_nothing_and_reads_back() {
    let value = serde_json::json!({ "text": "\u{1b}[2J \u{9b}31m \u{202e}x\u{2028}\n\u{7f} ü 🦀" });
    let text = json_for_terminal(&serde_json::to_string_pretty(&value).unwrap());
    assert!(
        !text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{2028}', '\u{7f}']),
        "{text:?}"
    );
    assert!(text.contains("ü 🦀"), "{text}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
}

#[test]
fn programs_may_colour_but_not_steer() {
    for (text, plain, coloured) in [
        ("plain", "plain", "plain"),
        ("\u{1b}[31mred\u{1b}[0m", "red", "\u{1b}[31mred\u{1b}[0m\u{1b}[0m"),
        ("a\u{1b}[2Jb\u{7}c\rd", "abcd", "abcd"),
        ("\u{1b}]0;title\u{7}x", "]0;titlex", "]0;titlex"),
        ("tab\tstays", "tab\tstays", "tab\tstays"),
        ("cut\u{1b}[", "cut", "cut"),
        ("c1 \u{9b}31m", "c1 31m", "c1 31m"),
        ("to\u{202e}rf\u{2066}", "torf", "torf"),
    ] {
        assert_eq!(clean(text, false), plain, "{text:?}");
        assert_eq!(clean(text, true), coloured, "{text:?}");
    }
}

#[test]
fn times_are_told_as_people_do() {
    let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
    for (seconds, text) in [
        (0, "just now"),
        (-5, "just now"),
        (30, "30 s ago"),
        (90, "1 min ago"),
        (7200, "2 h ago"),
        (200_000, "2 d ago"),
    ] {
        let at = Timestamp::from_second(now.as_second() - seconds).expect("a time");
        assert_eq!(ago(now, at), text);
    }
    assert_eq!(
        ago(now, "2025-01-01T00:00:00Z".parse().expect("a time")),
        "2025-01-01"
    );
    for (ms, text) in [
        (12, "12 ms"),
        (999, "999 ms"),
        (1234, "1.2 s"),
        (61_000, "1 min 1 s"),
    ] {
        assert_eq!(milliseconds(ms), text);
    }
    assert_eq!(
        (plural(1, "file"), plural(2, "file")),
        ("1 file".into(), "2 files".into())
    );
    assert_eq!(span(3_700), "1 h 1 min");
}
