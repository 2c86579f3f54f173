//! Doing things on a machine: programs run there as if its root had started them, files brought there.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::boot::Machine;

/// How long a program may take unless a test says otherwise.
const LIMIT: Duration = Duration::from_secs(180);

/// What a program said and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit status; 128 + N after signal N, 124 or 137 if it was ended because it took too long.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Output {
    fn from(output: std::process::Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let status = output.status;
        Output {
            code: status.code().or(status.signal().map(|n| 128 + n)).unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails the test unless it ended well.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// Fails the test if it ended well.
    #[track_caller]
    pub fn failed(self) -> Self {
        assert_ne!(self.code, 0, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}\nstdout: {}\nstderr: {}", self.out, self.err))
    }

    /// Everything it said.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

impl Machine {
    /// A command that will be run on this machine by root, not started yet. Its environment is a fresh one; what the caller
    /// adds to it reaches a container alone. The caller sees to its end; with the machine it ends in any case.
    #[track_caller]
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.start(arguments)
    }

    /// Runs a program to its end, three minutes at most.
    #[track_caller]
    pub fn exec(&self, arguments: &[&str]) -> Output {
        self.exec_within(LIMIT, arguments)
    }

    /// Runs a program to its end, or ends it after that long.
    #[track_caller]
    pub fn exec_within(&self, limit: Duration, arguments: &[&str]) -> Output {
        Output::from(
            self.limited(limit, arguments)
                .output()
                .expect("a program can be started"),
        )
    }

    /// Runs a program that reads from a file of the host.
    #[track_caller]
    pub fn exec_with_input(&self, input: File, arguments: &[&str]) -> Output {
        let mut command = self.limited(LIMIT, arguments);
        Output::from(command.stdin(input).output().expect("a program can be started"))
    }

    /// Copies a file of the host. Folders above `to` are made.
    #[track_caller]
    pub fn put(&self, file: &Path, to: &str, mode: u32) {
        let input =
            File::open(file).unwrap_or_else(|error| panic!("cannot open `{}`: {error}", file.display()));
        let mode = format!("{mode:o}");
        // Through the machine's own programs: a link in its file system then leads to where it leads there. `install` opens
        // what it reads by name, which a pipe has and a connection does not.
        let install = "cat | install -D -m \"$0\" /dev/stdin \"$1\"";
        self.exec_with_input(input, &["sh", "-c", install, &mode, to])
            .ok();
    }

    /// Writes a file. Folders above it are made.
    #[track_caller]
    pub fn write(&self, content: impl AsRef<[u8]>, to: &str, mode: u32) {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        std::io::Write::write_all(&mut file, content.as_ref()).expect("a temporary file can be written");
        self.put(file.path(), to, mode);
    }

    /// The content of a file.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        self.exec(&["cat", "--", path]).ok().out
    }

    fn limited(&self, limit: Duration, arguments: &[&str]) -> Command {
        let seconds = limit.as_secs().max(1).to_string();
        let mut whole = vec!["timeout", "--kill-after=10", &seconds];
        whole.extend(arguments);
        self.command(&whole)
    }
}
