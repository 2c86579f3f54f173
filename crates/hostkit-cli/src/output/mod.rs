//! The one gate to stdout and stderr. Data goes to stdout, talk to stderr; nothing else in HostKit's command line prints.

mod foreign;
mod printer;
mod progress;
mod style;
mod table;
mod time;

pub(crate) use printer::{Printer, Sinks};
pub(crate) use progress::{Bar, StepsView};
pub(crate) use style::Style;
pub(crate) use table::Table;
pub(crate) use time::{ago, clock, milliseconds, plural, span};

#[cfg(test)]
mod tests;
