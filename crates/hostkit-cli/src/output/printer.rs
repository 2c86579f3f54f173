//! Writes to stdout and stderr, and knows what the two are: terminals or not, coloured or not, wanted or not.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hostkit_core::kind::Failure;
use indicatif::ProgressBar;
use serde::Serialize;

use super::foreign::{clean, json_for_terminal};
use super::style::{self, Style};
use super::table::Table;
use crate::args::Globals;
use crate::stop::Stop;

/// Where output goes, and what is known of the two ends.
pub(crate) struct Sinks {
    pub(crate) out: Box<dyn Write + Send>,
    pub(crate) err: Box<dyn Write + Send>,
    pub(crate) out_is_terminal: bool,
    pub(crate) err_is_terminal: bool,
    /// Whether colour may be used at all.
    pub(crate) colour: bool,
}

impl Sinks {
    /// The process's own stdout and stderr.
    pub(crate) fn standard() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Sinks {
            out: Box::new(std::io::stdout()),
            err: Box::new(std::io::stderr()),
            out_is_terminal: std::io::stdout().is_terminal(),
            err_is_terminal: std::io::stderr().is_terminal(),
            colour: !set("NO_COLOR") && !dumb,
        }
    }
}

/// The gate.
pub(crate) struct Printer {
    sinks: Mutex<Sinks>,
    bar: Mutex<Option<ProgressBar>>,
    out_colour: bool,
    err_colour: bool,
    out_is_terminal: bool,
    live: bool,
    json: bool,
    quiet: bool,
    verbose: bool,
}

impl Printer {
    pub(crate) fn new(sinks: Sinks, globals: &Globals) -> Self {
        Printer {
            out_colour: sinks.colour && sinks.out_is_terminal,
            err_colour: sinks.colour && sinks.err_is_terminal,
            out_is_terminal: sinks.out_is_terminal,
            live: sinks.err_is_terminal && !globals.json && !globals.quiet,
            json: globals.json,
            quiet: globals.quiet,
            verbose: globals.verbose,
            sinks: Mutex::new(sinks),
            bar: Mutex::new(None),
        }
    }

    /// Whether JSON is wanted.
    pub(crate) fn wants_json(&self) -> bool {
        self.json
    }

    /// Whether talk is shown at all.
    pub(crate) fn talks(&self) -> bool {
        !self.quiet && !self.json
    }

    /// Whether more is to be said.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Whether moving progress may be drawn on stderr.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Whether a person reads stdout.
    pub(crate) fn out_is_terminal(&self) -> bool {
        self.out_is_terminal
    }

    /// Whether stdout has colour.
    pub(crate) fn colours_out(&self) -> bool {
        self.out_colour
    }

    /// `text` for stdout, in a style if stdout has colour.
    pub(crate) fn on_out(&self, text: &str, style: Style) -> String {
        style.paint(text, self.out_colour)
    }

    /// `text` for stderr, in a style if stderr has colour.
    pub(crate) fn on_err(&self, text: &str, style: Style) -> String {
        style.paint(text, self.err_colour)
    }

    /// A name for stdout, in its own colour.
    pub(crate) fn name_on_out(&self, name: &str) -> String {
        style::of_name(name, self.out_colour)
    }

    /// Text of a program for stdout: without control characters, with its colours only on a terminal.
    pub(crate) fn foreign_on_out(&self, text: &str) -> String {
        clean(text, self.out_colour)
    }

    /// Text of a program for stderr.
    pub(crate) fn foreign_on_err(&self, text: &str) -> String {
        clean(text, self.err_colour)
    }

    /// A line of data.
    pub(crate) fn line(&self, text: &str) -> Result<(), Stop> {
        self.out(format!("{text}\n").as_bytes())
    }

    /// Data, byte for byte.
    pub(crate) fn out(&self, bytes: &[u8]) -> Result<(), Stop> {
        self.around_bar(|sinks| {
            sinks.out.write_all(bytes)?;
            sinks.out.flush()
        })
        .map_err(Stop::from_output)
    }

