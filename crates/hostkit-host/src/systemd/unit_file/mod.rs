//! The text of a unit file, by a serialiser: whatever bytes an argument has, the program gets exactly these, and no value
//! can become a line or a setting of its own. What cannot be written is a failure, never a changed value.

mod quote;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};

use super::sandbox::{Only, Sandbox, Wall};
use super::{UnitLimits, UnitName};

pub(super) use quote::is_noncharacter;

/// The longest line systemd reads.
const LONGEST_LINE: usize = 1024 * 1024;

/// What stands at the top of every file of ours.
const HEADER: &str = "# Written by HostKit, which overwrites it; settings of your own belong into a drop-in (systemctl edit).\n";

/// A section of a unit file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// What it is and what it depends on.
    Unit,
    /// A program.
    Service,
    /// Shared limits.
    Slice,
    /// Sockets.
    Socket,
    /// The clock.
    Timer,
    /// What starts it with the machine.
    Install,
}

impl Section {
    fn name(self) -> &'static str {
        match self {
            Section::Unit => "Unit",
            Section::Service => "Service",
            Section::Slice => "Slice",
            Section::Socket => "Socket",
            Section::Timer => "Timer",
            Section::Install => "Install",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Empty,
    Word(String),
    Text(String),
    Words(Vec<String>),
    Command(PathBuf, Vec<String>),
    File(PathBuf),
    Variable(String, String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    section: Section,
    key: &'static str,
    value: Value,
}

/// A unit file in the making: sections, and in each its settings in the order they were given. A setting given twice
/// stands there twice, which systemd takes for a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFile {
    lines: Vec<Line>,
    section: Section,
}

impl Default for UnitFile {
    fn default() -> Self {
        Self::new()
    }
}

impl UnitFile {
    /// An empty file; what comes next is of the section `Unit`.
    pub fn new() -> Self {
        UnitFile {
            lines: Vec::new(),
            section: Section::Unit,
        }
    }

    /// What comes next is of this section.
    pub fn section(mut self, section: Section) -> Self {
        self.section = section;
        self
    }

    /// A word systemd knows, a number, a size, a time, a share: `simple`, `64M`, `20%`, `2min 30s`, `~@privileged`.
    /// `%` is not doubled: such settings know no specifiers.
    pub fn word(self, key: &'static str, value: impl std::fmt::Display) -> Self {
        let value = value.to_string();
        self.line(key, Value::Word(value))
    }

    /// `Key=yes`.
    pub fn yes(self, key: &'static str) -> Self {
        self.word(key, "yes")
    }

    /// `Key=`: takes back what was said before, or what is so without a word.
    pub fn empty(self, key: &'static str) -> Self {
        self.line(key, Value::Empty)
    }

    /// Any one text or path, taken as it is: a description, a folder, an account.
    pub fn text(self, key: &'static str, value: impl Into<String>) -> Self {
        self.line(key, Value::Text(value.into()))
    }

    /// A unit of ours.
    pub fn unit(self, key: &'static str, name: &UnitName) -> Self {
        // Escapes in names of slices are not undone where units are named, but are where words are quoted.
        self.line(key, Value::Text(name.as_str().to_owned()))
    }

    /// Words or paths, each taken as it is.
    pub fn words<I: IntoIterator<Item: Into<String>>>(self, key: &'static str, values: I) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.line(key, Value::Words(values))
    }

    /// A program and its arguments (`ExecStart` and its like), which it gets byte for byte. No shell.
    pub fn command(self, key: &'static str, program: impl Into<PathBuf>, arguments: &[String]) -> Self {
        self.line(key, Value::Command(program.into(), arguments.to_vec()))
    }

    /// A file of variables that must be there when the unit starts (see [`super::environment_file`]).
    pub fn environment_file(self, path: impl Into<PathBuf>) -> Self {
        self.line("EnvironmentFile", Value::File(path.into()))
    }

    /// One variable. Every account of the machine can read it: nothing secret.
    pub fn variable(self, name: &str, value: &str) -> Self {
        self.line("Environment", Value::Variable(name.to_owned(), value.to_owned()))
    }

