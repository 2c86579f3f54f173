//! `vercel.json`: what is taken of it is well formed and survives the table it goes to the front door in, or everything that is
//! wrong with it is said in short.

#![no_main]

use hostkit_core::manifest::Manifest;
use hostkit_core::route::rules::Rules;
use hostkit_core::vercel::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse(text) {
        Ok(file) => {
            let mut manifest = Manifest::default();
            assert!(file.merge(&mut manifest).is_empty());
            let rules = manifest.routing.rules;
            assert_eq!(rules.check(), Ok(()), "{text}");
            let table = serde_json::to_string(&rules).expect("rules can be written");
            let again: Rules = serde_json::from_str(&table).expect("rules can be read");
            assert_eq!(again, rules, "{table}");
        }
        Err(failure) => assert!(failure.details.len() <= 60, "{failure:?}"),
    }
});
