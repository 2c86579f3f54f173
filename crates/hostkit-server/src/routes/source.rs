//! Uploads. Nothing that is sent gets a place by a name of its own: contents lie under their hashes, archives are
//! unpacked by the one function that refuses hostile ones.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostkit_api::endpoints::{CommitSource, PlanSource, PutContents, UploadArchive};
use hostkit_api::source::{Plan, Source, Stored, Tree};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProjectName;
use hostkit_core::size::ByteSize;
use hostkit_core::source::{ContentHash, SourceContent, SourceFile};
use tempfile::{NamedTempFile, TempDir};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::auth::Admitted;
use crate::incoming::Incoming;
use crate::shared::Shared;

/// Uploads under way lie in folders of this name in their project's folder.
const PREFIX: &str = ".upload-";
/// The first bytes of a zstd stream.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The window a stream of ours never passes (the one of level 19); larger ones would eat our memory.
const WINDOW_LOG: u32 = 24;

pub(crate) async fn plan(call: Admitted<PlanSource>, tree: Tree) -> Result<Plan, Failure> {
    let (shared, project) = (call.shared(), call.target());
    let files = entries(shared, tree)?;
    let mut missing = shared.sources.missing(project, &files).await?;
    missing.sort_unstable();
    missing.dedup();
    let source = match missing.is_empty() {
        true => Some(shared.sources.commit(project, files).await?),
        false => None,
    };
    Ok(Plan { missing, source })
}

pub(crate) async fn commit(call: Admitted<CommitSource>, tree: Tree) -> Result<Source, Failure> {
    let (shared, project) = (call.shared(), call.target());
    let files = entries(shared, tree)?;
    let source = shared.sources.commit(project, files).await?;
    Ok(Source { source })
}

fn entries(shared: &Shared, tree: Tree) -> Result<Vec<SourceFile>, Failure> {
    let limits = shared.settings.limits;
    if tree.files.len() > limits.files {
        return Err(too_many(limits.files));
    }
    let files: Vec<SourceFile> = tree.files.into_iter().map(|entry| entry.0).collect();
    let sizes = files.iter().map(|file| match file.content {
        SourceContent::File { size, .. } => size,
        SourceContent::Link { .. } => 0,
    });
    match sizes.fold(0u64, u64::saturating_add) {
        bytes if bytes > limits.bytes => Err(too_large(limits.bytes)),
        _ => Ok(files),
    }
}

fn too_many(limit: usize) -> Failure {
    Failure::new(
        Kind::TooLarge,
        format!("cannot take the source: it has more than {limit} files"),
    )
    .hint("leave out what is not needed in `.hostkitignore`")
}

fn too_large(limit: u64) -> Failure {
    Failure::new(
        Kind::TooLarge,
        format!("cannot take the source: it is larger than {}", ByteSize(limit)),
    )
    .hint("leave out what is not needed in `.hostkitignore`")
}

pub(crate) async fn archive(call: Admitted<UploadArchive>, mut body: Incoming) -> Result<Source, Failure> {
    let (shared, project) = (call.shared(), call.target());
    let folder = folder(shared, project)?;
    let path = folder.path().join("archive");
    let mut file = tokio::fs::File::create(&path).await.map_err(|why| kept(&why))?;
    while let Some(piece) = body.piece().await? {
        file.write_all(&piece).await.map_err(|why| kept(&why))?;
    }
    file.flush().await.map_err(|why| kept(&why))?;
    drop(file);
    let source = shared.sources.unpack(project, &path).await?;
    Ok(Source { source })
}

pub(crate) async fn put(call: Admitted<PutContents>, body: Incoming) -> Result<Stored, Failure> {
    let (shared, project) = (call.shared().clone(), call.target().clone());
    let folder = folder(&shared, &project)?;
    let reader = SyncIoBridge::new(Box::pin(StreamReader::new(body.pieces())));
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let upload = Upload {
            shared,
            project,
            folder,
            runtime,
        };
        upload.store(reader)
    })
    .await
    .map_err(|why| Failure::new(Kind::Internal, format!("cannot store contents: {why}")))?
}

/// Contents under way, on a thread that may block.
struct Upload {
    shared: Arc<Shared>,
    project: ProjectName,
    folder: TempDir,
    runtime: Handle,
}

