//! `.env` files: what is read is written and read again as the same.

#![no_main]

use hostkit_core::variables::dotenv;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(variables) = dotenv::parse(text) else {
        return;
    };
    let written = dotenv::write(&variables);
    match dotenv::parse(&written) {
        Ok(again) => assert_eq!(variables, again, "{written}"),
        Err(problems) => panic!("{problems:?}\n{written}"),
    }
});
