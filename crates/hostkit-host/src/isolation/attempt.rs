//! An attempt as a value, and the making of it by the process that is meant to be refused. Every attempt is harmless
//! where it succeeds: what was made is taken away, what is asked to be done changes nothing.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// How long a connection may take: on loopback it is there at once, or never.
const CONNECTION: Duration = Duration::from_secs(2);
/// How long somebody else is waited for, who connects to what was listened on. Longer than they try.
pub(super) const VISITOR: Duration = Duration::from_secs(4);
/// How long a program may take.
const PROGRAM: Duration = Duration::from_secs(60);
/// How long control may take to answer.
const ANSWER: Duration = Duration::from_secs(30);

/// What is tried, and what it goes for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attempt {
    /// What it goes for.
    pub(super) noun: String,
    /// What is tried, in words.
    pub(super) says: String,
    /// What is tried.
    pub(super) act: Act,
}

/// What is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Act {
    /// Opens a file to read.
    Read(PathBuf),
    /// Lists a folder.
    List(PathBuf),
    /// Makes a file in a folder.
    Create(PathBuf),
    /// Opens a file to write, and writes nothing.
    Append(PathBuf),
    /// Connects by TCP.
    Connect(SocketAddr),
    /// Listens, and waits for a visitor who may go anywhere.
    Answer(SocketAddr),
    /// Connects to a unix socket.
    ConnectSocket(PathBuf),
    /// Sends a process the signal that does nothing.
    Signal(i32),
    /// Runs a program that ends well where it is let.
    Run(Vec<String>),
    /// Runs a program that prints something where it is let.
    Print(Vec<String>),
    /// Asks control by its unix socket.
    Ask {
        /// The socket.
        socket: PathBuf,
        /// The method.
        method: String,
        /// The path.
        path: String,
        /// A JSON body that means no change.
        body: Option<String>,
    },
}

impl Attempt {
    /// Makes the attempt; the error says who or what refused it. `waits` is called when a visitor may come.
    pub(super) fn make(&self, waits: impl FnOnce()) -> Result<(), String> {
        let said = |e: io::Error| e.to_string();
        match &self.act {
            Act::Read(path) => read(path).map_err(said),
            Act::List(path) => std::fs::read_dir(path).map(drop).map_err(said),
            Act::Create(folder) => create(folder).map_err(said),
            Act::Append(path) => OpenOptions::new().append(true).open(path).map(drop).map_err(said),
            Act::Connect(address) => TcpStream::connect_timeout(address, CONNECTION)
                .map(drop)
                .map_err(said),
            Act::Answer(address) => answer(*address, waits).map_err(said),
            Act::ConnectSocket(path) => UnixStream::connect(path).map(drop).map_err(said),
            Act::Signal(pid) => kill(Pid::from_raw(*pid), None).map_err(|e| said(e.into())),
            Act::Run(line) => ended_well(line).map(drop),
            Act::Print(line) => match ended_well(line)?.iter().any(|byte| !byte.is_ascii_whitespace()) {
                true => Ok(()),
                false => Err("it shows nothing".to_owned()),
            },
            Act::Ask {
                socket,
                method,
                path,
                body,
            } => ask(socket, method, path, body.as_deref()),
        }
    }
}

/// Not waited for: a pipe of somebody else must not hold up the rest.
fn read(path: &Path) -> io::Result<()> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    opened.map(drop)
}

fn create(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".hostkit-isolation-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&path)?;
    std::fs::remove_file(path)
}

fn answer(address: SocketAddr, waits: impl FnOnce()) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    waits();
    let longest = PollTimeout::try_from(VISITOR).unwrap_or(PollTimeout::MAX);
    let mut ready = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    match poll(&mut ready, longest)? {
        0 => Err(io::Error::new(ErrorKind::TimedOut, "nobody gets its answer")),
        _ => listener.accept().map(drop),
    }
}

/// Runs a program to its end; what it printed.
fn ended_well(line: &[String]) -> Result<Vec<u8>, String> {
    let (program, arguments) = line.split_first().ok_or("there is no program")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|e| e.to_string())?;
    let is_ended = wait(&mut child);
    if !is_ended {
        let _ = child.kill();
    }
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    if !is_ended {
        return Err("it did not end".to_owned());
    }
    if output.status.success() {
        return Ok(output.stdout);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors.lines().rev().find(|line| !line.trim().is_empty());
    Err(last.map_or_else(|| output.status.to_string(), |line| line.trim().to_owned()))
}

/// These programs print a line or two, which a pipe holds.
fn wait(child: &mut Child) -> bool {
    let deadline = Instant::now() + PROGRAM;
    while Instant::now() < deadline {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            _ => return true,
        }
    }
    false
}

/// Everything but a refusal means that the gate was passed, whatever stands behind it.
fn ask(socket: &Path, method: &str, path: &str, body: Option<&str>) -> Result<(), String> {
    let status = status(socket, method, path, body).map_err(|e| e.to_string())?;
    match status {
        401 | 403 | 404 => Err(format!("control answers {status}")),
        _ => Ok(()),
    }
}

fn status(socket: &Path, method: &str, path: &str, body: Option<&str>) -> io::Result<u16> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    let body = body.unwrap_or_default();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: control\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut head = Vec::new();
    let mut byte = [0];
    while head.len() < 64 && stream.read(&mut byte)? == 1 && byte[0] != b'\r' {
        head.push(byte[0]);
    }
    let line = String::from_utf8_lossy(&head);
    let word = line
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.split(' ').next());
    word.and_then(|word| word.parse().ok())
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "control answers something else"))
}
