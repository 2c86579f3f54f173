//! What one project may have of the gateway is nothing that others miss.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use hostkit_addons::redis_rest::{Access, Settings, token_hash};

use crate::house::{ALL, House};

const OTHER: &str = "token-of-another-project";

/// A house in which another project has a token.
fn with_another() -> House {
    let house = House::open();
    let mut settings: Settings = house.settings();
    let access = Access {
        owner: "blog/production".to_owned(),
        token: token_hash(OTHER),
        ..settings.accesses[0].clone()
    };
    settings.accesses.push(access);
    house.apply(&settings);
    house
}

/// A request that has been begun and does not end.
fn begin(house: &House, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, house.port)).unwrap();
    let head = format!(
        "POST /set/a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {ALL}\r\nContent-Length: {length}\r\n\r\nx"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn requests_that_do_not_end_hold_up_their_own_project_alone() {
    let house = with_another();
    let large: Vec<TcpStream> = (0..8).map(|_| begin(&house, 10 << 20)).collect();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(
        house.get(ALL, "/ping").status,
        200,
        "small ones have places of their own"
    );
    let small: Vec<TcpStream> = (0..80).map(|_| begin(&house, 100)).collect();
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    assert_eq!(house.get(OTHER, "/ping").status, 200);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let refused = house.get(ALL, "/ping");
    assert_eq!(refused.status, 429, "{}", refused.body);
    assert!(
        refused.body.contains("max concurrent requests"),
        "{}",
        refused.body
    );
    drop((large, small));
    let begun = Instant::now();
    while house.get(ALL, "/ping").status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(30), "places are given back");
    }
}

#[test]
fn streams_are_counted_and_given_back() {
    let house = with_another();
    let mut streams: Vec<TcpStream> = (0..256).map(|_| house.stream(ALL, "/subscribe/news")).collect();
    for stream in &mut streams {
        let mut begun = [0; 12];
        stream.read_exact(&mut begun).unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200");
    }
    assert_eq!(house.get(ALL, "/subscribe/news").status, 429);
    assert_eq!(house.get(ALL, "/ping").status, 200);
    let mut other = house.stream(OTHER, "/subscribe/news");
    let mut begun = [0; 12];
    other.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    drop(streams);
    let waited = Instant::now();
    loop {
        let mut stream = house.stream(ALL, "/subscribe/news");
        stream.read_exact(&mut begun).unwrap();
        if &begun == b"HTTP/1.1 200" {
            break;
        }
        assert!(
            waited.elapsed() < Duration::from_secs(30),
            "places are given back"
        );
    }
}
