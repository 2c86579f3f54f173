//! The process of the gateway that speaks Upstash's REST protocol: `hostkit redis-rest SETTINGS`. The Redis add-on writes the
//! settings and has it run.

use std::ffi::OsString;
use std::path::Path;

/// The first argument of the role.
const ROLE: &str = "redis-rest";

/// Runs the role, if the arguments ask for it. Returns what the process ends with.
pub(crate) fn dispatch(arguments: &[OsString]) -> Option<i32> {
    if arguments.get(1).is_none_or(|role| role != ROLE) {
        return None;
    }
    let [_, _, settings] = arguments else {
        return Some(64);
    };
    crate::daemon_log::begin();
    Some(match hostkit_addons::redis_rest::run(Path::new(settings)) {
        Ok(()) => 0,
        Err(why) => {
            tracing::error!("{why}");
            1
        }
    })
}
