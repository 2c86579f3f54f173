//! The firewall: packets, not texts.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hostkit_host::firewall::{Firewall, Loopback, Nft};
use hostkit_host::system_program::SystemProgram;
use hostkit_testkit::conformance::firewall::FirewallFixture;
use hostkit_testkit::firewall_tests;
use nix::unistd::{Uid, setfsuid};

const NFT: SystemProgram = SystemProgram::new("nft", "nftables");

struct Fixture;

#[async_trait]
impl FirewallFixture for Fixture {
    fn firewall(&self) -> Arc<dyn Firewall> {
        Arc::new(Nft)
    }

    async fn disturb(&self) {
        let listed = nft(&["-a", "list", "chain", "inet", "hostkit", "inbound"]).await;
        let rule = listed
            .lines()
            .find(|line| line.contains("tcp dport @open_tcp"))
            .unwrap();
        let handle = rule.rsplit(' ').next().unwrap();
        nft(&["delete", "rule", "inet", "hostkit", "inbound", "handle", handle]).await;
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // In a process of its own: a drop cannot wait for a future.
        let _ = std::process::Command::new("nft")
            .args(["delete", "table", "inet", "hostkit"])
            .stderr(std::process::Stdio::null())
            .status();
    }
}

firewall_tests!([ignore = "lane host: runs on a machine of its own"], Fixture);

async fn nft(arguments: &[&str]) -> String {
    let ended = NFT.run(arguments, b"").await.unwrap();
    assert!(ended.is_success(), "nft {arguments:?}: {}", ended.why());
    String::from_utf8(ended.output).unwrap()
}

const FRONT_DOOR: u32 = 40_990;
const OWNER: u32 = 41_001;
const OTHER: u32 = 41_002;
const LOOPBACKS: [&str; 2] = ["127.0.0.1", "::1"];
const SHORT: Duration = Duration::from_secs(3);

/// Does something as an account: the kernel takes a socket's owner from the thread that makes it.
fn as_account<T: Send + 'static>(uid: u32, act: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        setfsuid(Uid::from_raw(uid));
        act()
    });
    thread.join().unwrap()
}

fn address(host: &str, port: u16) -> SocketAddr {
    SocketAddr::new(host.parse().unwrap(), port)
}

/// A program of `uid` that answers every connection.
fn listen(uid: u32, host: &'static str, port: u16) -> u16 {
    let listener = as_account(uid, move || TcpListener::bind(address(host, port)).unwrap());
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.write_all(b"hello");
        }
    });
    port
}

/// Whether a program of `uid` gets an answer.
fn reaches(uid: u32, host: &'static str, port: u16) -> Result<(), ErrorKind> {
    as_account(uid, move || {
        let mut stream = TcpStream::connect_timeout(&address(host, port), SHORT).map_err(|e| e.kind())?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).map_err(|e| e.kind())?;
        assert_eq!(&answer, b"hello");
        Ok(())
    })
}

/// Whether a program of `uid` gets an answer by UDP from `server`, which this sends.
fn reaches_by_udp(uid: u32, host: &'static str, server: &UdpSocket) -> Result<(), ErrorKind> {
    let to = server.local_addr().unwrap();
    let client = as_account(uid, move || {
        let client = UdpSocket::bind(address(host, 0)).unwrap();
        client.connect(to).unwrap();
        client.send(b"hello").map(|_| client).map_err(|e| e.kind())
    })?;
    let mut bytes = [0; 5];
    server.set_read_timeout(Some(SHORT)).unwrap();
    let (_, from) = server.recv_from(&mut bytes).map_err(|e| e.kind())?;
    server.send_to(b"hello", from).map_err(|e| e.kind())?;
    client.set_read_timeout(Some(SHORT)).unwrap();
    client.recv(&mut bytes).map(drop).map_err(|e| e.kind())
}

