use std::io::Read;

use http::{HeaderMap, HeaderValue, header};

use super::accept::Accepted;
use super::encoder::{Effort, Encoder, expire, whole};
use super::*;

fn chosen(header: &str, order: [Coding; 3]) -> Option<&'static str> {
    let header = HeaderValue::from_str(header).unwrap();
    Accepted::read(Some(&header))
        .choose(order, |_| true)
        .map(Coding::name)
}

#[test]
fn the_client_says_what_it_takes_and_the_front_door_what_it_prefers() {
    for (header, by_cost, by_size) in [
        ("gzip", Some("gzip"), Some("gzip")),
        ("gzip, deflate, br, zstd", Some("zstd"), Some("br")),
        ("gzip, deflate, br", Some("br"), Some("br")),
        ("GZIP", Some("gzip"), Some("gzip")),
        ("x-gzip", Some("gzip"), Some("gzip")),
        ("gzip;q=1.0, br;q=0.5", Some("gzip"), Some("gzip")),
        ("gzip;q=0.5, br;q=0.501", Some("br"), Some("br")),
        ("gzip;q=0", None, None),
        ("gzip;q=0.000", None, None),
        ("*", Some("zstd"), Some("br")),
        ("*;q=0", None, None),
        ("*, zstd;q=0, br;q=0", Some("gzip"), Some("gzip")),
        ("identity", None, None),
        ("identity;q=1, gzip;q=0.5", None, None),
        ("identity;q=0.5, gzip;q=0.5", Some("gzip"), Some("gzip")),
        ("identity;q=0, gzip;q=0.1", Some("gzip"), Some("gzip")),
        ("identity;q=0", None, None),
        ("deflate", None, None),
        ("gzip;q=2", None, None),
        ("gzip;q=0.5555", None, None),
        ("gzip;q=-1", None, None),
        ("gzip;level=9", None, None),
        ("gzip ; q=0.3 , br ; Q=0.2", Some("gzip"), Some("gzip")),
        ("gzip;q=0, gzip;q=1", None, None),
        ("", None, None),
        (",,;;", None, None),
    ] {
        assert_eq!(chosen(header, BY_COST), by_cost, "{header}");
        assert_eq!(chosen(header, BY_SIZE), by_size, "{header}");
    }
    assert_eq!(Accepted::read(None).choose(BY_COST, |_| true), None);
    let all = Accepted::read(Some(&HeaderValue::from_static("gzip, br, zstd")));
    assert_eq!(
        all.choose(BY_SIZE, |coding| coding == Coding::Gzip),
        Some(Coding::Gzip)
    );
    assert_eq!(all.choose(BY_SIZE, |_| false), None);
}

fn plain(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let read = match coding {
        Coding::Zstd => zstd::stream::read::Decoder::new(bytes)
            .unwrap()
            .read_to_end(&mut out),
        Coding::Brotli => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out),
        Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out),
    };
    // A stream that goes on has no end yet: what could be read of it is what counts.
    drop(read);
    out
}

#[test]
fn what_was_flushed_can_be_read_before_the_end() {
    for coding in BY_COST {
        let mut encoder = Encoder::new(coding, Effort::Once, None).unwrap();
        let mut sent = Vec::new();
        encoder.write(b"first, ").unwrap();
        encoder.flush().unwrap();
        sent.extend_from_slice(&encoder.take());
        assert_eq!(plain(coding, &sent), b"first, ", "{coding:?}");
        encoder.write(b"second").unwrap();
        sent.extend_from_slice(&encoder.finish().unwrap());
        assert_eq!(plain(coding, &sent), b"first, second", "{coding:?}");
        let long = "words and words ".repeat(20_000);
        let small = whole(coding, long.as_bytes()).unwrap();
        assert!(small.len() < long.len() / 50, "{coding:?}: {}", small.len());
        assert!(plain(coding, &small) == long.as_bytes());
        assert_eq!(plain(coding, &whole(coding, b"").unwrap()), b"");
    }
}

/// What is left of one answer would be read by the client of another.
#[test]
fn an_encoder_that_is_used_again_knows_nothing_of_the_answer_before() {
    let answers = [
        "short".to_owned(),
        "words and words ".repeat(20_000),
        String::new(),
        "other words".repeat(200),
    ];
    for coding in BY_COST {
        for round in 0..3 {
            for answer in &answers {
                for length in [None, Some(answer.len() as u64)] {
                    let mut fresh = Encoder::new(coding, Effort::Once, length).unwrap();
                    fresh.write(answer.as_bytes()).unwrap();
                    let sent = fresh.finish().unwrap();
                    assert!(plain(coding, &sent) == answer.as_bytes(), "{coding:?} {round}");
                }
            }
            // One that broke off is not used again, and neither is one that promised more than came.
            let mut broken = Encoder::new(coding, Effort::Once, Some(1000)).unwrap();
            broken.write(b"secret").unwrap();
            drop(broken);
            let mut short = Encoder::new(coding, Effort::Once, Some(1000)).unwrap();
            short.write(b"secret").unwrap();
            drop(short.finish());
        }
        for _ in 0..20 {
            expire();
        }
    }
}

#[test]
fn vary_names_the_header_once() {
    for (before, after) in [
        (&[][..], &["Accept-Encoding"][..]),
        (&["Cookie"], &["Cookie", "Accept-Encoding"]),
        (&["Cookie, accept-encoding"], &["Cookie, accept-encoding"]),
        (&["*"], &["*"]),
        (&["A", "Accept-Encoding"], &["A", "Accept-Encoding"]),
    ] {
        let mut headers = HeaderMap::new();
        for value in before {
            headers.append(header::VARY, HeaderValue::from_static(value));
        }
        answer::vary(&mut headers);
        let found: Vec<&HeaderValue> = headers.get_all(header::VARY).iter().collect();
        assert_eq!(found, after);
    }
}

#[test]
fn kinds_that_gain() {
    for (kind, is_text) in [
        ("text/html; charset=utf-8", true),
        ("TEXT/HTML", true),
        ("application/json", true),
        ("application/problem+json", true),
        ("image/svg+xml", true),
        ("application/wasm", true),
        ("text/event-stream", false),
        ("Text/Event-Stream; charset=utf-8", false),
        ("application/grpc", false),
        ("application/grpc+proto", false),
        ("application/grpc+json", false),
        ("image/png", false),
        ("video/mp4", false),
        ("font/woff2", false),
        ("application/zip", false),
        ("application/octet-stream", false),
        ("", false),
    ] {
        assert_eq!(answer::is_text(kind.as_bytes()), is_text, "{kind}");
    }
}
