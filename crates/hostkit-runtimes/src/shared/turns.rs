//! Calls that change one workload, or one service, come one after the other, also from two processes on one installation.

use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_host::files::{self, Turn};

/// Waits for the turn; it is over when the answer is dropped, or its holder dies.
pub(crate) async fn take(layout: &Layout, id: &(dyn std::fmt::Display + Sync)) -> Result<Turn, Failure> {
    let folder = layout.run().join("turns");
    let cannot = |e: std::io::Error| {
        Failure::new(
            Kind::Internal,
            format!("cannot take a turn for `{id}` in `{}`: {e}", folder.display()),
        )
    };
    files::create_folder(&folder, 0o700).map_err(cannot)?;
    loop {
        if let Some(turn) = Turn::try_take(folder.join(id.to_string())).map_err(cannot)? {
            return Ok(turn);
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}
