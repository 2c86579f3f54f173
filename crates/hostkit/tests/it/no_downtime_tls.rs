//! No request over TLS is lost while anything is changed: on kept and on new connections, by HTTP/1.1 and HTTP/2
//! (ACCEPTANCE A1, A3, A7).

use std::path::Path;
use std::time::Duration;

use crate::harness::load::{Load, Report};
use crate::harness::socket::Socket;
use crate::harness::{Installation, projects};
use crate::no_downtime::assert_nothing_lost;

/// Visitors of a program and of a site, on each kind of connection.
struct Visitors([Load; 2]);

impl Visitors {
    fn start(host: &Installation) -> Self {
        let start = |name: &str| {
            let place = host.https.unwrap();
            Load::start_tls(place, &format!("{name}.localhost"), "/", 40)
        };
        Visitors([start("shop"), start("site")])
    }

    fn finish(self) -> [Report; 2] {
        self.0.map(|load| {
            let report = load.finish();
            println!(
                "{} requests, {} failed, {} sent again, slowest {:?}",
                report.requests,
                report.failures.len(),
                report.resent,
                report.slowest
            );
            report
        })
    }
}

/// An installation with a program `shop`, a site `site`, and `other`, which nothing happens to.
fn three_projects() -> Installation {
    let host = Installation::start_tls();
    deploy(&host, "other", &projects::node(&host.sources(), "other", "other"));
    deploy(
        &host,
        "shop",
        &projects::node(&host.sources(), "shop", "version 0"),
    );
    deploy(
        &host,
        "site",
        &projects::site(&host.sources(), "site", "version 0"),
    );
    host
}

#[track_caller]
fn deploy(host: &Installation, name: &str, folder: &Path) {
    host.deploy(name, folder).ok();
}

#[test]
fn fifty_deploys_and_twenty_certificates_lose_no_request_over_tls() {
    let host = three_projects();
    let socket = Socket::open_tls(host.https.unwrap(), "other.localhost");
    let visitors = Visitors::start(&host);
    std::thread::scope(|scope| {
        let (host, sources) = (&host, host.sources());
        let versions = || (1..=25).map(|version| format!("version {version}"));
        scope.spawn({
            let sources = sources.clone();
            move || versions().for_each(|text| deploy(host, "shop", &projects::node(&sources, "shop", &text)))
        });
        versions().for_each(|text| deploy(host, "site", &projects::site(&sources, "site", &text)));
    });
    // One that is brought takes the place of the one of our own, the next one its, and at last that one is back.
    let [chain, key] = ["chain.pem", "key.pem"].map(|name| host.sources().join(name));
    for _ in 1..20 {
        let names = ["shop.localhost", "site.localhost", "other.localhost"];
        let made = rcgen::generate_simple_self_signed(names.map(str::to_owned)).unwrap();
        std::fs::write(&chain, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        host.run(&["cert", "import", chain.to_str().unwrap(), key.to_str().unwrap()])
            .ok();
    }
    host.run(&["cert", "remove", "shop.localhost"]).ok();
    for report in visitors.finish() {
        assert_nothing_lost(&report);
        // How many depends on how fast they follow each other.
        assert!(report.releases.len() > 1, "{:?}", report.releases);
    }
    socket.finish();
}

/// Whoever has a connection that is idle when the front door goes may be told so and ask again, as browsers do; nobody is
/// refused or left without an answer. A WebSocket has its second and opens again at once.
#[test]
fn five_front_doors_in_turn_lose_no_request_over_tls() {
    let host = three_projects();
    let visitors = Visitors::start(&host);
    for _ in 0..5 {
        let socket = Socket::open_tls(host.https.unwrap(), "other.localhost");
        socket.echoes(3);
        host.replace("proxy");
        println!("the socket ended {}", socket.lost());
        let again = Socket::open_tls(host.https.unwrap(), "other.localhost");
        again.echoes(6);
        again.finish();
        std::thread::sleep(Duration::from_secs(1));
    }
    for report in visitors.finish() {
        assert!(report.requests > 100, "{}", report.requests);
        let shown: Vec<_> = report.failures.iter().take(5).collect();
        assert!(
            report.failures.is_empty(),
            "{}: {shown:#?}",
            report.failures.len()
        );
    }
}
