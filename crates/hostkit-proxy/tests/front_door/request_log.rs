//! What is written of requests, and of which.

use std::io::Write;
use std::time::Duration;

use hostkit_proxy::LogLimits;

use crate::support::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[test]
fn of_what_goes_well_one_in_so_many_is_written_and_of_the_rest_all() {
    let upstream = Upstream::start(|seen, stream| {
        if seen.line().contains("/slow") {
            std::thread::sleep(Duration::from_millis(600));
        }
        let status = if seen.line().contains("/broken") { 500 } else { 200 };
        write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok").is_ok()
    });
    let door = Door::start_with(|config| {
        // One thread draws all of them.
        config.threads = 1;
        config.request_log = Some(LogLimits {
            one_of: 10.try_into().unwrap(),
            slow: Duration::from_millis(500),
            ..LogLimits::default()
        });
    });
    door.apply(vec![to("shop", &[upstream.address])]);
    for _ in 0..10 {
        door.get("shop.localhost", "/fine");
        door.get("shop.localhost", "/broken");
    }
    door.get("shop.localhost", "/slow");
    door.get("nobody.localhost", "/nobody");
    let lines = |path: &str| {
        let lines = door.log_lines();
        lines.iter().filter(|line| line["path"] == path).count()
    };
    until("all are there", || {
        let there = ["/broken", "/slow", "/nobody"].map(lines);
        there == [10, 1, 1] && lines("/fine") > 0
    });
    // On a busy machine one that went well may be slow, too.
    assert!(lines("/fine") < 10, "{}", lines("/fine"));
}

#[test]
fn the_trace_of_a_request_is_passed_on_and_noted_and_what_is_none_is_dropped() {
    let upstream = Upstream::named("x");
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let ask = |path: &str, headers: &str| {
        door.send(format!(
            "GET {path} HTTP/1.1\r\nHost: shop.localhost\r\n{headers}\r\n"
        ));
        upstream.last()
    };
    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let seen = ask(
        "/traced",
        &format!("Traceparent: {parent}\r\ntracestate: a=b\r\n"),
    );
    assert_eq!(seen.headers("traceparent"), [parent.as_str()]);
    assert_eq!(seen.headers("tracestate"), ["a=b"]);
    for (path, headers) in [
        ("/short", "traceparent: 00-abc\r\ntracestate: a=b\r\n".to_owned()),
        (
            "/quote",
            format!(
                "traceparent: {}\r\ntracestate: a=b\r\n",
                parent.replace("0af7", "0\"f7")
            ),
        ),
        (
            "/twice",
            format!("traceparent: {parent}\r\ntraceparent: {parent}\r\ntracestate: a=b\r\n"),
        ),
    ] {
        let seen = ask(path, &headers);
        assert!(seen.headers("traceparent").is_empty(), "{path}: {seen:?}");
        assert!(seen.headers("tracestate").is_empty(), "{path}: {seen:?}");
    }
    assert!(ask("/none", "").headers("traceparent").is_empty());
    let line = |path: &str| door.log_lines().into_iter().find(|line| line["path"] == path);
    until("all are written", || {
        ["/traced", "/short", "/quote", "/twice", "/none"]
            .iter()
            .all(|path| line(path).is_some())
    });
    assert_eq!(line("/traced").unwrap()["trace"], TRACE);
    for path in ["/short", "/quote", "/twice", "/none"] {
        assert!(line(path).unwrap().get("trace").is_none(), "{path}");
    }
}