    /// The walls around a service.
    pub fn sandbox(mut self, sandbox: &Sandbox) -> Result<Self, Failure> {
        for wall in sandbox.walls()? {
            self = match wall {
                Wall::Yes(key) => self.yes(key),
                Wall::Word(key, word) => self.word(key, word),
                Wall::NoCapabilities => self.empty("CapabilityBoundingSet"),
                Wall::NoNamespaces => self.yes("RestrictNamespaces"),
                Wall::NativeCalls => self.word("SystemCallArchitectures", "native"),
                Wall::Filter(key, Only::These, words) => self.word(key, words.join(" ")),
                Wall::Filter(key, Only::Others, words) => self.word(key, format!("~{}", words.join(" "))),
                Wall::Refused => self.word("SystemCallErrorNumber", "EPERM"),
                Wall::Umask(mask) => self.word("UMask", format!("{mask:04o}")),
                Wall::Paths(key, paths) => self.words(key, paths),
                Wall::Binds(key, pairs) => {
                    self.words(key, pairs.into_iter().map(|(from, to)| format!("{from}:{to}")))
                }
                Wall::Temporary(paths) => self.words("TemporaryFileSystem", paths),
            };
        }
        Ok(self)
    }

    /// What a service or a slice may use. (A slice knows no time.)
    pub fn limits(mut self, limits: &UnitLimits) -> Self {
        if let Some(memory) = limits.memory {
            // Without the second line a program past its limit fills the machine's swap instead of being ended.
            self = self.word("MemoryMax", memory.0).word("MemorySwapMax", 0);
        }
        if let Some(percent) = limits.cpu_percent {
            self = self.word("CPUQuota", format!("{percent}%"));
        }
        for (key, number) in [
            ("TasksMax", limits.tasks),
            ("IOWeight", limits.io_weight.map(u64::from)),
            ("CPUWeight", limits.cpu_weight.map(u64::from)),
        ] {
            if let Some(number) = number {
                self = self.word(key, number);
            }
        }
        if let Some(time) = limits.time {
            // No time at all would mean without end.
            self = self.word("RuntimeMaxSec", format!("{}ms", time.as_millis().max(1)));
        }
        self
    }

    /// The programs of a setting with their arguments, as they were given.
    pub fn commands(&self, key: &str) -> Vec<(&Path, &[String])> {
        self.values(key)
            .filter_map(|value| match value {
                Value::Command(program, arguments) => Some((program.as_path(), arguments.as_slice())),
                _ => None,
            })
            .collect()
    }

    /// The values of a setting, each as it is written.
    pub fn written(&self, key: &str) -> Result<Vec<String>, Failure> {
        self.values(key)
            .map(|value| value.render().map_err(|why| refused(key, why)))
            .collect()
    }

    fn values(&self, key: &str) -> impl Iterator<Item = &Value> {
        self.lines
            .iter()
            .filter(move |line| line.key == key)
            .map(|line| &line.value)
    }

    /// The text. Fails for what systemd would not read back as it was given.
    pub fn render(&self) -> Result<String, Failure> {
        let mut text = HEADER.to_owned();
        let mut sections: Vec<Section> = Vec::new();
        for line in &self.lines {
            if !sections.contains(&line.section) {
                sections.push(line.section);
            }
        }
        for section in sections {
            text.push_str(&format!("\n[{}]\n", section.name()));
            for line in self.lines.iter().filter(|line| line.section == section) {
                let value = line.value.render().map_err(|why| refused(line.key, why))?;
                if line.key.len() + 1 + value.len() >= LONGEST_LINE {
                    return Err(refused(line.key, "it is longer than the 1 MB systemd reads"));
                }
                text.push_str(line.key);
                text.push('=');
                text.push_str(&value);
                text.push('\n');
            }
        }
        Ok(text)
    }

    fn line(mut self, key: &'static str, value: Value) -> Self {
        self.lines.push(Line {
            section: self.section,
            key,
            value,
        });
        self
    }
}

/// Values may be what a user wrote, so they are not shown.
fn refused(key: &str, why: &str) -> Failure {
    Failure::new(Kind::Invalid, format!("cannot write `{key}=` of a unit: {why}"))
}

impl Value {
    fn render(&self) -> Result<String, &'static str> {
        match self {
            Value::Empty => Ok(String::new()),
            Value::Word(word) => quote::word(word),
            Value::Text(text) => quote::text(text),
            Value::Words(words) => {
                let quoted: Result<Vec<String>, _> =
                    words.iter().map(|word| quote::list_word(word)).collect();
                Ok(quoted?.join(" "))
            }
            Value::Command(program, arguments) => {
                let mut line = quote::program(utf8(program)?)?;
                for argument in arguments {
                    line.push(' ');
                    line.push_str(&quote::argument(argument)?);
                }
                Ok(line)
            }
            Value::File(path) => quote::file(utf8(path)?),
            Value::Variable(name, value) => quote::variable(name, value),
        }
    }
}

fn utf8(path: &Path) -> Result<&str, &'static str> {
    path.to_str().ok_or("a path in it is not UTF-8")
}
