//! `server.toml`: whatever it says, it is taken or refused in words, and no two listeners have one port.

#![no_main]

use hostkit_core::server_settings::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse(text) {
        Ok(settings) => {
            let ports = [settings.http_port, settings.https_port, settings.api_port];
            assert!(
                ports[0] != ports[1] && ports[1] != ports[2] && ports[0] != ports[2],
                "{ports:?}"
            );
        }
        Err(failure) => assert!(
            !failure.details.is_empty() && failure.hint.is_some(),
            "{failure:?}"
        ),
    }
});
