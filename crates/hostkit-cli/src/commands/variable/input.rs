//! Values from the command line and from stdin.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::VariableName;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use crate::output::Printer;
use crate::stop::Stop;

/// The variables that `env set` was given: `K=V …`, `K -`, or `--stdin K`.
pub(super) fn pairs(
    printer: &Printer,
    words: &[String],
    stdin: bool,
) -> Result<BTreeMap<VariableName, String>, Stop> {
    let from_stdin = match words {
        [name] if stdin => Some(name),
        [name, dash] if dash == "-" && !name.contains('=') => Some(name),
        _ if stdin => {
            return Err(Stop::usage(
                "cannot set variables: `--stdin` takes one name",
                "`hostkit env set NAME --stdin < FILE`",
            ));
        }
        _ => None,
    };
    if let Some(name) = from_stdin {
        let name = parse_name(name)?;
        let value = read_value(printer, &name)?;
        return Ok(BTreeMap::from([(name, value)]));
    }
    let mut pairs = BTreeMap::new();
    for word in words {
        // The word is not repeated in the message: it may be a secret that lost its name.
        let (name, value) = word.split_once('=').ok_or_else(|| {
            Stop::usage(
                "cannot set variables: one of the words has no `=`",
                "write NAME=VALUE, or `hostkit env set NAME -` for a value from stdin",
            )
        })?;
        pairs.insert(parse_name(name)?, value.to_owned());
    }
    Ok(pairs)
}

fn parse_name(text: &str) -> Result<VariableName, Failure> {
    VariableName::parse(text)
        .map_err(|error| Failure::new(Kind::Invalid, format!("cannot set a variable: {error}")))
}

fn read_value(printer: &Printer, name: &VariableName) -> Result<String, Failure> {
    from_stdin(
        printer,
        &format!("the value of `{name}`"),
        &format!("Value of {name}"),
    )
}

/// All of stdin, without the one line end that editors and `echo` put behind it. At a terminal: a line, which is not shown.
pub(in crate::commands) fn from_stdin(printer: &Printer, what: &str, asked: &str) -> Result<String, Failure> {
    let refused = |why: String| Failure::new(Kind::Invalid, format!("cannot read {what}: {why}"));
    let mut text = String::new();
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        let _quiet = Unseen::new();
        printer.ask(&format!("{asked} (not shown): "));
        stdin
            .read_line(&mut text)
            .map_err(|error| refused(error.to_string()))?;
        printer.ask("\n");
    } else {
        let mut bytes = Vec::new();
        stdin
            .lock()
            .read_to_end(&mut bytes)
            .map_err(|error| refused(error.to_string()))?;
        text = String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8".to_owned()))?;
    }
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

/// While it lives, what is typed is not shown.
struct Unseen(Option<Termios>);

impl Unseen {
    fn new() -> Self {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok();
        if let Some(before) = &before {
            let mut silent = before.clone();
            silent.local_flags.remove(LocalFlags::ECHO);
            // Typing that shows is worse than typing that does not, but no reason to give up.
            let _ = tcsetattr(&stdin, SetArg::TCSANOW, &silent);
        }
        Unseen(before)
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, before);
        }
    }
}
