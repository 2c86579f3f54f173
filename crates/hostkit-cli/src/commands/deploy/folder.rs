//! A folder into a source: read, plan, send what is missing, freeze.

use std::path::Path;
use std::time::Instant;

use futures_util::stream;
use hostkit_api::client::Client;
use hostkit_api::endpoints::{CommitSource, NoQuery, PlanSource, PutContents};
use hostkit_api::source::{Entry, Tree};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProjectName;
use hostkit_core::size::ByteSize;
use hostkit_core::source::{ContentHash, SourceId, SourceLimits};

use super::super::deployment::Upload;
use crate::output::{Bar, milliseconds, plural};
use crate::session::Session;
use crate::stop::Stop;
use crate::upload::{self, Packed, Packing};

pub(super) fn read(root: &Path, cache: Option<&Path>) -> Result<(upload::Tree, Instant), Failure> {
    let began = Instant::now();
    Ok((upload::read(root, cache, SourceLimits::default())?, began))
}

pub(super) async fn send(
    session: &Session<'_>,
    client: &Client,
    project: &ProjectName,
    (folder, began): &(upload::Tree, Instant),
) -> Result<(SourceId, Upload), Stop> {
    let printer = session.printer();
    for path in &folder.skipped {
        printer.warn(&format!("`{path}` is neither file nor link and stays here"));
    }
    printer.detail(&format!(
        "{} read in {} ms, {} hashed anew",
        plural(folder.files.len() as u64, "file"),
        began.elapsed().as_millis(),
        folder.hashed
    ));
    let tree = Tree {
        files: folder.files.iter().cloned().map(Entry).collect(),
    };
    let plan = client.call::<PlanSource>(project, &NoQuery {}, &tree).await?;
    let sent_bytes = bytes_of(folder, &plan.missing);
    let source = match plan.source {
        Some(source) => source,
        None => {
            if !plan.missing.is_empty() {
                send_contents(session, client, project, folder, &plan.missing, sent_bytes).await?;
            }
            client
                .call::<CommitSource>(project, &NoQuery {}, &tree)
                .await?
                .source
        }
    };
    let upload = Upload {
        files: folder.files.len() as u64,
        bytes: folder.bytes,
        sent_files: plan.missing.len() as u64,
        sent_bytes,
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    printer.step("upload", &said(&upload), true);
    Ok((source, upload))
}

fn said(upload: &Upload) -> String {
    let all = plural(upload.files, "file");
    match upload.sent_files {
        0 => format!("{}, nothing new in {all}", milliseconds(upload.milliseconds)),
        sent => format!(
            "{}, {sent} of {all} sent, {}",
            milliseconds(upload.milliseconds),
            ByteSize(upload.sent_bytes)
        ),
    }
}

fn bytes_of(folder: &upload::Tree, missing: &[ContentHash]) -> u64 {
    let mut wanted: std::collections::HashSet<&ContentHash> = missing.iter().collect();
    folder
        .sizes()
        .filter(|(hash, _)| wanted.remove(hash))
        .map(|(_, size)| size)
        .sum()
}

async fn send_contents(
    session: &Session<'_>,
    client: &Client,
    project: &ProjectName,
    folder: &upload::Tree,
    missing: &[ContentHash],
    bytes: u64,
) -> Result<(), Failure> {
    let bar = Bar::bytes(session.printer(), "upload", bytes);
    let packing = if session.is_remote() {
        Packing::Zstd
    } else {
        Packing::Plain
    };
    let Packed { pieces, end } = upload::pack(folder, missing, packing, bar.counter());
    let stream = stream::unfold(pieces, |mut pieces| async move {
        pieces.recv().await.map(|piece| (piece, pieces))
    });
    let sent = client.upload::<PutContents>(project, &NoQuery {}, stream).await;
    // A file that could not be read says more than the request that broke off because of it.
    end.await.unwrap_or_else(|error| {
        Err(Failure::new(
            Kind::Internal,
            format!("cannot pack the files: {error}"),
        ))
    })?;
    sent.map(|_| ())
}
