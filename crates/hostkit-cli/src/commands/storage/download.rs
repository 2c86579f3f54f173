//! Objects out of a bucket. Keys are whatever the project's programs made of what their visitors said: one becomes a path
//! here only where every part of it is the name of a file.

use std::path::{Component, Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};
use http_body_util::BodyExt;
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

use super::copy::Copied;
use super::list;
use crate::output::Bar;
use crate::s3::Bucket;
use crate::session::Session;
use crate::stop::Stop;
use crate::upload::reason;

/// Into a file, or into a folder under the last part of its key.
pub(super) async fn file(
    session: &Session<'_>,
    bucket: &Bucket,
    key: &str,
    path: &Path,
) -> Result<Copied, Stop> {
    let is_folder = path.is_dir() || path.to_string_lossy().ends_with('/');
    let path = match is_folder {
        true => path.join(below(key, key.rsplit('/').next().unwrap_or_default())?),
        false => path.to_owned(),
    };
    let bytes = fetch(session, bucket, key, &path).await?;
    Ok(Copied { objects: 1, bytes })
}

/// Every object below a prefix. All names are judged before the first byte is copied.
pub(super) async fn folder(
    session: &Session<'_>,
    bucket: &Bucket,
    prefix: &str,
    folder: &Path,
) -> Result<Copied, Stop> {
    let mut wanted = Vec::new();
    for object in list::all(bucket, prefix).await? {
        let rest = object.key.strip_prefix(prefix).unwrap_or(&object.key);
        // `photos/` itself, as some programs mark a folder.
        if !rest.is_empty() && !rest.ends_with('/') {
            wanted.push((folder.join(below(&object.key, rest)?), object.key));
        }
    }
    if wanted.is_empty() {
        let message = format!("cannot copy `{prefix}`: no object is below it");
        return Err(Failure::new(Kind::NotFound, message)
            .hint("`hostkit storage ls NAME` shows what there is")
            .into());
    }
    let mut copied = Copied::default();
    for (path, key) in wanted {
        copied.bytes += fetch(session, bucket, &key, &path).await?;
        copied.objects += 1;
        session.printer().detail(&key);
    }
    Ok(copied)
}

/// To standard output, as it comes.
pub(super) async fn stream(session: &Session<'_>, bucket: &Bucket, key: &str) -> Result<(), Stop> {
    let mut body = bucket.read(key).await?.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|why| broken(key, &why))?;
        if let Ok(bytes) = frame.into_data() {
            session.printer().out(&bytes)?;
        }
    }
    Ok(())
}

/// The path of a key below a folder.
fn below(key: &str, rest: &str) -> Result<PathBuf, Failure> {
    let path = PathBuf::from(rest);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    // What `components` passes over in silence: `a//b`, `a/./b`, `a/`.
    let is_whole = path.iter().map(|part| part.len() + 1).sum::<usize>() == rest.len() + 1;
    match is_plain && is_whole && !rest.is_empty() && !rest.contains('\0') {
        true => Ok(path),
        false => Err(Failure::new(
            Kind::Invalid,
            format!("cannot copy `{}`: that is no name for a file", key.escape_debug()),
        )
        .hint("copy it by itself, to a name of your own")),
    }
}

/// An object into a file, which has the whole of it or is as it was.
async fn fetch(session: &Session<'_>, bucket: &Bucket, key: &str, path: &Path) -> Result<u64, Stop> {
    let cannot = |error: std::io::Error| {
        let message = format!("cannot write `{}`: {}", path.display(), reason(&error));
        Failure::new(Kind::Invalid, message)
    };
    let answer = bucket.read(key).await?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).await.map_err(cannot)?;
    }
    let size = answer.headers().get(http::header::CONTENT_LENGTH);
    let size = size.and_then(|size| size.to_str().ok()?.parse().ok());
    let bar = Bar::bytes(session.printer(), "Copying", size.unwrap_or_default());
    let count = bar.counter();
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = async {
        let mut file = File::create_new(&part).await.map_err(cannot)?;
        let (mut body, mut bytes) = (answer.into_body(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|why| broken(key, &why))?;
            if let Ok(data) = frame.into_data() {
                file.write_all(&data).await.map_err(cannot)?;
                bytes += data.len() as u64;
                count(data.len() as u64);
            }
        }
        file.flush().await.map_err(cannot)?;
        fs::rename(&part, path).await.map_err(cannot)?;
        Ok::<u64, Failure>(bytes)
    };
    let written = tokio::select! {
        written = written => written,
        _ = tokio::signal::ctrl_c() => {
            let message = format!("cannot copy `{key}`: it was interrupted");
            Err(Failure::new(Kind::Failed, message))
        }
    };
    if written.is_err() {
        // What went wrong is the better thing to say.
        drop(fs::remove_file(&part).await);
    }
    Ok(written?)
}

fn broken(key: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(Kind::Unavailable, format!("cannot read all of `{key}`: {why}")).hint("try it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_becomes_a_path_only_where_it_stays_below() {
        assert_eq!(below("a/b.txt", "a/b.txt").unwrap(), Path::new("a/b.txt"));
        for bad in [
            "",
            "/etc/passwd",
            "../a",
            "a/../../b",
            "a//b",
            "./a",
            "a/./b",
            "a/",
            "..",
            "a\0b",
        ] {
            assert!(below(bad, bad).is_err(), "{bad:?}");
        }
    }
}
