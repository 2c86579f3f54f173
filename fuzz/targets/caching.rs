//! Cache-Control and its kin, and Accept-Encoding: what is said is taken within bounds, and more of it keeps nothing that
//! less of it did not.

#![no_main]

use hostkit_proxy::fuzzing::{caching, coding};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, Option<Vec<u8>>, Vec<u8>)| {
    let (control, own, accepted) = input;
    let mut headers = HeaderMap::new();
    let fields = [("cache-control", Some(control)), ("cdn-cache-control", own)];
    for (name, value) in fields {
        if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(&value).ok()) {
            headers.append(name, value);
        }
    }
    for is_answer in [true, false] {
        let (_, longest) = caching(&headers, is_answer);
        assert!(longest <= 1 << 31, "{headers:?}");
    }
    headers.append("cache-control", HeaderValue::from_static("no-store"));
    assert!(!caching(&headers, false).0, "{headers:?}");

    let Ok(accepted) = HeaderValue::from_bytes(&accepted) else {
        return;
    };
    if let Some(coding) = coding(Some(&accepted)) {
        let said = String::from_utf8_lossy(accepted.as_bytes()).to_ascii_lowercase();
        assert!(said.contains(coding) || said.contains('*'), "{coding}: {said}");
    }
});
