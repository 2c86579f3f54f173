//! `hostkit.toml`: what is read is written and read again as the same.

#![no_main]

use hostkit_core::manifest::{parse, render};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(manifest) = parse(text) else { return };
    let written = render(&manifest, &[]);
    match parse(&written) {
        Ok(again) => assert_eq!(manifest, again, "{written}"),
        Err(problems) => panic!("{problems:?}\n{written}"),
    }
});