    /// Bytes for stderr that are not ours (a one-off command's).
    pub(crate) fn err_bytes(&self, bytes: &[u8]) {
        // A closed stderr leaves nobody to tell.
        let _ = self.around_bar(|sinks| {
            sinks.err.write_all(bytes)?;
            sinks.err.flush()
        });
    }

    /// One JSON document.
    pub(crate) fn json<T: Serialize>(&self, value: &T) -> Result<(), Stop> {
        let text = if self.out_is_terminal {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        self.json_text(text)
    }

    /// One JSON document on one line, also on a terminal (streams).
    pub(crate) fn json_line<T: Serialize>(&self, value: &T) -> Result<(), Stop> {
        self.json_text(serde_json::to_string(value))
    }

    fn json_text(&self, text: serde_json::Result<String>) -> Result<(), Stop> {
        let text = text.map_err(|e| Stop::internal(format!("cannot write JSON: {e}")))?;
        match self.out_is_terminal {
            true => self.line(&json_for_terminal(&text)),
            false => self.line(&text),
        }
    }

    /// A table as data.
    pub(crate) fn table(&self, table: &Table) -> Result<(), Stop> {
        self.out(table.render(self.out_colour).as_bytes())
    }

    /// Talk: what was done, what is being done.
    pub(crate) fn say(&self, text: &str) {
        if self.talks() {
            self.err_bytes(format!("{text}\n").as_bytes());
        }
    }

    /// A line of progress: what ended, and how long it took or what became of it.
    pub(crate) fn step(&self, name: &str, text: &str, fine: bool) {
        let (mark, style) = if fine {
            ("✓", Style::Good)
        } else {
            ("✗", Style::Bad)
        };
        let mark = if self.live {
            format!("{} ", self.on_err(mark, style))
        } else {
            String::new()
        };
        self.say(&format!("  {mark}{name:<8} {text}"));
    }

    /// Talk about how it is done.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose {
            self.err_bytes(format!("{}\n", self.on_err(text, Style::Dim)).as_bytes());
        }
    }

    /// The next useful command.
    pub(crate) fn next(&self, text: &str) {
        if self.talks() {
            let word = self.on_err("next:", Style::Dim);
            self.err_bytes(format!("{word} {text}\n").as_bytes());
        }
    }

    /// Something that should be known even by those who want to hear little.
    pub(crate) fn warn(&self, text: &str) {
        let word = self.on_err("warning:", Style::Warning);
        self.err_bytes(format!("{word} {text}\n").as_bytes());
    }

    /// A question, without a line end; asked whatever is wanted to be heard.
    pub(crate) fn ask(&self, text: &str) {
        self.err_bytes(text.as_bytes());
    }

    /// What went wrong, why, and what to try next.
    pub(crate) fn error(&self, failure: &Failure) {
        let mut text = format!(
            "{} {}\n",
            self.on_err("error:", Style::Bad),
            self.foreign_on_err(&failure.message)
        );
        for line in &failure.details {
            text.push_str(&format!("  {}\n", self.foreign_on_err(line)));
        }
        if let Some(hint) = &failure.hint {
            text.push_str(&format!(
                "{} {}\n",
                self.on_err("hint:", Style::Name),
                self.foreign_on_err(hint)
            ));
        }
        self.err_bytes(text.as_bytes());
    }

    /// Shows a bar below everything that is printed from now on, until it is taken away with `None`.
    pub(super) fn set_bar(&self, bar: Option<ProgressBar>) {
        let old = std::mem::replace(&mut *lock(&self.bar), bar);
        if let Some(old) = old {
            old.finish_and_clear();
        }
    }

    fn around_bar<T>(&self, write: impl FnOnce(&mut Sinks) -> T) -> T {
        let bar = lock(&self.bar);
        let mut sinks = lock(&self.sinks);
        match bar.as_ref() {
            Some(bar) => bar.suspend(|| write(&mut sinks)),
            None => write(&mut sinks),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
