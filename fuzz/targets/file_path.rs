//! The file a URL's path asks for: nothing that leads out of the root or is hidden.

#![no_main]

use hostkit_proxy::fuzzing::wanted_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|path: &str| {
    let Some(file) = wanted_file(path) else { return };
    assert!(!file.starts_with(b"/") && !file.contains(&0) && !file.contains(&b'\\'));
    for (at, part) in file.split(|byte| *byte == b'/').enumerate() {
        let is_shown = at == 0 && part == b".well-known";
        assert!(!part.starts_with(b".") || is_shown, "{path:?}");
        assert!(!part.is_empty() || file.is_empty(), "{path:?}");
    }
});
