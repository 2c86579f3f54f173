//! The role of a storage in the real binary. What it does is tested where it lies, in `hostkit-addons`.

use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hostkit_addons::storage::names::BucketName;
use hostkit_addons::storage::settings::{BucketSettings, KeyPair, Listen, Settings};
use hostkit_core::secret::Secret;
use hostkit_host::role_process::RoleProcess;

/// Connects at once and reads to the end: the socket takes connections also while no server runs.
fn ask(address: SocketAddr) -> impl FnOnce() -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(
        connection,
        "GET /shop/public/a HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    move || {
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }
}

fn start(settings: &Path, socket: &TcpListener, log: &Path) -> tokio::process::Child {
    RoleProcess {
        program: env!("CARGO_BIN_EXE_hostkit").into(),
        arguments: vec!["storage-server".into(), settings.into()],
        sockets: vec![socket.try_clone().unwrap().into()],
        log: File::options().create(true).append(true).open(log).unwrap(),
    }
    .spawn()
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_is_killed_refuses_nobody_while_it_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let settings = Settings {
        folder: folder.path().join("storage"),
        listen: Listen::Address(address),
        region: "local".to_owned(),
        hosts: Vec::new(),
        reserve: 0,
        keys: vec![KeyPair {
            access: "SHOPKEY1".to_owned(),
            secret: Secret::new("a-secret-of-the-tests"),
        }],
        operator: None,
        buckets: vec![BucketSettings {
            name: BucketName::parse("shop").unwrap(),
            quota: None,
            public: vec!["public/".to_owned()],
        }],
    };
    std::fs::create_dir(&settings.folder).unwrap();
    let path = folder.path().join("settings.json");
    std::fs::write(&path, settings.text()).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let log = folder.path().join("log");
    let mut server = start(&path, &socket, &log);
    let answered = tokio::task::spawn_blocking(ask(address)).await.unwrap();
    assert!(answered.contains("NoSuchKey"), "{answered}");
    server.kill().await.unwrap();
    let waiting = ask(address);
    let mut server = start(&path, &socket, &log);
    let answered = tokio::task::spawn_blocking(waiting).await.unwrap();
    assert!(answered.contains("NoSuchKey"), "{answered}");
    server.kill().await.unwrap();
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(!said.contains("ERROR"), "a refusal is no error of ours: {said}");
}
