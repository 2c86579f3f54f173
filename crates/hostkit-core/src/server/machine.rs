//! What setting up asks of the machine: to run programs from argument lists, and to read and replace small files.

use std::time::Duration;

use crate::kind::Failure;

/// The machine that is set up. Every path is absolute. Calls block; nothing here is called from async code.
pub trait Machine: Send + Sync {
    /// Runs a program to its end. A program that is not installed ends with 127; a failure is one that could not be
    /// started or took longer than it may (it is killed then).
    fn run(&self, order: &Order) -> Result<Ran, Failure>;

    /// The text of a regular file of at most one MiB, links followed; `None` where there is none. Never blocks on
    /// something that only looks like a file.
    fn read(&self, path: &str) -> Result<Option<String>, Failure>;

    /// What is at `path`, links followed.
    fn look(&self, path: &str) -> Result<Option<Found>, Failure>;

    /// The names in a folder, sorted; none where there is no such folder.
    fn list(&self, folder: &str) -> Result<Vec<String>, Failure>;

    /// Replaces a file as a whole, owned by root. A reader sees the old text or the new, also after a loss of power.
    /// Missing folders above it are made with mode 0755.
    fn write(&self, path: &str, text: &str, mode: u32) -> Result<(), Failure>;

    /// Removes a file; that there is none is no error.
    fn remove(&self, path: &str) -> Result<(), Failure>;

    /// Makes a folder owned by root with this mode, or gives it to one that is there.
    fn make_folder(&self, path: &str, mode: u32) -> Result<(), Failure>;

    /// Bytes that may still be written where `path` lies.
    fn free_space(&self, path: &str) -> Result<u64, Failure>;

    /// Lets time pass between two looks.
    fn pause(&self, time: Duration);
}

/// A program to run. No shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The program; looked up where a system's own programs are.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What it reads on its standard input.
    pub input: String,
    /// The longest it may take.
    pub time: Duration,
}

/// How long a program may take that only looks at something or changes a setting.
const QUICK: Duration = Duration::from_secs(60);

impl Order {
    /// A program that takes no longer than a minute, with no input.
    pub fn new(program: &str, arguments: &[&str]) -> Self {
        Order {
            program: program.to_owned(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            input: String::new(),
            time: QUICK,
        }
    }

    /// The same with something on its standard input.
    pub fn input(mut self, text: impl Into<String>) -> Self {
        self.input = text.into();
        self
    }

    /// The same with another limit of time.
    pub fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// The same with further arguments.
    pub fn and(mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Program and arguments as one would read them.
    pub fn line(&self) -> String {
        std::iter::once(self.program.as_str())
            .chain(self.arguments.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// How a program ended, and what it said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; 128 and more for one that a signal ended.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Ran {
    /// The code of a program that is not there.
    pub const NOT_INSTALLED: i32 = 127;

    /// Whether it said that all is well.
    pub fn is_fine(&self) -> bool {
        self.code == 0
    }

    /// Whether there was no such program.
    pub fn is_not_installed(&self) -> bool {
        self.code == Ran::NOT_INSTALLED
    }

    /// The last lines that say something, of its standard error or, where that is silent, its output.
    pub fn last_words(&self) -> Vec<String> {
        const LINES: usize = 8;
        let text = if self.err.trim().is_empty() {
            &self.out
        } else {
            &self.err
        };
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let skipped = lines.len().saturating_sub(LINES);
        lines[skipped..]
            .iter()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }
}

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which kind of thing.
    pub kind: FoundKind,
    /// Its owner.
    pub uid: u32,
    /// Its permission bits.
    pub mode: u32,
    /// Whether it could be written: root may write everything but what is mounted read-only.
    pub writable: bool,
    /// Where it really is, with every link followed.
    pub real_path: String,
}

/// Which kind of thing lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// Anything else.
    Other,
}
