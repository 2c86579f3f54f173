//! What becomes of a program that the fake is told to run.

use std::path::Path;

use hostkit_host::systemd::{Ending, Signal};

/// What becomes of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// It runs until it is asked to end.
    Runs,
    /// It runs until it is killed.
    IgnoresSignals,
    /// It ends at once like this.
    Ends(Ending),
    /// There is no such program.
    IsMissing,
}

/// Where the programs of a machine are.
const FOLDERS: [&str; 4] = ["/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/"];

impl Program {
    /// What the program of this path does with these arguments.
    pub(super) fn of(path: &Path, arguments: &[String]) -> Self {
        let path = path.to_string_lossy();
        let Some(name) = FOLDERS.iter().find_map(|folder| path.strip_prefix(folder)) else {
            // Somebody's own: there, unless its path says otherwise.
            return if path.starts_with("/no/such/") {
                Program::IsMissing
            } else {
                Program::Runs
            };
        };
        match name {
            "true" => Program::Ends(Ending::Exited(0)),
            "false" => Program::Ends(Ending::Exited(1)),
            "sh" => match arguments {
                [option, line, ..] if option == "-c" => Self::of_line(line),
                _ => Program::Runs,
            },
            _ => Program::Runs,
        }
    }

    fn of_line(line: &str) -> Self {
        let last = line.rsplit(';').next().unwrap_or_default().trim();
        let number = |text: &str| text.parse().ok();
        if line.starts_with("trap ''") {
            Program::IgnoresSignals
        } else if let Some(code) = last.strip_prefix("exit ").and_then(number) {
            Program::Ends(Ending::Exited(code))
        } else if let Some(signal) = last
            .strip_prefix("kill -")
            .and_then(|rest| number(rest.strip_suffix(" $$")?))
        {
            Program::Ends(Ending::Signalled(signal))
        } else {
            Program::Runs
        }
    }

    /// How it ends when it gets this signal; `None` where it goes on.
    pub(super) fn on(self, signal: Signal) -> Option<Ending> {
        match (self, signal) {
            (_, Signal::SIGKILL) | (Program::Runs, _) => Some(Ending::Signalled(signal as i32)),
            _ => None,
        }
    }
}
