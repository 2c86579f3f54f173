use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue};
use http::{Response, StatusCode};

use super::file::{self, Found};
use super::index::{FileKey, Form, FormId, Index, ScopeId};
use crate::cache::entry::{Entry, Head};
use crate::cache::rules;

const KEY: &[u8] = b"http:80 shop.localhost /a?\xff";

fn request(language: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("accept-language", HeaderValue::from_static(language));
    headers.insert("accept-encoding", HeaderValue::from_static("gzip, br"));
    headers
}

fn entry(body: &'static str) -> Entry {
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = StatusCode::NOT_FOUND;
    for (name, value) in [
        ("cache-control", "max-age=60, stale-while-revalidate=5"),
        ("vary", "Accept-Language, Accept-Encoding"),
        ("x-two", "1"),
        ("x-two", "2"),
    ] {
        parts.headers.append(name, HeaderValue::from_static(value));
    }
    parts
        .headers
        .insert("x-bytes", HeaderValue::from_bytes(b"\xe4\xff").unwrap());
    let now = Instant::now();
    let freshness = rules::freshness(parts.status, &parts.headers, false, now, now).unwrap();
    let head = Head::new(&parts, freshness, &request("de")).unwrap();
    Entry::new(Arc::new(head), Bytes::from_static(body.as_bytes()))
}

fn written(entry: &Entry) -> Vec<u8> {
    let mut bytes = file::beginning(KEY, entry).unwrap();
    bytes.extend_from_slice(&entry.body);
    bytes
}

fn file_of(bytes: &[u8]) -> File {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file
}

fn found(bytes: &[u8], key: &[u8], language: &'static str) -> &'static str {
    match file::read(&file_of(bytes), key, &request(language)).unwrap() {
        Found::Answer(_) => "answer",
        Found::Other => "other",
        Found::Broken => "broken",
    }
}

#[test]
fn what_is_read_is_what_was_written() {
    for body in ["", "hello"] {
        let before = entry(body);
        let bytes = written(&before);
        let Found::Answer(after) = file::read(&file_of(&bytes), KEY, &request("de")).unwrap() else {
            panic!("not found");
        };
        assert_eq!(after.body, before.body);
        assert_eq!(after.head.status, before.head.status);
        assert_eq!(after.head.headers, before.head.headers);
        let (old, new) = (&before.head.freshness, &after.head.freshness);
        assert_eq!((old.lifetime, old.strict), (new.lifetime, new.strict));
        assert_eq!(old.while_revalidate, new.while_revalidate);
        assert!(new.age(Instant::now()) >= old.initial_age);
        assert_eq!(file::form_of(&before.head), file::form_of(&after.head));
        assert_eq!(file::key_in(&file_of(&bytes)).unwrap().unwrap(), KEY);
    }
    let bytes = written(&entry("hello"));
    assert_eq!(found(&bytes, KEY, "en"), "other");
    assert_eq!(found(&bytes, b"http:80 shop.localhost /b", "de"), "broken");
}

#[test]
fn a_file_that_was_cut_or_changed_anywhere_is_none() {
    let whole = written(&entry("some body"));
    for length in 0..whole.len() {
        assert_eq!(found(&whole[..length], KEY, "de"), "broken", "cut at {length}");
    }
    for at in 0..whole.len() {
        for bit in [1, 0x80] {
            let mut changed = whole.clone();
            changed[at] ^= bit;
            assert_eq!(found(&changed, KEY, "de"), "broken", "changed at {at}");
        }
    }
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(found(&longer, KEY, "de"), "broken");
    let mut other_version = whole.clone();
    other_version[7] = b'2';
    assert_eq!(found(&other_version, KEY, "de"), "broken");
}

proptest::proptest! {
    #[test]
    fn no_bytes_at_all_are_taken_for_an_answer(bytes in proptest::collection::vec(0u8.., 0..400)) {
        let begun = [b"HKCACHE1", &bytes[..]].concat();
        assert_eq!(found(&bytes, KEY, "de"), "broken");
        assert_eq!(found(&begun, KEY, "de"), "broken");
    }
}

#[test]
fn what_a_file_says_of_its_lengths_is_not_believed() {
    let whole = written(&entry("some body"));
    for (at, length) in [(8, 4), (12, 8)] {
        for value in [0u64, 1, 1 << 20, u64::MAX >> 1, u64::MAX] {
            let mut changed = whole.clone();
            changed[at..at + length].copy_from_slice(&value.to_le_bytes()[..length]);
            assert_eq!(found(&changed, KEY, "de"), "broken", "{value} at {at}");
        }
    }
}

#[test]
fn the_index_never_has_more_than_there_is_room_for() {
    let index = Index::new(1 << 20);
    let scopes = [ScopeId::of("shop", "1"), ScopeId::of("shop", "2")];
    assert_ne!(ScopeId::of("ab", "c"), ScopeId::of("a", "bc"));
    let mut there = std::collections::HashSet::new();
    for number in 0..2000u32 {
        let file = FileKey::of(scopes[number as usize % 2], &number.to_le_bytes());
        there.insert(file);
        for (gone, _) in index.insert(file, Form::new(FormId::default(), 4096 * u64::from(number % 5))) {
            there.remove(&gone);
        }
        assert!(index.bytes() <= 1 << 20);
        assert_eq!(index.addresses(), there.len() as u64);
    }
    assert!(index.addresses() > 50);
    let of_first = index.of_scope(scopes[0]);
    assert_eq!(index.remove_scope(scopes[0]), of_first);
    there.retain(|file| file.scope == scopes[1]);
    assert_eq!(index.of_scope(scopes[1]), there);
}

#[test]
fn of_too_many_forms_the_oldest_goes() {
    let index = Index::new(1 << 20);
    let file = FileKey::of(ScopeId::of("shop", "1"), b"a");
    let form = |number: u8| Form::new([number; 8], 10);
    for number in 0..16 {
        assert!(index.insert(file, form(number)).is_empty());
    }
    assert!(index.insert(file, form(3)).is_empty());
    let gone = index.insert(file, form(16));
    assert_eq!((gone[0].0, &gone[0].1[..]), (file, &[form(0)][..]));
    assert_eq!(index.get(&file).unwrap().len(), 16);
    assert!(index.has(&file, [3; 8]) && !index.has(&file, [0; 8]));
}
