//! Which bytes of a file a request gets: some that are there.

#![no_main]

use hostkit_proxy::fuzzing::range;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>)| {
    let (size, wanted, if_range, since) = input;
    let mut headers = HeaderMap::new();
    let fields = [
        ("range", Some(wanted)),
        ("if-range", if_range),
        ("if-modified-since", since),
    ];
    for (name, value) in fields {
        if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(&value).ok()) {
            headers.insert(name, value);
        }
    }
    if let Some((from, length)) = range(&headers, size) {
        assert!(
            length > 0 && from < size && length <= size - from,
            "{headers:?} of {size}"
        );
    }
});
