//! Disk work, run where it holds nobody up, and its errors in words.

use std::io;
use std::path::Path;

use hostkit_core::kind::{Failure, Kind};

/// Runs disk work on a thread that may block.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|why| {
        Err(Failure::new(
            Kind::Internal,
            format!("cannot finish work on the disk: {why}"),
        ))
    })
}

/// Turns a disk error into a failure that names the act and the place.
pub(crate) fn cannot(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = path.to_owned();
    move |why| {
        let kind = match why.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::Unavailable,
            _ => Kind::Internal,
        };
        Failure::new(kind, format!("cannot {act} `{}`: {why}", path.display()))
    }
}
