//! The room a build leaves on the disk. What it will write is a guess when it begins; while it runs, somebody looks.

use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::size::ByteSize;
use hostkit_core::traits::BuildJob;

use super::FreeSpace;

/// A disk that takes a gigabyte in a second is left with half of what is kept free.
const EVERY: Duration = Duration::from_millis(250);

/// Ends when less is free where a build writes than always stays free, with what is left.
pub(super) async fn until_little_is_left(
    free_space: FreeSpace,
    job: &BuildJob,
    min_free: ByteSize,
) -> ByteSize {
    let places = [job.output.parent().unwrap_or(&job.output), &job.cache];
    loop {
        tokio::time::sleep(EVERY).await;
        // A look that fails says nothing about the disk.
        let free = places.iter().filter_map(|place| free_space(place).ok()).min();
        if let Some(free) = free.filter(|free| *free < min_free.0) {
            return ByteSize(free);
        }
    }
}

/// Said of a build that was ended for it.
pub(super) fn too_little(free: ByteSize, min_free: ByteSize) -> Failure {
    Failure::new(
        Kind::Failed,
        format!(
            "cannot build: it was about to fill the disk, of which {free} are free ({min_free} stay free)"
        ),
    )
    .hint("let the build write less, or make room (see `hostkit doctor`)")
}
