//! Names of this machine, servers on loopback ports, and what a resolver says.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;

fn host(name: &str) -> HostName {
    HostName::parse(name).unwrap()
}

/// A server that answers one visit with these bytes, and what it was sent.
fn answers(bytes: Vec<u8>) -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = vec![0; 4096];
        let read = stream.read(&mut head).unwrap();
        // Whoever has read enough goes away.
        stream.write_all(&bytes).ok();
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    (port, served)
}

#[tokio::test]
async fn names_of_this_machine_lead_here_without_a_question() {
    let local = SystemInternet::new(Own::Loopback, 80);
    for name in ["localhost", "www.shop.localhost"] {
        let found = local.resolve(&host(name)).await.unwrap();
        assert_eq!(found, local.own_addresses().addresses);
    }
    let named = SystemInternet::new(Own::Named(vec!["9.9.9.9".parse().unwrap()]), 80);
    assert_eq!(named.own_addresses().from, AddressesFrom::Setting);
    let interfaces = SystemInternet::new(Own::Interfaces, 80).own_addresses();
    assert!(interfaces.addresses.iter().all(|address| is_public(*address)));
    let (one, two) = (local.unguessable().unwrap(), local.unguessable().unwrap());
    assert!(one != two && one.len() == 32, "{one} {two}");
}

#[tokio::test]
async fn the_beginning_of_an_answer_is_read_and_no_more() {
    let long = [b"HTTP/1.1 200 OK\r\n\r\nproof".to_vec(), vec![b'x'; 1 << 20]].concat();
    let (port, served) = answers(long);
    let internet = SystemInternet::new(Own::Loopback, port);
    let address = Ipv4Addr::LOCALHOST.into();
    let body = internet.ask(&host("a.example"), address, "/p").await.unwrap();
    assert!(
        body.starts_with("proofxxx") && body.len() == MOST_BYTES,
        "{}",
        body.len()
    );
    let asked = served.join().unwrap();
    assert!(
        asked.starts_with("GET /p HTTP/1.1\r\nhost: a.example\r\n"),
        "{asked}"
    );
    let (port, served) = answers(b"SSH-2.0-OpenSSH\r\n".to_vec());
    let refused = SystemInternet::new(Own::Loopback, port)
        .ask(&host("a.example"), address, "/p")
        .await
        .unwrap_err();
    assert!(refused.starts_with("no valid answer"), "{refused}");
    served.join().unwrap();
    // Its listener is gone.
    let gone = SystemInternet::new(Own::Loopback, port)
        .ask(&host("a.example"), address, "/p")
        .await;
    assert_eq!(gone.unwrap_err(), "connection refused");
}

#[test]
fn that_there_is_no_address_is_no_error_and_that_nobody_could_be_asked_is_one() {
    let none = "failed to lookup address information: Name or service not known";
    assert_eq!(without_address(none), Ok(Vec::new()));
    let silent = "failed to lookup address information: Temporary failure in name resolution";
    assert_eq!(without_address(silent), Err(silent.to_owned()));
}
