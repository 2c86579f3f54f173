//! The process: settings read again, an orderly end, settings that are refused.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use hostkit_addons::redis_rest::{Settings, token_hash};
use hostkit_testkit::http;
use rustix::process::{Pid, Signal, kill_process};

use crate::house::{ALL, House, free_port};

/// A gateway in a process of its own, in front of the Redis of a house.
struct Role {
    child: Child,
    settings: Settings,
    folder: tempfile::TempDir,
}

impl Role {
    fn start(house: &House) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = house.settings();
        settings.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        write(&folder, &serde_json::to_string(&settings).unwrap());
        let child = command(&folder).stderr(Stdio::null()).spawn().unwrap();
        let role = Role {
            child,
            settings,
            folder,
        };
        wait_until("it does not answer", || role.accepts(ALL));
        role
    }

    fn accepts(&self, token: &str) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.settings.listen) else {
            return false;
        };
        let request = format!("GET /ping?_token={token} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn path(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("settings.json")
}

fn write(folder: &tempfile::TempDir, text: &str) {
    std::fs::write(path(folder), text).unwrap();
    std::fs::set_permissions(path(folder), std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn command(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_addons-role"));
    command.arg("redis-rest").arg(path(folder));
    command
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn tokens_are_changed_without_a_pause_and_settings_that_cannot_be_used_change_nothing() {
    let house = House::open();
    let mut role = Role::start(&house);
    let old = role.settings.accesses[0].clone();
    let mut new = old.clone();
    new.token = token_hash("another");
    role.settings.accesses.push(new);
    write(&role.folder, &serde_json::to_string(&role.settings).unwrap());
    role.signal(Signal::HUP);
    wait_until("the new token is refused", || role.accepts("another"));
    assert!(role.accepts(ALL), "both are accepted for a while");
    role.settings.accesses.retain(|access| access.token != old.token);
    for unusable in ["{", "{\"accesses\":[]}"] {
        write(&role.folder, unusable);
        role.signal(Signal::HUP);
        assert!(role.accepts("another") && role.accepts(ALL));
    }
    write(&role.folder, &serde_json::to_string(&role.settings).unwrap());
    role.signal(Signal::HUP);
    wait_until("the old token is still accepted", || !role.accepts(ALL));
    assert!(role.accepts("another"));
}

#[test]
fn what_was_begun_is_finished_before_the_end() {
    let house = House::open();
    let mut role = Role::start(&house);
    let listen = role.settings.listen;
    let mut stream = TcpStream::connect(listen).unwrap();
    let head = format!(
        "POST /set/slow HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {ALL}\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // It waits for the body now: the request has begun.
    let mut told = [0; 25];
    stream.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").unwrap();
    role.signal(Signal::TERM);
    wait_until("connections are still taken", || {
        TcpStream::connect(listen).is_err()
    });
    stream.write_all(b"world").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with(r#"{"result":"OK"}"#), "{answer}");
    assert!(role.child.wait().unwrap().success());
    assert_eq!(house.get(ALL, "/get/slow").body, r#"{"result":"helloworld"}"#);
}

#[test]
fn a_stream_does_not_hold_up_the_end() {
    let house = House::open();
    let mut role = Role::start(&house);
    let mut stream = TcpStream::connect(role.settings.listen).unwrap();
    write!(
        stream,
        "GET /subscribe/news?_token={ALL} HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    .unwrap();
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    role.signal(Signal::TERM);
    assert!(role.child.wait().unwrap().success());
}

#[test]
fn settings_that_others_may_read_or_that_listen_to_others_are_refused_without_being_shown() {
    let house = House::open();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = house.settings();
    let refused = |what: &str| {
        let Output { status, stderr, .. } = command(&folder).output().unwrap();
        let said = String::from_utf8_lossy(&stderr).into_owned();
        assert!(!status.success() && said.contains(what), "{said}");
        assert!(!said.contains("secret-of"), "{said}");
    };
    refused("No such file");
    let text = serde_json::to_string(&settings).unwrap();
    write(&folder, &text);
    std::fs::set_permissions(path(&folder), std::fs::Permissions::from_mode(0o644)).unwrap();
    refused("others may read");
    write(&folder, &text.replace("\"user\"", "\"secret-of-somebody\""));
    refused("line 1, column");
    settings.listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, free_port()));
    write(&folder, &serde_json::to_string(&settings).unwrap());
    refused("not of this machine alone");
    // Nobody listens there, so nobody was started.
    assert_eq!(http::get(settings.listen.port(), "a", "/").status, 0);
}
