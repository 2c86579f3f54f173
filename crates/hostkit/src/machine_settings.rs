//! What the operator says about a server, from its file.

use std::io::ErrorKind;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::server_settings::{self, FILE, ServerSettings};

/// The settings of this machine; those that hold without a file where there is none.
pub(crate) fn load() -> Result<ServerSettings, Failure> {
    match std::fs::read_to_string(FILE) {
        Ok(text) => server_settings::parse(&text),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(ServerSettings::default()),
        Err(why) => Err(Failure::new(
            Kind::Invalid,
            format!("cannot read `{FILE}`: {why}"),
        )),
    }
}
