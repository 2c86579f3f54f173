//! Who reads the cases: a front door, nginx and HAProxy, each with a backend of its own for every case.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::backend::{self, Record, Say};
use crate::support::{Door, PATIENCE, to, until};

/// What came of a case.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Everything the client was told.
    pub(super) answer: String,
    pub(super) record: Record,
}

impl Outcome {
    /// The statuses of the answers, in order.
    pub(super) fn statuses(&self) -> Vec<u16> {
        self.answer
            .match_indices("HTTP/1.")
            .filter_map(|(at, _)| self.answer.get(at + 9..at + 12)?.parse().ok())
            .collect()
    }

    /// As it stands in the page.
    pub(super) fn words(&self) -> String {
        let statuses: Vec<String> = self.statuses().iter().map(u16::to_string).collect();
        let mut words = match statuses.is_empty() {
            true => "closed".to_owned(),
            false => statuses.join(", "),
        };
        if !self.record.whole.is_empty() {
            write!(words, " ({} arrived)", self.record.whole.len()).unwrap();
        }
        if !self.record.ambiguous.is_empty() {
            words.push_str(" (ambiguous)");
        }
        words
    }
}

/// Sends bytes and reads until the connection is closed. Our side stays open: a client that closes it
/// is gone.
fn converse(mut stream: impl Read + Write, bytes: &[u8]) -> String {
    stream.write_all(bytes).ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The front door's reading.
pub(super) fn front_door(inputs: &[&[u8]], say: Say) -> Outcome {
    let (address, record) = backend::on_tcp(say);
    let door = Door::start_with(|config| {
        config.threads = 1;
        config.limits.headers = Duration::from_millis(700);
        config.limits.idle = Duration::from_millis(700);
        config.limits.body_pause = Duration::from_millis(700);
    });
    door.apply(vec![to("shop", &[address])]);
    let answer = inputs
        .iter()
        .map(|bytes| converse(door.connect(), bytes))
        .collect();
    // What is still on its way to the backend arrives, or never will.
    drop(door);
    let record = record.lock().unwrap().clone();
    Outcome { answer, record }
}

/// nginx or HAProxy: one process with a socket and a backend for each case.
pub(super) struct Other {
    child: Child,
    folder: tempfile::TempDir,
    records: Vec<Arc<Mutex<Record>>>,
}

impl Drop for Other {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Other {
    pub(super) fn nginx(says: Vec<Say>) -> Other {
        Other::start("nginx", says, |folder, cases| {
            let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .iter()
                .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
                .collect();
            let mut text = format!(
                "daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;\n\
                 events {{ worker_connections 4096; }}\nhttp {{\naccess_log off;\n{paths}\
                 proxy_read_timeout 5s; client_header_timeout 700ms; client_body_timeout 700ms; keepalive_timeout 700ms; lingering_timeout 700ms;\n"
            );
            for case in 0..cases {
                writeln!(
                    text,
                    "server {{ listen unix:{folder}/{case}.front; server_name shop.localhost; location / {{ \
                     proxy_pass http://unix:{folder}/{case}.back; proxy_http_version 1.1; \
                     proxy_set_header Host $host; proxy_set_header Connection \"\"; }} }}"
                )
                .unwrap();
            }
            text.push_str("}\n");
            let config = format!("{folder}/config");
            (
                text,
                vec![
                    "-p".into(),
                    folder.into(),
                    "-e".into(),
                    format!("{folder}/errors"),
                    "-c".into(),
                    config,
                ],
            )
        })
    }

    pub(super) fn haproxy(says: Vec<Say>) -> Other {
        Other::start("haproxy", says, |folder, cases| {
            let mut text = String::from(
                "global\nmaxconn 4000\nnbthread 1\ndefaults\nmode http\nretries 0\ntimeout client 700ms\ntimeout http-request 700ms\n\
                 timeout http-keep-alive 700ms\ntimeout connect 10s\ntimeout server 5s\n",
            );
            for case in 0..cases {
                writeln!(
                    text,
                    "listen case{case}\nbind unix@{folder}/{case}.front\nserver backend unix@{folder}/{case}.back"
                )
                .unwrap();
            }
            (text, vec!["-db".into(), "-f".into(), format!("{folder}/config")])
        })
    }

    fn start(
        program: &str,
        says: Vec<Say>,
        configure: impl Fn(&str, usize) -> (String, Vec<String>),
    ) -> Other {
        let folder = tempfile::tempdir().unwrap();
        let (text, arguments) = configure(folder.path().to_str().unwrap(), says.len());
        std::fs::write(folder.path().join("config"), text).unwrap();
        let cases = says.len();
        let records = says.into_iter().enumerate();
        let records = records
            .map(|(at, say)| backend::on_unix(&folder.path().join(format!("{at}.back")), say))
            .collect();
        let output = std::fs::File::create(folder.path().join("output")).unwrap();
        let child = Command::new(find(program))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let other = Other {
            child,
            folder,
            records,
        };
        until(&format!("{program} listens"), || other.connect(cases - 1).is_ok());
        other
    }

    fn connect(&self, case: usize) -> std::io::Result<UnixStream> {
        let stream = UnixStream::connect(self.folder.path().join(format!("{case}.front")))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    pub(super) fn read(&self, case: usize, inputs: &[&[u8]]) -> Outcome {
        let answer = inputs
            .iter()
            .map(|bytes| converse(self.connect(case).unwrap(), bytes))
            .collect();
        let record = self.records[case].lock().unwrap().clone();
        Outcome { answer, record }
    }
}

/// Debian puts daemons into `sbin`, which is not on everybody's path.
fn find(program: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let mut found = path.split(':').map(|folder| Path::new(folder).join(program));
    found.find(|path| path.is_file()).unwrap_or_else(|| {
        panic!("`{program}` is not installed: `source script/setup.sh; setup compare` installs it")
    })
}

/// The version of a program, as its own output tells it.
pub(super) fn version(program: &str) -> String {
    let output = Command::new(find(program)).arg("-v").output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let number = text
        .split([' ', '/', '-', '\n'])
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    number.unwrap_or_default().to_owned()
}
