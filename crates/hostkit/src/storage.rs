//! The process of a storage: `hostkit storage-server SETTINGS`. Whoever runs it writes the settings, and may hand it
//! sockets to listen on.

use std::ffi::OsString;
use std::path::PathBuf;

use hostkit_addons::storage::server::{Moment, run};
use hostkit_host::daemon_notice::DaemonNotice;

/// The first argument of the role.
const ROLE: &str = "storage-server";

/// Runs the role, if the arguments ask for it. Returns what the process ends with.
pub(crate) fn dispatch(arguments: &[OsString]) -> Option<i32> {
    if arguments.get(1).is_none_or(|role| role != ROLE) {
        return None;
    }
    let [_, _, settings] = arguments else {
        return Some(64);
    };
    crate::daemon_log::begin();
    Some(match serve(settings.into()) {
        Ok(()) => 0,
        Err(why) => {
            tracing::error!("{why:#}");
            1
        }
    })
}

fn serve(settings: PathBuf) -> anyhow::Result<()> {
    let sockets = hostkit_host::role_process::take_listen_sockets();
    let sockets = sockets.into_iter().map(|one| one.socket).collect();
    let notice = DaemonNotice::from_environment()?;
    run(&settings, sockets, |moment| {
        let told = match moment {
            Moment::Serving(_) => notice.ready(),
            Moment::Stopping => notice.stopping(),
        };
        if let Err(why) = told {
            tracing::warn!("cannot tell systemd how the storage is: {why}");
        }
    })?;
    Ok(())
}
