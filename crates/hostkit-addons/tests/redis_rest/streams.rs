//! What comes as it happens: channels, patterns, and what a Redis is asked.

use std::io::Read;

use crate::house::{ALL, House, READER};

/// Reads until the text is there, and answers all that came.
#[track_caller]
fn read_until(stream: &mut impl Read, text: &str) -> String {
    let mut all = Vec::new();
    let mut piece = [0; 4096];
    while !String::from_utf8_lossy(&all).contains(text) {
        let read = stream.read(&mut piece).unwrap_or_else(|why| {
            panic!(
                "{why} while waiting for {text:?}; came: {:?}",
                String::from_utf8_lossy(&all)
            )
        });
        assert!(read > 0, "ended: {:?}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&piece[..read]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn messages_of_channels_come_as_events() {
    let house = House::open();
    let mut stream = house.stream(ALL, "/subscribe/news/other");
    let begun = read_until(&mut stream, "data: subscribe,other,2\n\n");
    assert!(
        begun.contains("200 OK") && begun.contains("content-type: text/event-stream"),
        "{begun}"
    );
    assert!(begun.contains("data: subscribe,news,1\n\n"), "{begun}");

    assert_eq!(house.post("/publish/news/hello", "").body, r#"{"result":1}"#);
    read_until(&mut stream, "data: message,news,hello\n\n");
    house.post("/publish/news", "two\nlines");
    read_until(&mut stream, "data: message,news,two\ndata: lines\n\n");
}

#[test]
fn patterns_of_channels() {
    let house = House::open();
    let mut stream = house.stream(ALL, "/psubscribe/n*");
    read_until(&mut stream, "data: psubscribe,n*,1\n\n");
    house.post("/publish/news/hello", "");
    read_until(&mut stream, "data: pmessage,n*,news,hello\n\n");
}

#[test]
fn what_redis_is_asked_is_shown_to_those_who_may_see_it() {
    let house = House::open();
    let mut stream = house.stream(ALL, "/monitor");
    read_until(&mut stream, "data: \"OK\"\n\n");
    house.post("/set/seen/1", "");
    let line = read_until(&mut stream, "\"seen\"");
    assert!(line.contains("\"set\""), "{line}");

    let refused = house.get(READER, "/monitor");
    assert_eq!(refused.status, 400, "{refused:?}");
    let refused = house.get(READER, "/subscribe/news");
    assert_eq!(refused.status, 400, "{refused:?}");
    assert_eq!(house.get("wrong", "/monitor").status, 401);
}

#[test]
fn a_client_that_leaves_is_noticed_by_redis() {
    let house = House::open();
    let mut stream = house.stream(ALL, "/subscribe/news");
    read_until(&mut stream, "data: subscribe,news,1\n\n");
    drop(stream);

    let begun = std::time::Instant::now();
    while house.post("/publish/news/x", "").body != r#"{"result":0}"# {
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(20),
            "somebody still listens"
        );
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
