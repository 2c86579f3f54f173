//! `hostkit.toml`: what is read is written and read again as the same, but for routing, which is not written.

#![no_main]

use hostkit_core::manifest::{parse, render};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(mut manifest) = parse(text) else { return };
    manifest.routing = Default::default();
    let written = render(&manifest, &[]);
    match parse(&written) {
        Ok(again) => assert_eq!(manifest, again, "{written}"),
        Err(problems) => panic!("{problems:?}\n{written}"),
    }
});
