//! A build that would fill the disk is refused before it begins.

use std::path::Path;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::size::ByteSize;
use hostkit_core::traits::BuildJob;
use hostkit_host::files::{folder_size, free_space};

use super::tree::inside;
use crate::blocking::cannot;

/// Where the size of the last finished release is kept, in the project's cache.
const LAST_SIZE: &str = "last-release-bytes";

/// How much a build may be expected to write: dependencies and output outweigh the source, and what the last
/// release took is the best guess there is.
pub fn projected_bytes(source: u64, last_release: u64) -> u64 {
    source.saturating_mul(3).saturating_add(last_release)
}

/// Refuses a build for which the file system below `place` has too little room. `min_free` stays free in any case.
pub fn refuse_full_disk(
    place: &Path,
    source: u64,
    last_release: u64,
    min_free: ByteSize,
) -> Result<(), Failure> {
    let free = free_space(place).map_err(cannot("ask for the free space of", place))?;
    let needed = projected_bytes(source, last_release).saturating_add(min_free.0);
    if free >= needed {
        return Ok(());
    }
    Err(Failure::new(
        Kind::Unavailable,
        format!(
            "cannot build the source: the disk has {} free, about {} are needed ({min_free} of them stay free)",
            ByteSize(free),
            ByteSize(needed)
        ),
    )
    .hint("make room, or keep fewer releases with `releases` in hostkit.toml; `hostkit doctor` says how the disk is"))
}

/// The check for one build. Makes the cache folder where it is the first build of a project.
pub(crate) fn check(job: &BuildJob, source: u64, min_free: ByteSize) -> Result<(), Failure> {
    std::fs::create_dir_all(&job.cache).map_err(cannot("create", &job.cache))?;
    let last = std::fs::read_to_string(job.cache.join(LAST_SIZE)).ok();
    let last = last.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    refuse_full_disk(&job.cache, source, last, min_free)
}

/// Makes a folder of the build the output, and remembers what it takes. A folder that is a link to elsewhere is none.
pub(crate) fn move_to_output(job: &BuildJob, folder: &Path) -> Result<(), Failure> {
    let real = inside(&job.source, folder).ok_or_else(|| {
        Failure::new(
            Kind::Failed,
            format!(
                "cannot take what the build made: `{}` leads out of the source folder",
                folder.display()
            ),
        )
        .hint("let the build write its output into the project's own folder")
    })?;
    std::fs::rename(real, &job.output).map_err(cannot("move the built files to", &job.output))?;
    remember(
        job,
        folder_size(&job.output).map_err(cannot("read", &job.output))?,
    );
    Ok(())
}

/// Remembers what a release took. Only a guess for next time: that it cannot be kept is no failure.
fn remember(job: &BuildJob, bytes: u64) {
    let _ = hostkit_host::files::replace(&job.cache.join(LAST_SIZE), bytes.to_string().as_bytes(), 0o600);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_refused_with_both_numbers() {
        let place = std::env::temp_dir();
        refuse_full_disk(&place, 1, 1, ByteSize(1)).unwrap();
        let failure = refuse_full_disk(&place, 1 << 60, 0, ByteSize::mib(512)).unwrap_err();
        assert_eq!(failure.kind, Kind::Unavailable);
        assert!(failure.message.contains(" free, about "), "{failure}");
        assert_eq!(projected_bytes(10, 5), 35);
    }
}
