//! Certificates over the admin socket: brought, shown at once, taken away, and what is refused.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use hostkit_core::certificate::{BroughtCertificate, CertificateName, CertificateSource, CertificateState};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;
use hostkit_core::traits::CertificateBook;

use crate::secure::{Secure, ask as ask_http2, client, connect_http2_to, connect_tls, request};
use crate::support::*;
use crate::tunnels;

fn name(text: &str) -> CertificateName {
    text.parse().unwrap()
}

/// A certificate for these names that nobody issued but itself.
fn certificate(names: &[&str]) -> (rcgen::Certificate, BroughtCertificate) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let brought = BroughtCertificate {
        chain: made.cert.pem(),
        key: Secret::new(made.signing_key.serialize_pem()),
        only: None,
    };
    (made.cert, brought)
}

/// What a new connection for a host is shown.
fn shown(door: &Door, host: &str) -> Vec<u8> {
    let mut stream: Secure = door.connect_tls(host);
    stream.conn.complete_io(&mut stream.sock).unwrap();
    stream.conn.peer_certificates().unwrap()[0].to_vec()
}

fn import(door: &Door, brought: &BroughtCertificate) -> Result<Vec<CertificateName>, Failure> {
    block_on(door.client.import(brought))
}

/// Sends a raw request to the admin socket; status and body of the answer.
fn ask(door: &Door, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(door.layout.proxy_socket()).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // One that is too long is answered before it was read.
    drop(stream.write_all(body.as_bytes()));
    let mut text = Vec::new();
    drop(stream.read_to_end(&mut text));
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

#[test]
fn what_is_brought_is_shown_at_once_and_no_more_when_it_is_removed() {
    let door = Door::secure(|_| ());
    let fallback = shown(&door, "shop.example");
    let (own, brought) = certificate(&["shop.example", "*.shop.example"]);
    assert_eq!(
        import(&door, &brought).unwrap(),
        [name("shop.example"), name("*.shop.example")]
    );
    for host in ["shop.example", "www.shop.example"] {
        assert_eq!(shown(&door, host), own.der().to_vec(), "{host}");
    }
    let listed = block_on(door.client.certificates()).unwrap();
    assert_eq!(listed.len(), 2);
    assert!(
        listed.iter().all(|one| {
            one.source == CertificateSource::Imported && one.state == CertificateState::Served
        })
    );
    block_on(door.client.remove(&name("*.shop.example"))).unwrap();
    assert_eq!(shown(&door, "www.shop.example"), fallback);
    assert_eq!(shown(&door, "shop.example"), own.der().to_vec());
    block_on(door.client.remove(&name("shop.example"))).unwrap();
    assert_eq!(shown(&door, "shop.example"), fallback);
    let again = block_on(door.client.remove(&name("shop.example"))).unwrap_err();
    assert_eq!(again.kind, Kind::NotFound);
    // Nobody issues for it, so nothing can be renewed.
    let unknown = block_on(door.client.renew(&name("*.shop.example"))).unwrap_err();
    assert_eq!(unknown.kind, Kind::NotFound);
}

#[test]
fn whoever_has_some_names_brings_nothing_for_others() {
    let door = Door::secure(|_| ());
    let fallback = shown(&door, "shop.example");
    let (own, mut brought) = certificate(&["shop.example", "blog.example"]);
    for only in [
        vec![],
        vec![name("shop.example")],
        vec![name("shop.example"), name("*.example")],
    ] {
        brought.only = Some(only);
        let refused = import(&door, &brought).unwrap_err();
        assert_eq!(refused.kind, Kind::Denied, "{refused}");
    }
    let refused = import(&door, &brought).unwrap_err();
    assert!(refused.message.contains("`blog.example`"), "{refused}");
    assert_eq!(shown(&door, "shop.example"), fallback);
    assert!(block_on(door.client.certificates()).unwrap().is_empty());
    brought.only = Some(vec![name("blog.example"), name("shop.example")]);
    import(&door, &brought).unwrap();
    assert_eq!(shown(&door, "shop.example"), own.der().to_vec());
}

#[test]
fn hostile_bodies_and_paths_are_refused_and_no_answer_repeats_a_key() {
    let door = Door::secure(|_| ());
    let (_, brought) = certificate(&["shop.example"]);
    let (chain, key) = (
        serde_json::json!(brought.chain),
        serde_json::json!(brought.key.reveal()),
    );
    let other = serde_json::json!(certificate(&["shop.example"]).1.key.reveal());
    for body in [
        String::new(),
        "{}".to_owned(),
        "[".repeat(10_000),
        key.to_string(),
        format!(r#"{{"chain":{chain}}}"#),
        format!(r#"{{"chain":{chain},"key":[{key}]}}"#),
        format!(r#"{{"chain":{chain},"key":{key},"more":1}}"#),
        format!(r#"{{"chain":{chain},"key":{key},"only":["../etc"]}}"#),
        format!(r#"{{"chain":{key},"key":{key}}}"#),
        format!(r#"{{"chain":{chain},"key":{chain}}}"#),
        format!(r#"{{"chain":{chain},"key":{other}}}"#),
        format!(r#"{{"chain":"","key":{key}}}"#),
    ] {
        let (status, said) = ask(&door, "POST", "/certificates", &body);
        assert_eq!(status, 400, "{body}: {said}");
        for text in [brought.key.reveal(), other.as_str().unwrap()] {
            let middle = text.lines().nth(1).unwrap();
            assert!(!said.contains(middle) && !said.contains("PRIVATE"), "{said}");
        }
    }
    let long = format!(r#"{{"chain":"{}","key":{key}}}"#, "x".repeat(256 << 10));
    assert_eq!(ask(&door, "POST", "/certificates", &long).0, 413);
    for (method, path, expected) in [
        ("DELETE", "/certificates/..", 400),
        ("DELETE", "/certificates/../table", 400),
        ("DELETE", "/certificates/%2e%2e", 400),
        ("DELETE", "/certificates/*", 400),
        ("DELETE", "/certificates/", 400),
        ("POST", "/certificates//renew", 400),
        ("POST", "/certificates/shop.example", 404),
        ("PUT", "/certificates", 404),
        ("GET", "/certificates/shop.example", 404),
        ("GET", "/certificatesandmore", 404),
    ] {
        let (status, said) = ask(&door, method, path, "");
        assert_eq!(status, expected, "{method} {path}: {said}");
    }
    assert!(block_on(door.client.certificates()).unwrap().is_empty());
    assert!(!format!("{brought:?}").contains("PRIVATE"));
}

#[test]
fn a_front_door_without_tls_says_so() {
    let door = Door::start();
    let failure = block_on(door.client.certificates()).unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
    assert!(failure.message.contains("does not speak TLS"), "{failure}");
    assert!(failure.hint.is_some());
    let (_, brought) = certificate(&["shop.example"]);
    assert_eq!(import(&door, &brought).unwrap_err().kind, Kind::Conflict);
}

/// Requests over connections of their own and over one that is kept, by HTTP/1.1 and by HTTP/2, and a tunnel, until it is
/// dropped; each must be answered.
struct Visitors {
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<u32>>,
}

impl Visitors {
    /// Of one host, with a tunnel to another.
    fn of(door: &Door, host: &'static str, tunnel: &'static str) -> Visitors {
        let (address, ended) = (door.tls_address(), Arc::new(AtomicBool::new(false)));
        // Nothing is resumed: every connection is shown a certificate.
        let open = move |host: &str| connect_tls(address, &Arc::new(client(&[])), host);
        let mut threads = Vec::new();
        let mut begin = |visit: Box<dyn FnMut() + Send>| {
            let (ended, mut visit) = (Arc::clone(&ended), visit);
            threads.push(std::thread::spawn(move || {
                let mut visits = 0;
                while !ended.load(Ordering::Relaxed) {
                    visit();
                    visits += 1;
                }
                visits
            }));
        };
        let visit = move |stream: &mut Secure| {
            let asked = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            stream.write_all(asked.as_bytes()).unwrap();
            assert_eq!(read_answer(stream, false).status, 200);
        };
        let mut kept = open(host);
        begin(Box::new(move || visit(&mut kept)));
        begin(Box::new(move || visit(&mut open(host))));
        let mut tunneled = open(tunnel);
        tunnels::upgrade(&mut tunneled, tunnel);
        begin(Box::new(move || assert!(tunnels::echoes(&mut tunneled))));
        for keeps in [true, false] {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let mut kept = None;
            begin(Box::new(move || {
                runtime.block_on(async {
                    let mut sender = match kept.take() {
                        Some(kept) => kept,
                        None => connect_http2_to(address, host).await,
                    };
                    let (head, _) = ask_http2(&mut sender, request("GET", host, "/")).await.unwrap();
                    assert_eq!(head.status, 200);
                    kept = Some(sender).filter(|_| keeps);
                });
            }));
        }
        Visitors { ended, threads }
    }

    /// How many were answered, which is all of them.
    fn end(self) -> u32 {
        self.ended.store(true, Ordering::Relaxed);
        self.threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    }
}

#[test]
fn no_visitor_notices_that_certificates_and_tables_change() {
    const HOST: &str = "shop.localhost";
    let (upstream, echo) = (Upstream::named("x"), tunnels::echo());
    let door = Door::secure(|_| ());
    let own = || vec![to("shop", &[upstream.address]), to("chat", &[echo.address])];
    door.apply(own());
    let visitors = Visitors::of(&door, HOST, "chat.localhost");
    for change in 0..20 {
        let (own, brought) = certificate(&[HOST]);
        import(&door, &brought).unwrap();
        assert_eq!(shown(&door, HOST), own.der().to_vec(), "{change}");
    }
    for change in 0..1000 {
        let mut routes = own();
        // Others come and go beside it.
        routes.extend((0..change % 7).map(|number| to(&format!("other-{number}"), &[upstream.address])));
        door.apply(routes);
    }
    let visits = visitors.end();
    assert!(visits > 20, "{visits}");
}
