//! What the front door counts, as Prometheus would read it.

use std::io::Write;
use std::process::{Command, Stdio};

use hostkit_core::traits::traffic::Traffic;

use crate::support::*;

fn metrics(door: &Door) -> String {
    block_on(door.client.metrics()).unwrap()
}

/// The number of a series, by its name and a part of its labels.
fn value(text: &str, name: &str, labels: &str) -> Option<f64> {
    let mut lines = text
        .lines()
        .filter(|line| line.starts_with(name) && line.contains(labels));
    lines.next()?.rsplit(' ').next()?.parse().ok()
}

#[test]
fn requests_are_counted_by_route_and_class() {
    let upstream = Upstream::start(|seen, stream| {
        let status = if seen.line().contains("/broken") { 500 } else { 200 };
        write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\nhello").is_ok()
    });
    let door = Door::start();
    door.apply(vec![
        to("shop", &[upstream.address]),
        to("blog", &[upstream.address]),
    ]);
    for _ in 0..3 {
        door.get("shop.localhost", "/");
    }
    door.send("POST /broken HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 3\r\n\r\nabc");
    door.get("nobody.localhost", "/");
    let shop = "route=\"shop/production/web\",project=\"shop\",environment=\"production\",process=\"web\"";
    let class = |text: &str, class: &str| {
        value(
            text,
            "hostkit_proxy_requests_total",
            &format!("{shop},code=\"{class}\""),
        )
    };
    // An answer is there a moment before its request is counted.
    until("all are counted", || {
        let text = metrics(&door);
        class(&text, "2xx") == Some(3.0) && class(&text, "5xx") == Some(1.0)
    });
    let text = metrics(&door);
    let number = |name: &str| value(&text, name, shop);
    assert_eq!(number("hostkit_proxy_received_bytes_total"), Some(3.0));
    assert_eq!(number("hostkit_proxy_sent_bytes_total"), Some(20.0));
    assert_eq!(number("hostkit_proxy_request_duration_seconds_count"), Some(4.0));
    assert_eq!(number("hostkit_proxy_upstream_duration_seconds_count"), Some(4.0));
    assert_eq!(
        value(&text, "hostkit_proxy_unrouted_requests_total", "4xx"),
        Some(1.0)
    );
    assert_eq!(value(&text, "hostkit_proxy_in_flight", "shop.1"), Some(0.0));
    // Nobody asked anything of it yet.
    assert!(!text.contains("\"blog\""), "{text}");
}

#[test]
fn a_route_keeps_its_numbers_over_tables_and_takes_them_along() {
    let upstream = Upstream::named("x");
    let door = Door::start();
    let count = || {
        value(
            &metrics(&door),
            "hostkit_proxy_requests_total",
            "project=\"shop\"",
        )
    };
    let ok = || {
        value(
            &metrics(&door),
            "hostkit_proxy_requests_total",
            "process=\"web\",code=\"2xx\"",
        )
    };
    door.apply(vec![to("shop", &[upstream.address])]);
    door.get("shop.localhost", "/");
    until("it is counted", || ok() == Some(1.0));
    door.apply(vec![
        to("shop", &[upstream.address]),
        to("blog", &[upstream.address]),
    ]);
    door.get("shop.localhost", "/");
    until("both are counted", || ok() == Some(2.0));
    door.apply(vec![]);
    assert_eq!(count(), None);
    door.apply(vec![to("shop", &[upstream.address])]);
    door.get("shop.localhost", "/");
    until("it begins anew", || ok() == Some(1.0));
}

#[test]
fn prometheus_finds_nothing_wrong_with_the_format() {
    let upstream = Upstream::named("x");
    let door = Door::start();
    let mut odd = to("odd", &[upstream.address]);
    odd.id = "quote\" slash\\ line\nend} 1".into();
    door.apply(vec![to("shop", &[upstream.address]), odd]);
    door.get("shop.localhost", "/");
    door.get("odd.localhost", "/");
    until("both are counted", || {
        metrics(&door).matches("requests_total{").count() >= 15
    });
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("`promtool` is not installed: `source script/setup.sh; setup compare` installs it");
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(metrics(&door).as_bytes())
        .unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(
        output.status.success() && said.is_empty(),
        "{said}\n{}",
        metrics(&door)
    );
}
