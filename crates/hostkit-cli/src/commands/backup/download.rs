//! `hostkit backup download`.

use std::path::Path;

use futures_util::StreamExt;
use hostkit_api::backup::{OneBackup, OnePart};
use hostkit_api::endpoints::{DownloadBackup, NoQuery};
use hostkit_core::backup::part::PartName;
use hostkit_core::backup::woven::Broken;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::size::ByteSize;
use serde_json::json;

use super::dumps::Dumps;
use super::new_files::NewFiles;
use crate::session::Session;
use crate::stop::Stop;

/// Writes a part into a new file that only its owner can read, or to stdout. A large database is several dumps, and so
/// several files.
pub(super) async fn download(
    session: &Session<'_>,
    backup: OneBackup,
    part: PartName,
    output: &Path,
) -> Result<(), Stop> {
    let printer = session.printer();
    let to_stdout = output.as_os_str() == "-";
    let mut dumps = Dumps::of(&part);
    let mut files = match to_stdout {
        true => None,
        false => Some(NewFiles::new(output)?),
    };
    let target = OnePart { backup, part };
    let copied = async {
        let mut bytes = 0;
        let client = session.client()?;
        let mut pieces = Box::pin(client.download::<DownloadBackup>(&target, &NoQuery {}).await?);
        loop {
            let piece = pieces.next().await.transpose()?;
            let taken = match &piece {
                Some(piece) => dumps.take(piece),
                None => dumps.finish(),
            };
            for taken in taken.map_err(|why| unread(&target.part, &why))? {
                bytes += taken.bytes.len() as u64;
                match &mut files {
                    Some(files) => files.write(taken.strand, &taken.bytes)?,
                    None if dumps.is_woven() => return Err(several(&target.part).into()),
                    None => printer.out(&taken.bytes)?,
                }
            }
            if piece.is_none() {
                return Ok::<u64, Stop>(bytes);
            }
        }
    };
    let copied = copied.await;
    let Some(files) = files else {
        return copied.map(drop);
    };
    let bytes = match copied {
        Ok(bytes) => bytes,
        Err(stop) => {
            files.remove();
            return Err(stop);
        }
    };
    let names = files.names();
    if printer.wants_json() {
        return printer.json(&json!({ "file": output, "files": names, "bytes": bytes }));
    }
    let bytes = ByteSize(bytes);
    let [first, others @ ..] = &names[..] else {
        return Ok(());
    };
    if others.is_empty() {
        printer.say(&format!("Wrote {bytes} to `{first}`. It is not encrypted."));
        return Ok(());
    }
    printer.say(&format!(
        "Wrote {bytes} to {}: dumps of one moment, each with rows that the others have not. They are not encrypted.",
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    ));
    printer.say("What restores them into an empty database, whose address is in URL, in this order:");
    for command in commands(first, others) {
        printer.say(&format!("  {command}"));
    }
    Ok(())
}

/// What restores dumps that were woven together: rows are in all of them, everything else in the first.
fn commands(first: &str, others: &[String]) -> Vec<String> {
    let restore = |section: &str, name: &str| {
        format!(
            "pg_restore --no-owner --no-privileges --section={section} --dbname=\"$URL\" {}",
            quoted(name)
        )
    };
    let rows = others.iter().map(|name| restore("data", name));
    let begun = ["pre-data", "data"].map(|section| restore(section, first));
    let done = restore("post-data", first);
    begun.into_iter().chain(rows).chain([done]).collect()
}

/// A name as a shell reads it.
fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,".contains(c);
    match name.chars().all(is_plain) && !name.starts_with('-') {
        true => name.to_owned(),
        false if name.starts_with('-') => quoted(&format!("./{name}")),
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}

fn several(part: &PartName) -> Failure {
    Failure::new(
        Kind::Invalid,
        format!("cannot write the part `{part}` to stdout: it is a large database, in several dumps"),
    )
    .hint("name a file, as in `-o shop.dump`: the others are written beside it")
}

fn unread(part: &PartName, why: &Broken) -> Failure {
    Failure::new(
        Kind::Failed,
        format!("cannot take the part `{part}` apart: {why}"),
    )
    .hint("`hostkit backup verify` says whether the backup is good")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_said_as_a_shell_reads_them() {
        let said = commands("it's; a.dump", &["it's; a-2.dump".to_owned()]);
        assert_eq!(said.len(), 4);
        assert!(said[0].contains("--section=pre-data") && said[0].ends_with(r"'it'\''s; a.dump'"));
        assert!(said[2].contains("--section=data") && said[2].ends_with(r"'it'\''s; a-2.dump'"));
        assert!(said[3].contains("--section=post-data") && said[3].ends_with(r"a.dump'"));
        assert_eq!(
            (quoted("-x"), quoted("/a/b.dump")),
            ("./-x".into(), "/a/b.dump".into())
        );
    }
}
