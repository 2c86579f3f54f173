//! Runs a program of the system's administration (`useradd`, `nft`, `visudo`) to its end: from a list of arguments,
//! with a fixed environment, a limit on time, and its whole output in hand. What users bring is run by
//! [`crate::command`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Where such programs lie; the caller's own PATH is not asked.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// They take milliseconds. `useradd` waits up to 15 seconds for its lock, and a busy disk slows all of them.
const LONGEST: Duration = Duration::from_secs(120);

/// A program of the system, and the Debian package that brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemProgram {
    /// Its name, found in the system's own folders.
    pub name: &'static str,
    /// What to install where it is missing.
    pub package: &'static str,
}

/// How it ended and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub output: Vec<u8>,
    /// What it complained about.
    pub errors: String,
}

impl Outcome {
    /// Whether it ended well.
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }

    /// Why it failed, in its own words: the last line of its complaints, else how it ended.
    pub fn why(&self) -> String {
        let last = self.errors.lines().rev().find(|line| !line.trim().is_empty());
        match (last, self.code) {
            (Some(line), _) => line.trim().to_owned(),
            (None, Some(code)) => format!("it ended with exit code {code}"),
            (None, None) => "it was killed".to_owned(),
        }
    }
}

impl SystemProgram {
    /// Names a program.
    pub const fn new(name: &'static str, package: &'static str) -> Self {
        SystemProgram { name, package }
    }

    /// The environment such programs run in.
    pub(crate) fn environment() -> BTreeMap<String, String> {
        // Messages are read by people, numbers by us: neither may follow the caller's language.
        [("PATH", PATH), ("LC_ALL", "C.UTF-8")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// The file of the program.
    pub fn file(&self) -> Result<PathBuf, Failure> {
        crate::launch::find_program(self.name, &Self::environment(), Path::new("/")).map_err(|_| {
            Failure::new(
                Kind::Unavailable,
                format!("cannot run `{}`: it is not installed", self.name),
            )
            .hint(format!("apt install {}", self.package))
        })
    }

    /// Runs it to its end, with `input` as its standard input. It is killed where the caller no longer waits.
    pub async fn run(&self, arguments: &[&str], input: &[u8]) -> Result<Outcome, Failure> {
        let mut command = Command::new(self.file()?);
        command.args(arguments);
        run(command, self.name, input, LONGEST).await
    }
}

/// Runs a program to its end in the environment of such programs.
pub(crate) async fn run(
    mut command: Command,
    name: &str,
    input: &[u8],
    longest: Duration,
) -> Result<Outcome, Failure> {
    let broken =
        |why: &dyn std::fmt::Display| Failure::new(Kind::Internal, format!("cannot run `{name}`: {why}"));
    let mut child = command
        .env_clear()
        .envs(SystemProgram::environment())
        .current_dir("/")
        // A key pressed in the terminal must not end it half-way.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| broken(&e))?;
    let mut pipe = child.stdin.take();
    let whole = async {
        let feed = async {
            if let Some(mut pipe) = pipe.take() {
                // One that does not read to the end says why by its exit code.
                let _ = pipe.write_all(input).await;
            }
        };
        tokio::join!(feed, child.wait_with_output()).1
    };
    let ended = tokio::time::timeout(longest, whole)
        .await
        .map_err(|_| {
            let limit = longest.as_secs();
            Failure::new(
                Kind::Unavailable,
                format!("cannot run `{name}`: it did not end within {limit} seconds"),
            )
        })?
        .map_err(|e| broken(&e))?;
    Ok(Outcome {
        code: ended.status.code(),
        output: ended.stdout,
        errors: String::from_utf8_lossy(&ended.stderr).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn input_output_and_exit_code_are_passed_on() {
        let ended = SystemProgram::new("sort", "coreutils")
            .run(&["-r", "--", "-"], b"a\nb\n")
            .await
            .unwrap();
        assert_eq!((ended.code, ended.output.as_slice()), (Some(0), &b"b\na\n"[..]));
        let ended = SystemProgram::new("ls", "coreutils")
            .run(&["--", "/nonexistent"], b"")
            .await
            .unwrap();
        assert!(!ended.is_success());
        assert!(ended.why().contains("No such file"), "{}", ended.why());
    }

    #[tokio::test]
    async fn a_missing_program_names_its_package() {
        let failure = SystemProgram::new("no-such-program", "its-package")
            .run(&[], b"")
            .await
            .unwrap_err();
        assert_eq!(failure.kind, Kind::Unavailable);
        assert_eq!(failure.hint.as_deref(), Some("apt install its-package"));
    }
}
