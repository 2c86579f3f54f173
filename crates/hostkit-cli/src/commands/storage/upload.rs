//! Files into a bucket.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};
use tokio::fs::File;

use super::copy::Copied;
use crate::output::Bar;
use crate::s3::Bucket;
use crate::session::Session;
use crate::stop::Stop;
use crate::upload::reason;

/// What is told with each object.
pub(super) struct Told {
    pub(super) content_type: Option<String>,
    pub(super) cache_control: Option<String>,
}

impl Told {
    fn headers<'a>(&'a self, guessed: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
        let kind = self.content_type.as_deref().or(guessed);
        let kind = kind.map(|kind| ("content-type", kind));
        let cache = self.cache_control.as_deref().map(|text| ("cache-control", text));
        kind.into_iter().chain(cache).collect()
    }
}

pub(super) async fn file(
    session: &Session<'_>,
    bucket: &Bucket,
    path: &Path,
    key: &str,
    told: &Told,
) -> Result<Copied, Stop> {
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::new(Kind::Invalid, format!("cannot copy `{}`: {why}", path.display()))
    };
    let mut file = File::open(path).await.map_err(|error| cannot(&reason(&error)))?;
    let found = file.metadata().await.map_err(|error| cannot(&reason(&error)))?;
    if found.is_dir() {
        return Err(cannot(&"it is a folder").hint("add `--recursive`").into());
    }
    let guessed = mime_guess::from_path(path).first_raw();
    let bar = Bar::bytes(session.printer(), "Copying", found.len());
    let sent = bar.counter();
    let headers = told.headers(guessed);
    bucket
        .put(key, &headers, &mut file, Some(found.len()), &sent)
        .await?;
    Ok(Copied {
        objects: 1,
        bytes: found.len(),
    })
}

pub(super) async fn stream(
    session: &Session<'_>,
    bucket: &Bucket,
    key: &str,
    told: &Told,
) -> Result<Copied, Stop> {
    let bytes = std::sync::atomic::AtomicU64::new(0);
    let guessed = mime_guess::from_path(key).first_raw();
    let sent = |more| {
        bytes.fetch_add(more, std::sync::atomic::Ordering::Relaxed);
    };
    // Read where it may block.
    let stdin = std::io::stdin().as_fd().try_clone_to_owned();
    let stdin = stdin
        .map_err(|error| Failure::new(Kind::Invalid, format!("cannot read stdin: {}", reason(&error))))?;
    let mut stdin = File::from_std(stdin.into());
    bucket
        .put(key, &told.headers(guessed), &mut stdin, None, &sent)
        .await?;
    session.printer().detail(&format!("put `{key}`"));
    Ok(Copied {
        objects: 1,
        bytes: bytes.into_inner(),
    })
}

/// Every file below a folder. Links are not followed: they may lead anywhere.
pub(super) async fn folder(
    session: &Session<'_>,
    bucket: &Bucket,
    folder: &Path,
    prefix: &str,
    told: &Told,
) -> Result<Copied, Stop> {
    let mut files = Vec::new();
    find(session, folder, &mut files)?;
    let mut named = Vec::with_capacity(files.len());
    for path in &files {
        let below = path.strip_prefix(folder).unwrap_or(path).to_str();
        let below = below.ok_or_else(|| {
            let message = format!(
                "cannot copy `{}`: its name is not UTF-8, and a key is",
                path.display()
            );
            Failure::new(Kind::Invalid, message)
        })?;
        named.push((path, format!("{prefix}{below}")));
    }
    let mut copied = Copied::default();
    for (path, key) in named {
        let one = file(session, bucket, path, &key, told).await?;
        session.printer().detail(&key);
        copied.objects += one.objects;
        copied.bytes += one.bytes;
    }
    Ok(copied)
}

fn find(session: &Session<'_>, folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        let message = format!(
            "cannot read the folder `{}`: {}",
            folder.display(),
            reason(&error)
        );
        Failure::new(Kind::Invalid, message)
    };
    let mut entries = std::fs::read_dir(folder)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .map_err(cannot)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type().map_err(cannot)?);
        if kind.is_dir() {
            find(session, &path, files)?;
        } else if kind.is_file() {
            files.push(path);
        } else {
            session
                .printer()
                .warn(&format!("left out `{}`: it is no file", path.display()));
        }
    }
    Ok(())
}