fn rules(ports: &[u16]) -> Loopback {
    Loopback {
        front_door: FRONT_DOOR,
        owners: ports.iter().map(|port| (*port, OWNER)).collect(),
        ..Loopback::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "lane host: runs on a machine of its own"]
async fn a_port_is_reached_by_its_owner_the_front_door_and_root_alone() {
    let table = Fixture;
    for (host, port) in LOOPBACKS.into_iter().zip([20_501, 20_502]) {
        listen(OWNER, host, port);
        let everybody = [0, FRONT_DOOR, OWNER, OTHER];
        for uid in everybody {
            assert_eq!(reaches(uid, host, port), Ok(()), "without rules: {uid} at {host}");
        }
        let _ = table.firewall().ensure_loopback(&rules(&[port])).await.unwrap();
        for uid in [0, FRONT_DOOR, OWNER] {
            assert_eq!(reaches(uid, host, port), Ok(()), "with rules: {uid} at {host}");
        }
        assert_eq!(
            reaches(OTHER, host, port),
            Err(ErrorKind::ConnectionRefused),
            "{host}"
        );
        let _ = table.firewall().remove().await.unwrap();
        assert_eq!(reaches(OTHER, host, port), Ok(()), "without rules again: {host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "lane host: runs on a machine of its own"]
async fn a_guarded_port_of_nobody_is_reached_by_root_and_the_front_door_alone() {
    let table = Fixture;
    for port in [8001, 8999, 15_000, 19_999, 20_000, 31_999] {
        listen(OWNER, "127.0.0.1", port);
        assert_eq!(reaches(OTHER, "127.0.0.1", port), Ok(()));
        let _ = table.firewall().ensure_loopback(&rules(&[])).await.unwrap();
        for uid in [OWNER, OTHER] {
            assert_eq!(
                reaches(uid, "127.0.0.1", port),
                Err(ErrorKind::ConnectionRefused),
                "{uid}"
            );
        }
        for uid in [0, FRONT_DOOR] {
            assert_eq!(reaches(uid, "127.0.0.1", port), Ok(()), "{uid}");
        }
        let _ = table.firewall().remove().await.unwrap();
    }
    let free = listen(OWNER, "127.0.0.1", 0);
    let _ = table.firewall().ensure_loopback(&rules(&[])).await.unwrap();
    assert_eq!(
        reaches(OTHER, "127.0.0.1", free),
        Ok(()),
        "a port that is not guarded"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "lane host: runs on a machine of its own"]
async fn a_caller_connects_and_does_not_answer_and_what_is_everybodys_has_one_who_answers() {
    let table = Fixture;
    let (own, everybodys) = (15_501, 19_501);
    listen(OWNER, "127.0.0.1", own);
    listen(OWNER, "127.0.0.1", everybodys);
    let wanted = Loopback {
        callers: [(own, OTHER)].into(),
        open: [everybodys].into(),
        ..rules(&[own, everybodys])
    };
    let stranger = 65_000;
    assert_eq!(reaches(stranger, "127.0.0.1", own), Ok(()), "without rules");
    let _ = table.firewall().ensure_loopback(&wanted).await.unwrap();
    assert_eq!(reaches(OTHER, "127.0.0.1", own), Ok(()));
    assert_eq!(
        reaches(stranger, "127.0.0.1", own),
        Err(ErrorKind::ConnectionRefused)
    );
    assert_eq!(reaches(stranger, "127.0.0.1", everybodys), Ok(()));
    // Who may call, and whoever comes first where all may, is not taken for who answers.
    let (own, everybodys) = (15_502, 19_502);
    for (uid, port) in [(OTHER, own), (stranger, everybodys)] {
        listen(uid, "127.0.0.1", port);
    }
    let wanted = Loopback {
        callers: [(own, OTHER)].into(),
        open: [everybodys].into(),
        ..rules(&[own, everybodys])
    };
    let _ = table.firewall().ensure_loopback(&wanted).await.unwrap();
    for port in [own, everybodys] {
        assert!(reaches(OTHER, "127.0.0.1", port).is_err(), "{port}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "lane host: runs on a machine of its own"]
async fn udp_is_kept_apart_like_tcp() {
    let table = Fixture;
    for (host, port) in LOOPBACKS.into_iter().zip([20_511, 20_512]) {
        let server = as_account(OWNER, move || UdpSocket::bind(address(host, port)).unwrap());
        assert_eq!(
            reaches_by_udp(OTHER, host, &server),
            Ok(()),
            "without rules: {host}"
        );
        let _ = table.firewall().ensure_loopback(&rules(&[port])).await.unwrap();
        for uid in [0, FRONT_DOOR, OWNER] {
            assert_eq!(
                reaches_by_udp(uid, host, &server),
                Ok(()),
                "with rules: {uid} at {host}"
            );
        }
        assert!(reaches_by_udp(OTHER, host, &server).is_err(), "{host}");
        let _ = table.firewall().remove().await.unwrap();
        assert_eq!(
            reaches_by_udp(OTHER, host, &server),
            Ok(()),
            "without rules again: {host}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "lane host: runs on a machine of its own"]
async fn nobody_answers_in_the_place_of_an_owner() {
    let table = Fixture;
    for (host, port) in LOOPBACKS.into_iter().zip([20_521, 20_522]) {
        listen(OTHER, host, port);
        assert_eq!(reaches(FRONT_DOOR, host, port), Ok(()), "without rules: {host}");
        let _ = table.firewall().ensure_loopback(&rules(&[port])).await.unwrap();
        assert!(reaches(FRONT_DOOR, host, port).is_err(), "{host}");
        assert!(reaches(0, host, port).is_err(), "{host}");
        let squatter = as_account(OTHER, move || UdpSocket::bind(address(host, port)).unwrap());
        assert!(reaches_by_udp(0, host, &squatter).is_err(), "{host}");
        let _ = table.firewall().remove().await.unwrap();
        assert_eq!(
            reaches(FRONT_DOOR, host, port),
            Ok(()),
            "without rules again: {host}"
        );
        assert_eq!(reaches_by_udp(0, host, &squatter), Ok(()), "{host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "lane host: runs on a machine of its own"]
async fn the_machines_own_addresses_are_guarded_like_the_loopback() {
    let table = Fixture;
    let addresses = nix::ifaddrs::getifaddrs().unwrap();
    let own = addresses
        .filter_map(|interface| Some(interface.address?.as_sockaddr_in()?.ip()))
        .find(|ip| *ip != Ipv4Addr::LOCALHOST)
        .expect("the machine has an address");
    let host: &'static str = own.to_string().leak();
    listen(OWNER, "0.0.0.0", 20_531);
    assert_eq!(reaches(OTHER, host, 20_531), Ok(()));
    let _ = table.firewall().ensure_loopback(&rules(&[20_531])).await.unwrap();
    assert_eq!(reaches(OTHER, host, 20_531), Err(ErrorKind::ConnectionRefused));
    assert_eq!(reaches(OWNER, host, 20_531), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "lane host: runs on a machine of its own"]
async fn tables_of_others_stay_as_they_are() {
    let table = Fixture;
    nft(&["add", "table", "inet", "of_others"]).await;
    nft(&[
        "add",
        "chain",
        "inet",
        "of_others",
        "input",
        "{ type filter hook input priority 0; }",
    ])
    .await;
    nft(&[
        "add",
        "rule",
        "inet",
        "of_others",
        "input",
        "tcp",
        "dport",
        "9",
        "drop",
    ])
    .await;
    let before = nft(&["list", "table", "inet", "of_others"]).await;
    let firewall = table.firewall();
    let _ = firewall.ensure_inbound(&Default::default()).await.unwrap();
    let _ = firewall.ensure_loopback(&rules(&[8001])).await.unwrap();
    let _ = firewall.remove().await.unwrap();
    assert_eq!(nft(&["list", "table", "inet", "of_others"]).await, before);
    nft(&["delete", "table", "inet", "of_others"]).await;
}

/// A network beside the machine: one interface here, its other end in a namespace of its own.
struct Outside;

const OUR_ADDRESS: &str = "10.99.7.1";

impl Outside {
    fn new() -> Self {
        let ip = |line: &str| {
            let arguments: Vec<&str> = line.split(' ').collect();
            let ended = std::process::Command::new("ip")
                .args(&arguments)
                .output()
                .unwrap();
            assert!(ended.status.success(), "ip {line}: {ended:?}");
        };
        let outside = Outside;
        ip("netns add hk-outside");
        ip("link add hk-in type veth peer name hk-out netns hk-outside");
        ip("addr add 10.99.7.1/24 dev hk-in");
        ip("link set hk-in up");
        ip("-n hk-outside addr add 10.99.7.2/24 dev hk-out");
        ip("-n hk-outside link set hk-out up");
        outside
    }

    fn enter() {
        let namespace = std::fs::File::open("/run/netns/hk-outside").unwrap();
        nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
    }

    /// Whether somebody outside gets an answer from a port of this machine.
    fn reaches(&self, port: u16) -> Result<(), ErrorKind> {
        let thread = std::thread::spawn(move || {
            Outside::enter();
            let mut stream =
                TcpStream::connect_timeout(&address(OUR_ADDRESS, port), SHORT).map_err(|e| e.kind())?;
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.read_exact(&mut [0; 5]).map_err(|e| e.kind())
        });
        thread.join().unwrap()
    }

    /// Somebody outside who answers this machine.
    fn listens(&self, port: u16) {
        let thread = std::thread::spawn(move || {
            Outside::enter();
            TcpListener::bind(address("10.99.7.2", port)).unwrap()
        });
        let listener = thread.join().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = (&stream).write_all(b"hello");
            }
        });
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = std::process::Command::new("ip")
            .args(["link", "del", "hk-in"])
            .status();
        let _ = std::process::Command::new("ip")
            .args(["netns", "del", "hk-outside"])
            .status();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "lane host: runs on a machine of its own"]
async fn the_network_reaches_declared_ports_alone() {
    let table = Fixture;
    let outside = Outside::new();
    for port in [4443, 4444, 20_541] {
        listen(0, "0.0.0.0", port);
        assert_eq!(outside.reaches(port), Ok(()), "without rules: {port}");
    }
    // Guarded ports are this machine's own affair, also where another firewall lets everything in.
    let _ = table.firewall().ensure_loopback(&rules(&[])).await.unwrap();
    assert_eq!(outside.reaches(20_541), Err(ErrorKind::TimedOut));
    assert_eq!(outside.reaches(4443), Ok(()));
    let _ = table.firewall().remove().await.unwrap();

    let mut open = TcpStream::connect(address(OUR_ADDRESS, 4444)).unwrap();
    let wanted = hostkit_host::firewall::Inbound {
        tcp: [4443].into(),
        udp: [].into(),
    };
    let _ = table.firewall().ensure_inbound(&wanted).await.unwrap();
    assert_eq!(outside.reaches(4443), Ok(()));
    assert_eq!(outside.reaches(4444), Err(ErrorKind::TimedOut));
    assert_eq!(reaches(OTHER, "127.0.0.1", 4444), Ok(()), "the machine itself");
    // What was open stays open, and what the machine asks for is answered.
    open.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    open.read_exact(&mut [0; 5]).unwrap();
    outside.listens(4445);
    assert_eq!(reaches(OTHER, "10.99.7.2", 4445), Ok(()));
    let pinged = std::process::Command::new("ip")
        .args([
            "netns",
            "exec",
            "hk-outside",
            "ping",
            "-c",
            "1",
            "-W",
            "20",
            OUR_ADDRESS,
        ])
        .output()
        .unwrap();
    assert!(pinged.status.success(), "{pinged:?}");
    let _ = table.firewall().remove().await.unwrap();
    assert_eq!(outside.reaches(4444), Ok(()), "without rules again");
}
