//! Moving progress on a terminal, plain lines elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::printer::Printer;

/// A bar for a known number of bytes. Draws nothing where nobody watches; gone when dropped.
pub(crate) struct Bar<'a> {
    printer: &'a Printer,
    bar: ProgressBar,
}

impl<'a> Bar<'a> {
    /// A bar of `bytes` under the words `what`.
    pub(crate) fn bytes(printer: &'a Printer, what: &str, bytes: u64) -> Self {
        let bar = new_bar(printer, Some(bytes));
        if let Ok(style) =
            ProgressStyle::with_template("  {msg:10} {bar:30.green} {bytes}/{total_bytes} {bytes_per_sec}")
        {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_message(what.to_owned());
        printer.set_bar(Some(bar.clone()));
        Bar { printer, bar }
    }

    /// One for bytes of which nobody knows how many come.
    pub(crate) fn counting(printer: &'a Printer, what: &str) -> Self {
        let bar = new_bar(printer, None);
        if let Ok(style) =
            ProgressStyle::with_template("  {spinner:.cyan} {msg:10} {bytes} {bytes_per_sec} {elapsed:.dim}")
        {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        printer.set_bar(Some(bar.clone()));
        Bar { printer, bar }
    }

    /// A way to tell progress from another thread.
    pub(crate) fn counter(&self) -> impl Fn(u64) + Send + 'static {
        let bar = self.bar.clone();
        move |bytes| bar.inc(bytes)
    }
}

impl Drop for Bar<'_> {
    fn drop(&mut self) {
        self.printer.set_bar(None);
    }
}

/// One line at the bottom of the screen that says what is being done just now.
pub(crate) struct StepsView<'a> {
    printer: &'a Printer,
    bar: Option<ProgressBar>,
}

impl<'a> StepsView<'a> {
    pub(crate) fn new(printer: &'a Printer) -> Self {
        StepsView { printer, bar: None }
    }

    /// Shows `what` with a spinner and the time it takes, on a terminal.
    pub(crate) fn now(&mut self, what: &str) {
        if !self.printer.is_live() {
            return;
        }
        let bar = self.bar.insert(new_bar(self.printer, None));
        if let Ok(style) = ProgressStyle::with_template("  {spinner:.cyan} {msg:8} {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        self.printer.set_bar(Some(bar.clone()));
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if self.bar.take().is_some() {
            self.printer.set_bar(None);
        }
    }
}

impl Drop for StepsView<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

fn new_bar(printer: &Printer, length: Option<u64>) -> ProgressBar {
    let target = if printer.is_live() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    ProgressBar::with_draw_target(length, target)
}
