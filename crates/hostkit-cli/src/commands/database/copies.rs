//! Dumps, restores, clones.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hostkit_api::database::DatabaseClone;
use hostkit_api::endpoints::{CloneDatabase, DumpDatabase, ListDatabases, NoQuery, RestoreDatabase};
use hostkit_core::database::{DatabaseId, Restored};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::size::ByteSize;
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::args::Losing;
use crate::commands::project::confirm;
use crate::output::{Bar, StepsView};
use crate::session::Session;
use crate::stop::Stop;
use crate::upload::reason;

/// So much of a file is read at once.
const PIECE: usize = 256 * 1024;

/// Writes a dump into a file, which is there only when it is whole, or to stdout.
pub(super) async fn dump(session: &Session<'_>, id: &DatabaseId, output: Option<&Path>) -> Result<(), Stop> {
    session.is_about(&id.environment);
    let printer = session.printer();
    let mut file = match output {
        Some(path) => Some(Unfinished::create(path)?),
        None if printer.out_is_terminal() => {
            return Err(Stop::usage(
                "cannot write a dump to a terminal",
                "name a file with `--output FILE`, or redirect stdout",
            ));
        }
        None => None,
    };
    let client = session.client()?;
    let mut pieces = Box::pin(client.download::<DumpDatabase>(id, &NoQuery {}).await?);
    let bar = Bar::counting(printer, "dumping");
    let count = bar.counter();
    let mut bytes = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|failure| broken_off(id, &failure))?;
        match &mut file {
            Some(file) => file.write(&piece)?,
            None => printer.out(&piece)?,
        }
        bytes += piece.len() as u64;
        count(piece.len() as u64);
    }
    drop(bar);
    let (Some(file), Some(path)) = (file, output) else {
        return Ok(());
    };
    file.finish()?;
    if printer.wants_json() {
        return printer.json(&json!({ "file": path, "bytes": bytes }));
    }
    printer.say(&format!(
        "Wrote {} of `{}` of `{}` to `{}`.",
        ByteSize(bytes),
        id.label,
        id.environment,
        path.display()
    ));
    printer.next(&format!(
        "`hostkit db restore {} {}` brings it back",
        id.environment.project,
        path.display()
    ));
    Ok(())
}

fn broken_off(id: &DatabaseId, failure: &Failure) -> Failure {
    let message = format!(
        "cannot dump the database `{}` of `{}`: it broke off",
        id.label, id.environment
    );
    Failure::new(Kind::Failed, message)
        .details(vec![failure.message.clone()])
        .hint(format!("`hostkit events -p {}` says why", id.environment.project))
}

/// A file that has another name until it is whole.
struct Unfinished {
    path: PathBuf,
    beside: PathBuf,
    file: File,
}