impl Upload {
    fn store(&self, mut reader: impl Read) -> Result<Stored, Failure> {
        let mut start = Vec::with_capacity(ZSTD.len());
        (&mut reader)
            .take(ZSTD.len() as u64)
            .read_to_end(&mut start)
            .map_err(broken)?;
        let compressed = start == ZSTD;
        let whole = io::Cursor::new(start).chain(reader);
        if !compressed {
            return self.contents(whole);
        }
        let mut plain = zstd::stream::read::Decoder::new(whole).map_err(broken)?;
        plain.window_log_max(WINDOW_LOG).map_err(broken)?;
        self.contents(plain)
    }

    fn contents(&self, reader: impl Read) -> Result<Stored, Failure> {
        let limits = self.shared.settings.limits;
        let mut stored = Stored {
            contents: 0,
            bytes: 0,
        };
        let mut archive = tar::Archive::new(reader);
        // Raw: the long names and other extensions of tar are not ours, and are not read into memory.
        for entry in archive.entries().map_err(broken)?.raw(true) {
            let mut entry = entry.map_err(broken)?;
            let hash = name(&entry)?;
            stored.contents += 1;
            stored.bytes = stored.bytes.saturating_add(entry.size());
            if stored.contents > limits.files as u64 {
                return Err(too_many(limits.files));
            }
            if stored.bytes > limits.bytes {
                return Err(too_large(limits.bytes));
            }
            let path = self.spool(&mut entry)?;
            self.runtime
                .block_on(self.shared.sources.put(&self.project, &hash, &path))?;
        }
        Ok(stored)
    }

    fn spool(&self, entry: &mut impl Read) -> Result<PathBuf, Failure> {
        let mut file = NamedTempFile::new_in(self.folder.path()).map_err(|why| kept(&why))?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            match entry.read(&mut buffer).map_err(broken)? {
                0 => break,
                n => file.write_all(&buffer[..n]).map_err(|why| kept(&why))?,
            }
        }
        // What is not taken away goes with the folder.
        let (_, path) = file.keep().map_err(|why| kept(&why.error))?;
        Ok(path)
    }
}

fn name(entry: &tar::Entry<'_, impl Read>) -> Result<ContentHash, Failure> {
    let refused = |why: &str| {
        Failure::new(Kind::Invalid, format!("cannot store contents: {why}"))
            .hint("send a tar archive of regular files, each named by the BLAKE3 hash of its content")
    };
    if entry.header().entry_type() != tar::EntryType::Regular {
        return Err(refused("the archive has an entry that is no regular file"));
    }
    let name = entry.path_bytes();
    std::str::from_utf8(&name)
        .ok()
        .and_then(ContentHash::parse)
        .ok_or_else(|| refused("the archive has an entry that is not named by a hash"))
}

/// What went wrong with the sender's bytes; a failure that was wrapped on its way through a reader comes out whole.
fn broken(why: io::Error) -> Failure {
    let mut cause = why.get_ref().map(|e| e as &(dyn std::error::Error + 'static));
    while let Some(inner) = cause {
        if let Some(failure) = inner.downcast_ref::<Failure>() {
            return failure.clone();
        }
        cause = match inner.downcast_ref::<io::Error>() {
            Some(wrapped) => wrapped.get_ref().map(|e| e as &(dyn std::error::Error + 'static)),
            None => inner.source(),
        };
    }
    Failure::new(Kind::Invalid, format!("cannot read the archive: {why}"))
}

/// What went wrong with our disk.
fn kept(why: &io::Error) -> Failure {
    match why.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Failure::new(Kind::Unavailable, "cannot store the upload: the disk is full")
                .hint("free some space, then try again")
        }
        _ => Failure::new(Kind::Internal, format!("cannot store the upload: {why}")),
    }
}

/// A folder for one upload, gone with its last user.
fn folder(shared: &Shared, project: &ProjectName) -> Result<TempDir, Failure> {
    let home = shared.settings.layout.project(project);
    let mut private = fs::DirBuilder::new();
    private.recursive(true).mode(0o700);
    private.create(&home).map_err(|why| kept(&why))?;
    tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir_in(&home)
        .map_err(|why| kept(&why))
}

/// Removes uploads that a killed server left behind.
pub(crate) fn sweep(shared: &Shared) {
    let names = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let projects = shared.store().projects().unwrap_or_default();
    for project in projects {
        for entry in names(&shared.settings.layout.project(&project.name)) {
            if entry.file_name().to_string_lossy().starts_with(PREFIX)
                && let Err(why) = fs::remove_dir_all(entry.path())
            {
                tracing::warn!(%why, path = %entry.path().display(), "Cannot remove an upload that was cut short");
            }
        }
    }
}
