//! `hostkit backup download`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use futures_util::StreamExt;
use hostkit_api::backup::{OneBackup, OnePart};
use hostkit_api::endpoints::{DownloadBackup, NoQuery};
use hostkit_core::backup::part::PartName;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::size::ByteSize;
use serde_json::json;

use crate::session::Session;
use crate::stop::Stop;
use crate::upload::reason;

/// Writes a part into a new file that only its owner can read, or to stdout.
pub(super) async fn download(
    session: &Session<'_>,
    backup: OneBackup,
    part: PartName,
    output: &Path,
) -> Result<(), Stop> {
    let printer = session.printer();
    let cannot = |why: &std::io::Error| {
        Failure::new(
            Kind::Invalid,
            format!("cannot write `{}`: {}", output.display(), reason(why)),
        )
    };
    let to_stdout = output.as_os_str() == "-";
    let mut file = match to_stdout {
        true => None,
        false => {
            let mut open = OpenOptions::new();
            let open = open.write(true).create_new(true).mode(0o600).open(output);
            Some(open.map_err(|why| cannot(&why))?)
        }
    };
    let target = OnePart { backup, part };
    let copied = async {
        let mut bytes = 0;
        let client = session.client()?;
        let mut pieces = Box::pin(client.download::<DownloadBackup>(&target, &NoQuery {}).await?);
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            bytes += piece.len() as u64;
            match &mut file {
                Some(file) => file.write_all(&piece).map_err(|why| cannot(&why))?,
                None => printer.out(&piece)?,
            }
        }
        Ok::<u64, Stop>(bytes)
    };
    let copied = copied.await;
    if copied.is_err() && !to_stdout {
        // Half of it would look like the whole.
        let _ = std::fs::remove_file(output);
    }
    let bytes = copied?;
    if to_stdout {
        return Ok(());
    }
    if printer.wants_json() {
        return printer.json(&json!({ "file": output, "bytes": bytes }));
    }
    printer.say(&format!(
        "Wrote {} to `{}`. It is not encrypted.",
        ByteSize(bytes),
        output.display()
    ));
    Ok(())
}
