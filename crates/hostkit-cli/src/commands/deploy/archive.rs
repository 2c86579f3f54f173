//! An archive into a source. It is unpacked, and distrusted, on the other side.

use std::os::fd::AsFd;
use std::path::Path;

use bytes::Bytes;
use futures_util::stream;
use hostkit_api::client::Client;
use hostkit_api::endpoints::{NoQuery, UploadArchive};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProjectName;
use hostkit_core::size::ByteSize;
use hostkit_core::source::{SourceId, SourceLimits};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::output::Bar;
use crate::session::Session;
use crate::upload::reason;

/// How many bytes are sent at once.
const PIECE: usize = 128 * 1024;

pub(super) fn shown(file: &Path) -> String {
    if is_stdin(file) {
        "the archive on stdin".to_owned()
    } else {
        file.display().to_string()
    }
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

pub(super) async fn send(
    session: &Session<'_>,
    client: &Client,
    project: &ProjectName,
    (reader, bytes): (File, u64),
) -> Result<SourceId, Failure> {
    let bar = Bar::bytes(session.printer(), "upload", bytes);
    let count = bar.counter();
    let pieces = stream::unfold((reader, count), |(mut reader, count)| async move {
        let mut piece = vec![0; PIECE];
        match reader.read(&mut piece).await {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                count(read as u64);
                Some((Ok(Bytes::from(piece)), (reader, count)))
            }
            Err(error) => Some((Err(error), (reader, count))),
        }
    });
    Ok(client
        .upload::<UploadArchive>(project, &NoQuery {}, pieces)
        .await?
        .source)
}

/// The archive and its bytes, as far as they are known.
pub(super) async fn open(file: &Path) -> Result<(File, u64), Failure> {
    let shown = file.display();
    let refused = |why: String| Failure::new(Kind::Invalid, format!("cannot read `{shown}`: {why}"));
    if is_stdin(file) {
        let stdin = std::io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|error| refused(reason(&error)))?;
        return Ok((File::from_std(stdin.into()), 0));
    }
    let opened = File::open(file).await.map_err(|error| refused(reason(&error)))?;
    let metadata = opened.metadata().await.map_err(|error| refused(reason(&error)))?;
    if metadata.is_dir() {
        return Err(refused("it is a folder".to_owned()).hint(format!("hostkit deploy {shown}")));
    }
    let most = SourceLimits::default().bytes;
    if metadata.len() > most {
        let why = format!(
            "it has {}, at most {} are taken",
            ByteSize(metadata.len()),
            ByteSize(most)
        );
        return Err(Failure::new(
            Kind::TooLarge,
            format!("cannot deploy `{shown}`: {why}"),
        ));
    }
    Ok((opened, metadata.len()))
}
