//! The process: settings read again, an orderly end, one server per folder, sockets with a name.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use hostkit_addons::storage::server::ready;
use hostkit_addons::storage::settings::{KeyPair, Listen};
use hostkit_core::secret::Secret;
use rustix::process::Signal;

use crate::house::{House, SECRET, went_well};

const CLIENT: &str = include_str!("client.py");
const PATIENCE: Duration = Duration::from_secs(60);

fn client(house: &House, act: &str) -> Command {
    house.python(&[CLIENT, act].concat(), &[])
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_ready(listen: &Listen) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(ready(listen, PATIENCE)).is_ok()
}

#[test]
fn keys_are_changed_without_a_pause() {
    let mut house = House::start();
    let with_key = |access: &str| format!("sys.exit(0 if get('/', access='{access}')[0] == 200 else 3)\n");
    let is_taken = |house: &House, access: &str| {
        let act = format!("import sys\n{}", with_key(access));
        client(house, &act).status().unwrap().success()
    };
    assert!(is_taken(&house, "SHOPKEY1") && !is_taken(&house, "SHOPKEY2"));
    let old = house.settings.keys.clone();
    house.settings.keys.push(KeyPair {
        access: "SHOPKEY2".to_owned(),
        secret: Secret::new(SECRET),
    });
    house.write_settings();
    house.signal(Signal::HUP);
    wait_until("the new key is not taken", || is_taken(&house, "SHOPKEY2"));
    assert!(is_taken(&house, "SHOPKEY1"), "both are valid for a while");
    // Settings that cannot be used change nothing.
    std::fs::write(house.path(), "{").unwrap();
    house.signal(Signal::HUP);
    assert!(is_taken(&house, "SHOPKEY2") && is_taken(&house, "SHOPKEY1"));
    house.settings.keys.retain(|key| !old.contains(key));
    house.write_settings();
    house.signal(Signal::HUP);
    wait_until("the old key is still taken", || !is_taken(&house, "SHOPKEY1"));
    assert!(is_taken(&house, "SHOPKEY2"));
}

#[test]
fn what_was_begun_is_finished_before_the_end() {
    let mut house = House::start();
    let url = client(&house, "print(presigned('PUT', '/shop/slow'))")
        .output()
        .unwrap();
    let url = went_well(&url);
    let address = house.endpoint().replace("http://", "");
    let mut upload = TcpStream::connect(&address).unwrap();
    write!(
        upload,
        "PUT {} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n",
        url.trim()
    )
    .unwrap();
    // The server reads the body now: the request has begun.
    let mut told = [0; 12];
    upload.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"HTTP/1.1 100");
    upload.write_all(b"hello").unwrap();
    house.signal(Signal::TERM);
    wait_until("new connections are still taken", || {
        TcpStream::connect(&address).is_err()
    });
    upload.write_all(b"world").unwrap();
    let mut answer = String::new();
    upload.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("HTTP/1.1 200"), "{answer}");
    assert!(house.wait().success());
    house.begin();
    went_well(
        &client(&house, "assert get('/shop/slow')[1].endswith(b'helloworld')")
            .output()
            .unwrap(),
    );
}

#[test]
fn a_folder_has_one_server_and_settings_one_reader() {
    let house = House::start();
    let second = house.command().output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        !second.status.success() && said.contains("another storage server uses it"),
        "{said}"
    );
    std::fs::set_permissions(house.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = house.command().output().unwrap();
    let said = String::from_utf8_lossy(&open.stderr).into_owned();
    assert!(
        !open.status.success() && said.contains("others may read"),
        "{said}"
    );
    assert!(!said.contains(SECRET));
    let command = std::fs::read(format!("/proc/{}/cmdline", house.pid())).unwrap();
    assert!(!String::from_utf8_lossy(&command).contains(SECRET));
    for entry in std::fs::read_dir(&house.settings.folder).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "others may use {}", entry.path().display());
    }
}

#[test]
fn a_socket_with_a_name_is_for_its_owner_and_taken_over_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::in_folder(folder.path(), 0);
    let path = folder.path().join("s3.socket");
    house.settings.listen = Listen::Socket(path.clone());
    assert!(!is_ready(&house.settings.listen));
    for _ in 0..2 {
        house.begin();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(is_ready(&house.settings.listen));
        house.kill();
    }
}

#[test]
fn without_its_index_no_object_is_swept_away() {
    let mut house = House::start();
    went_well(
        &client(&house, "assert put('/shop/a', b'kept')[0] == 200")
            .output()
            .unwrap(),
    );
    house.kill();
    let index: Vec<_> = std::fs::read_dir(house.settings.folder.join("objects"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("index.sqlite")
        })
        .collect();
    let away = tempfile::tempdir().unwrap();
    let elsewhere = |path: &std::path::Path| away.path().join(path.file_name().unwrap());
    for path in &index {
        std::fs::copy(path, elsewhere(path)).unwrap();
        std::fs::remove_file(path).unwrap();
    }
    let refused = house.command().output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("files that it knew are there"),
        "{said}"
    );
    for path in &index {
        std::fs::copy(elsewhere(path), path).unwrap();
    }
    house.begin();
    went_well(
        &client(&house, "assert get('/shop/a')[1].endswith(b'kept')")
            .output()
            .unwrap(),
    );
}
