//! `hostkit storage cp`: which way, and what is copied to where.

use std::path::Path;

use hostkit_core::kind::{Failure, Kind};
use serde::Serialize;

use super::upload::Told;
use super::{download, open, upload};
use crate::args::{End, OfEnvironment};
use crate::output::plural;
use crate::session::Session;
use crate::stop::Stop;
use hostkit_core::size::ByteSize;

/// What was copied.
#[derive(Debug, Default, Serialize)]
pub(super) struct Copied {
    /// How many objects.
    pub(super) objects: u64,
    /// Their bytes.
    pub(super) bytes: u64,
}

pub(super) async fn run(
    session: &Session<'_>,
    environment: &OfEnvironment,
    ends: (&End, &End),
    recursive: bool,
    told: &Told,
) -> Result<(), Stop> {
    let copied = match ends {
        (End::Here(file), End::There(place)) => {
            let bucket = open(session, place, environment).await?;
            match recursive {
                true => upload::folder(session, &bucket, file, &as_folder(&place.key), told).await?,
                false => upload::file(session, &bucket, file, &named(&place.key, file)?, told).await?,
            }
        }
        (End::Stream, End::There(place)) if !recursive => {
            let key = place.one()?;
            let bucket = open(session, place, environment).await?;
            upload::stream(session, &bucket, key, told).await?
        }
        (End::There(place), End::Here(path)) => {
            let bucket = open(session, place, environment).await?;
            match recursive {
                true => download::folder(session, &bucket, &as_folder(&place.key), path).await?,
                false => download::file(session, &bucket, place.one()?, path).await?,
            }
        }
        (End::There(place), End::Stream) if !recursive => {
            let key = place.one()?;
            let bucket = open(session, place, environment).await?;
            return download::stream(session, &bucket, key).await;
        }
        (End::There(from), End::There(to)) if !recursive && from.project == to.project => {
            let key = match to.key.is_empty() || to.key.ends_with('/') {
                true => format!("{}{}", to.key, from.one()?.rsplit('/').next().unwrap_or_default()),
                false => to.key.clone(),
            };
            let bucket = open(session, from, environment).await?;
            bucket.copy(from.one()?, &key).await?;
            session.printer().say(&format!("Copied to `{key}`."));
            return Ok(());
        }
        _ => {
            return Err(Stop::usage(
                "cannot copy this to that: one is a file or a folder and the other in a bucket, or both are objects of one bucket",
                "`hostkit storage cp cat.jpg shop:photos/`, `hostkit storage cp -r shop:photos ./photos`",
            ));
        }
    };
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&copied);
    }
    let (objects, bytes) = (plural(copied.objects, "object"), ByteSize(copied.bytes));
    printer.say(&format!("Copied {objects}, {bytes}."));
    Ok(())
}

/// How keys below a folder begin.
fn as_folder(key: &str) -> String {
    match key.is_empty() || key.ends_with('/') {
        true => key.to_owned(),
        false => format!("{key}/"),
    }
}

/// The key of a file: as it was written, or with the name of the file.
fn named(key: &str, file: &Path) -> Result<String, Failure> {
    if !key.is_empty() && !key.ends_with('/') {
        return Ok(key.to_owned());
    }
    let name = file.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        let message = format!("cannot tell which key `{}` should have", file.display());
        Failure::new(Kind::Invalid, message).hint("write the whole key: `NAME:KEY`")
    })?;
    Ok(format!("{key}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_a_folder_keeps_the_name() {
        let key = |key: &str, file: &str| named(key, Path::new(file)).ok();
        assert_eq!(key("photos/", "a/cat.jpg").as_deref(), Some("photos/cat.jpg"));
        assert_eq!(key("", "cat.jpg").as_deref(), Some("cat.jpg"));
        assert_eq!(key("dog", "cat.jpg").as_deref(), Some("dog"));
        assert_eq!(key("", ".."), None);
        assert_eq!(
            (as_folder("a"), as_folder("a/"), as_folder("")),
            ("a/".into(), "a/".into(), String::new())
        );
    }
}
