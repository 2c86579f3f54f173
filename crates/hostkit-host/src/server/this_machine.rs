//! The machine we are on, as [`Machine`]: programs by argument list with an environment of our own making, small files
//! read with care and replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::server::{Found, FoundKind, Machine, Order, Ran};
use nix::libc;
use nix::unistd::{AccessFlags, access};

use crate::files;

/// Where a system's own programs are; the caller's PATH has no say.
const PROGRAMS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// Variables of the caller that go on to programs: the way to the network.
const PASSED_ON: [&str; 6] = [
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];
/// The largest file that is read, and the most of an output that is kept.
const LARGEST: u64 = 1 << 20;
/// How often to look whether a program has ended.
const TICK: Duration = Duration::from_millis(10);
/// How long what a program printed may still be on its way when it has ended: something it started may hold the pipe.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The machine we are on.
#[derive(Debug, Clone)]
pub struct ThisMachine {
    root: PathBuf,
}

impl ThisMachine {
    /// The machine as it is.
    pub fn here() -> Self {
        ThisMachine {
            root: PathBuf::from("/"),
        }
    }

    /// The machine with its files in a folder instead, for tests. Programs are run as ever.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        ThisMachine { root: root.into() }
    }

    /// Takes the turn of whoever changes the machine; it ends when the answer is dropped, or with this process.
    pub fn take_turn(&self) -> Result<File, Failure> {
        let path = format!("{}/turn", super::journal::FOLDER);
        self.make_folder("/var/lib/hostkit", 0o711)?;
        self.make_folder(super::journal::FOLDER, 0o700)?;
        let turn = files::try_lock(&self.place(&path)).map_err(|e| cannot("lock", &path, &e))?;
        turn.ok_or_else(|| {
            Failure::new(
                Kind::Conflict,
                "cannot set up this machine: another `hostkit server setup` is at it",
            )
            .hint("wait for it to end; `ps -C hostkit -o pid,args` shows it")
        })
    }

    fn place(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

impl Machine for ThisMachine {
    fn run(&self, order: &Order) -> Result<Ran, Failure> {
        let found = PROGRAMS
            .iter()
            .map(|folder| Path::new(folder).join(&order.program))
            .find(|path| access(path, AccessFlags::X_OK).is_ok());
        let Some(program) = found else {
            return Ok(Ran {
                code: Ran::NOT_INSTALLED,
                out: String::new(),
                err: format!("{}: not installed", order.program),
            });
        };
        let cannot = |why: &dyn std::fmt::Display| {
            Failure::new(Kind::Failed, format!("cannot run `{}`: {why}", order.line()))
        };
        let mut child = command(&program, order).spawn().map_err(|e| cannot(&e))?;
        if let Some(mut stdin) = child.stdin.take() {
            let input = order.input.clone();
            // In a thread of its own: a program may print before it has read everything. One that reads nothing ends
            // the writing, which is its own business.
            std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        }
        let out = collect(child.stdout.take());
        let err = collect(child.stderr.take());
        let ended = wait(&mut child, order.time).map_err(|e| cannot(&e))?;
        let Some(status) = ended else {
            let after = format!("it was ended after {} s", order.time.as_secs());
            return Err(cannot(&after));
        };
        Ok(Ran {
            code: status
                .code()
                .unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
            out: out.recv_timeout(LAST_WORDS).unwrap_or_default(),
            err: err.recv_timeout(LAST_WORDS).unwrap_or_default(),
        })
    }

    fn read(&self, path: &str) -> Result<Option<String>, Failure> {
        match read_regular(&self.place(path)) {
            Ok(text) => Ok(text),
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(cannot("read", path, &e)),
        }
    }

    fn look(&self, path: &str) -> Result<Option<Found>, Failure> {
        let place = self.place(path);
        let meta = match fs::metadata(&place) {
            Ok(meta) => meta,
            Err(e) if is_absent(&e) => return Ok(None),
            Err(e) => return Err(cannot("look at", path, &e)),
        };
        let real = fs::canonicalize(&place).map_err(|e| cannot("look at", path, &e))?;
        let real = real
            .strip_prefix(&self.root)
            .map_or(real.clone(), |rest| Path::new("/").join(rest));
        Ok(Some(Found {
            kind: match () {
                () if meta.is_file() => FoundKind::File,
                () if meta.is_dir() => FoundKind::Folder,
                () => FoundKind::Other,
            },
            uid: meta.uid(),
            mode: meta.mode() & 0o7777,
            writable: access(&place, AccessFlags::W_OK).is_ok(),
            real_path: real.to_string_lossy().into_owned(),
        }))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, Failure> {
        let entries = match fs::read_dir(self.place(folder)) {
            Ok(entries) => entries,
            Err(e) if is_absent(&e) => return Ok(Vec::new()),
            Err(e) => return Err(cannot("list", folder, &e)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| cannot("list", folder, &e))?;
            // What has no name in UTF-8 is nothing that any of this is about.
            names.extend(entry.file_name().into_string().ok());
        }
        names.sort();
        Ok(names)
    }

    fn write(&self, path: &str, text: &str, mode: u32) -> Result<(), Failure> {
        let place = self.place(path);
        (|| {
            if let Some(folder) = place.parent() {
                files::create_folder(folder, 0o755)?;
                remove_leftovers(&place, folder)?;
            }
            files::write_atomic(&place, text.as_bytes(), mode)?;
            // The caller's umask has no say.
            fs::set_permissions(&place, fs::Permissions::from_mode(mode))
        })()
        .map_err(|e| cannot("write", path, &e))
    }

    fn remove(&self, path: &str) -> Result<(), Failure> {
        match fs::remove_file(self.place(path)) {
            Err(e) if !is_absent(&e) => Err(cannot("remove", path, &e)),
            _ => Ok(()),
        }
    }

    fn make_folder(&self, path: &str, mode: u32) -> Result<(), Failure> {
        let place = self.place(path);
        (|| {
            files::create_folder(&place, mode)?;
            if fs::symlink_metadata(&place)?.uid() != 0 && nix::unistd::geteuid().is_root() {
                std::os::unix::fs::lchown(&place, Some(0), Some(0))?;
            }
            fs::set_permissions(&place, fs::Permissions::from_mode(mode))
        })()
        .map_err(|e| cannot("make the folder", path, &e))
    }

    fn free_space(&self, path: &str) -> Result<u64, Failure> {
        let place = self.place(path);
        let there = place.ancestors().find(|place| place.exists());
        files::free_space(there.unwrap_or(Path::new("/")))
            .map_err(|e| cannot("measure the room at", path, &e))
    }

    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

fn command(program: &Path, order: &Order) -> Command {
    let mut command = Command::new(program);
    command
        .args(&order.arguments)
        .env_clear()
        .env("PATH", PROGRAMS.join(":"))
        .env("HOME", "/root")
        .env("LC_ALL", "C.UTF-8")
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Ubuntu asks which programs to start afresh after an installation: those it thinks right.
        .env("NEEDRESTART_MODE", "a")
        .envs(
            PASSED_ON
                .iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        .current_dir("/")
        .stdin(if order.input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Reads a stream to its end in a thread of its own, and keeps the first part.
fn collect(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    if let Some(mut stream) = stream {
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            let _ = (&mut stream).take(LARGEST).read_to_end(&mut kept);
            let _ = io::copy(&mut stream, &mut io::sink());
            // Nobody waits any more where the program took too long.
            let _ = send.send(String::from_utf8_lossy(&kept).into_owned());
        });
    }
    receive
}

/// Waits for the end of a program, and kills it where that takes too long.
fn wait(child: &mut Child, time: Duration) -> io::Result<Option<std::process::ExitStatus>> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() > time {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(TICK);
    }
}

/// The text of a regular file. A device or a pipe that stands in its place, perhaps by somebody's malice, is not
/// opened: that alone may have effects, or last for ever.
fn read_regular(path: &Path) -> io::Result<Option<String>> {
    let handle = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(path)?;
    if !handle.metadata()?.is_file() {
        return Ok(None);
    }
    let file = File::open(format!("/proc/self/fd/{}", handle.as_raw_fd()))?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is larger than 1 MiB",
        ));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Removes what a write of this file left that was killed: some programs read every name in their folder.
fn remove_leftovers(place: &Path, folder: &Path) -> io::Result<()> {
    let Some(name) = place.file_name().and_then(|name| name.to_str()) else {
        return Ok(());
    };
    let start = format!(".{name}.");
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry
            .file_name()
            .to_str()
            .is_some_and(|other| other.starts_with(&start) && other.ends_with(".tmp"))
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn cannot(verb: &str, path: &str, error: &io::Error) -> Failure {
    let failure = Failure::new(Kind::Failed, format!("cannot {verb} `{path}`: {error}"));
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            failure.hint("make room on the disk (`df -h` and `du -xh / | sort -h | tail` show where it went)")
        }
        io::ErrorKind::PermissionDenied => failure.hint("run it as root: `sudo hostkit server setup`"),
        _ => failure,
    }
}
