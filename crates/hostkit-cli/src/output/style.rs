//! Colours. They only repeat what the words say already.

use clap::builder::styling::{AnsiColor, Effects, Style as Ansi};

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Good,
    Bad,
    Warning,
    Name,
    Dim,
    Strong,
}

impl Style {
    fn ansi(self) -> Ansi {
        match self {
            Style::Plain => Ansi::new(),
            Style::Good => AnsiColor::Green.on_default(),
            Style::Bad => AnsiColor::Red.on_default().effects(Effects::BOLD),
            Style::Warning => AnsiColor::Yellow.on_default().effects(Effects::BOLD),
            Style::Name => AnsiColor::Cyan.on_default(),
            Style::Dim => Ansi::new().effects(Effects::DIMMED),
            Style::Strong => Ansi::new().effects(Effects::BOLD),
        }
    }

    /// `text` in this style, or as it is where colour is off.
    pub(crate) fn paint(self, text: &str, colour: bool) -> String {
        if !colour || self == Style::Plain {
            return text.to_owned();
        }
        let ansi = self.ansi();
        format!("{ansi}{text}{ansi:#}")
    }
}

/// One of a few colours for a name, always the same one, so that lines of one instance can be told by eye.
pub(crate) fn of_name(name: &str, colour: bool) -> String {
    const COLOURS: [AnsiColor; 6] = [
        AnsiColor::Cyan,
        AnsiColor::Green,
        AnsiColor::Yellow,
        AnsiColor::Blue,
        AnsiColor::Magenta,
        AnsiColor::BrightCyan,
    ];
    if !colour {
        return name.to_owned();
    }
    let sum = name
        .bytes()
        .fold(7usize, |sum, b| sum.wrapping_mul(31).wrapping_add(b.into()));
    let ansi = COLOURS[sum % COLOURS.len()].on_default();
    format!("{ansi}{name}{ansi:#}")
}