impl Unfinished {
    fn create(path: &Path) -> Result<Self, Failure> {
        if path.symlink_metadata().is_ok() {
            let message = format!("cannot write `{}`: it is there", path.display());
            return Err(Failure::new(Kind::Conflict, message).hint("choose another name, or remove it first"));
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(".part");
        let beside = PathBuf::from(beside);
        // All data of a database: nobody else's to read.
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside);
        let file = opened.map_err(|why| cannot_write(&beside, &why))?;
        Ok(Unfinished {
            path: path.to_owned(),
            beside,
            file,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.file.write_all(bytes);
        written.map_err(|why| cannot_write(&self.beside, &why))
    }

    fn finish(self) -> Result<(), Failure> {
        let kept = self.file.sync_all();
        let named = kept.and_then(|()| std::fs::rename(&self.beside, &self.path));
        named.map_err(|why| cannot_write(&self.path, &why))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Of one that is finished there is none of that name any more.
        drop(std::fs::remove_file(&self.beside));
    }
}

fn cannot_write(path: &Path, why: &std::io::Error) -> Failure {
    Failure::new(
        Kind::Failed,
        format!("cannot write `{}`: {}", path.display(), reason(why)),
    )
}

/// Sends a dump, which then takes the place of a database.
pub(super) async fn restore(
    session: &Session<'_>,
    id: &DatabaseId,
    file: &Path,
    losing: &Losing,
) -> Result<(), Stop> {
    session.is_about(&id.environment);
    let is_stdin = file == Path::new("-");
    if is_stdin && !losing.yes {
        return Err(Stop::usage(
            "cannot ask whether the database is to be replaced: stdin is the dump",
            "add `--yes` if you mean it",
        ));
    }
    let input = match is_stdin {
        true => None,
        false => Some(open(file).await?),
    };
    if !losing.yes {
        replaces(session, id)?;
    }
    let printer = session.printer();
    let client = session.client()?;
    let restored = match input {
        Some((input, length)) => {
            let bar = Bar::bytes(printer, "restoring", length);
            let pieces = counted(input, bar.counter());
            client
                .upload::<RestoreDatabase>(id, &losing.removal(), pieces)
                .await?
        }
        None => {
            let bar = Bar::counting(printer, "restoring");
            let pieces = counted(stdin()?, bar.counter());
            client
                .upload::<RestoreDatabase>(id, &losing.removal(), pieces)
                .await?
        }
    };
    tell(session, &restored, "Restored")
}

async fn open(path: &Path) -> Result<(tokio::fs::File, u64), Failure> {
    let cannot = |why: &std::io::Error| {
        let message = format!("cannot read `{}`: {}", path.display(), reason(why));
        Failure::new(Kind::Invalid, message)
    };
    let file = tokio::fs::File::open(path).await.map_err(|why| cannot(&why))?;
    let found = file.metadata().await.map_err(|why| cannot(&why))?;
    match found.is_dir() {
        true => Err(cannot(&std::io::ErrorKind::IsADirectory.into())),
        false => Ok((file, found.len())),
    }
}

fn stdin() -> Result<tokio::fs::File, Failure> {
    let own = std::io::stdin().as_fd().try_clone_to_owned();
    let own =
        own.map_err(|why| Failure::new(Kind::Invalid, format!("cannot read stdin: {}", reason(&why))))?;
    Ok(tokio::fs::File::from_std(File::from(own)))
}

fn counted(
    input: impl tokio::io::AsyncRead + Unpin + Send + 'static,
    count: impl Fn(u64) + Send + 'static,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    futures_util::stream::unfold((input, count), |(mut input, count)| async move {
        let mut piece = vec![0; PIECE];
        match input.read(&mut piece).await {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                count(read as u64);
                Some((Ok(Bytes::from(piece)), (input, count)))
            }
            Err(why) => Some((Err(why), (input, count))),
        }
    })
}

/// Copies a database into another; one that is there is replaced.
pub(super) async fn clone(
    session: &Session<'_>,
    to: &DatabaseId,
    of: DatabaseClone,
    losing: &Losing,
) -> Result<(), Stop> {
    session.is_about(&to.environment);
    let client = session.client()?;
    let there = client
        .call::<ListDatabases>(&to.environment, &NoQuery {}, &())
        .await?;
    if !losing.yes && there.iter().any(|database| database.label == to.label) {
        replaces(session, to)?;
    }
    let mut view = StepsView::new(session.printer());
    view.now("cloning");
    let cloned = client
        .patiently::<CloneDatabase>(to, &losing.removal(), &of)
        .await?;
    view.clear();
    tell(session, &cloned, "Cloned into")
}

fn replaces(session: &Session<'_>, id: &DatabaseId) -> Result<(), Stop> {
    let what = format!(
        "all that is in the database `{}` of `{}`",
        id.label, id.environment
    );
    confirm(session, &id.environment.project, "replace", &what)
}

fn tell(session: &Session<'_>, restored: &Restored, verb: &str) -> Result<(), Stop> {
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(restored);
    }
    let Restored {
        name, tables, rows, ..
    } = restored;
    printer.say(&format!("{verb} `{name}`: {tables} tables with {rows} rows."));
    Ok(())
}
