//! The one function that unpacks archives: tar, tar.gz and tar.zst by their first bytes. Everything in an archive is
//! hostile until shown otherwise; files are written under numbers into a staging folder, never under their names.

mod headers;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;

use hostkit_core::kind::Failure;
use hostkit_core::names::RelativePath;
use hostkit_core::source::{ContentHash, SourceContent, SourceFile, SourceId};
use tar::EntryType;

use self::headers::{Names, clean_path};
use super::ProjectSources;
use super::rules::{self, refused, too_large};
use crate::blocking::cannot;

/// How the staging folders in `sources/` begin.
pub(super) const STAGING_PREFIX: &str = ".unpack-";

impl ProjectSources {
    pub(super) fn unpack(&self, archive: &Path) -> Result<SourceId, Failure> {
        let file = File::open(archive).map_err(cannot("read the archive", archive))?;
        fs::create_dir_all(&self.lists).map_err(cannot("create", &self.lists))?;
        // Dropped on every way out: a refused archive leaves nothing behind.
        let staging = tempfile::Builder::new()
            .prefix(STAGING_PREFIX)
            .tempdir_in(&self.lists)
            .map_err(cannot("create a folder in", &self.lists))?;
        let mut unpacking = Unpacking {
            store: self,
            staging: staging.path(),
            entries: 0,
            bytes: 0,
            tree: BTreeMap::new(),
        };
        unpacking.read(decompressed(file)?)?;
        let files = rules::checked(unpacking.files(), &self.limits)?;
        for file in &files {
            if let SourceContent::File { hash, size, .. } = &file.content
                && !self.contents.has(hash, *size)
            {
                self.contents
                    .take_known(hash, &staging.path().join(hash.as_str()))?;
            }
        }
        self.commit(files)
    }
}

/// What an archive says about one path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Folder,
    Entry(SourceContent),
}

impl Node {
    fn kind(&self) -> &'static str {
        match self {
            Node::Folder => "folder",
            Node::Entry(SourceContent::File { .. }) => "file",
            Node::Entry(SourceContent::Link { .. }) => "link",
        }
    }
}

struct Unpacking<'a> {
    store: &'a ProjectSources,
    staging: &'a Path,
    entries: usize,
    bytes: u64,
    tree: BTreeMap<RelativePath, Node>,
}

impl Unpacking<'_> {
    fn read(&mut self, from: Box<dyn Read>) -> Result<(), Failure> {
        let mut archive = tar::Archive::new(from);
        let mut names = Names::default();
        // Raw: long names and extended headers are read here, with limits, instead of by the library.
        for entry in archive.entries().map_err(unreadable)?.raw(true) {
            let mut entry = entry.map_err(unreadable)?;
            self.entries += 1;
            if self.entries > self.store.limits.files.saturating_mul(3) {
                return Err(too_large("the archive has far more entries than are taken"));
            }
            if names.take_extension(&mut entry)? {
                continue;
            }
            let size = names.size(entry.header())?;
            let Some(path) = clean_path(&names.path(entry.header()))? else {
                names = Names::default();
                continue;
            };
            let node = self.node(&mut entry, &path, &names, size)?;
            names = Names::default();
            self.add(path, node)?;
        }
        Ok(())
    }

    fn node<R: Read>(
        &mut self,
        entry: &mut tar::Entry<'_, R>,
        path: &RelativePath,
        names: &Names,
        size: u64,
    ) -> Result<Node, Failure> {
        let kind = entry.header().entry_type();
        match kind {
            EntryType::Directory => Ok(Node::Folder),
            EntryType::Regular | EntryType::Continuous => {
                let executable = entry.header().mode().map_err(unreadable)? & 0o100 != 0;
                let hash = self.content(entry, path, size)?;
                Ok(Node::Entry(SourceContent::File {
                    hash,
                    size,
                    executable,
                }))
            }
            EntryType::Symlink => {
                let target = String::from_utf8(names.link(entry.header()))
                    .map_err(|_| refused(&format!("the target of the link `{path}` is not UTF-8")))?;
                Ok(Node::Entry(SourceContent::Link { target }))
            }
            EntryType::Link => {
                let target = clean_path(&names.link(entry.header()))?;
                match target.as_ref().and_then(|target| self.tree.get(target)) {
                    Some(Node::Entry(file @ SourceContent::File { .. })) => Ok(Node::Entry(file.clone())),
                    _ => Err(refused(&format!(
                        "the hard link `{path}` names no file that came before it"
                    ))),
                }
            }
            EntryType::GNUSparse => Err(refused(&format!("`{path}` is stored as a sparse file"))
                .hint("pack the archive without `--sparse`")),
            EntryType::Block | EntryType::Char | EntryType::Fifo => Err(refused(&format!(
                "`{path}` is a device or a pipe: only files, folders and links are taken"
            ))),
            _ => Err(refused(&format!(
                "`{path}` is of a kind that is not taken (`{}`)",
                kind.as_byte() as char
            ))),
        }
    }

    /// Writes a file's bytes under its hash into the staging folder; stops at the limit, before the disk does.
    fn content<R: Read>(
        &mut self,
        entry: &mut tar::Entry<'_, R>,
        path: &RelativePath,
        size: u64,
    ) -> Result<ContentHash, Failure> {
        let limit = self.store.limits.bytes;
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > limit {
            return Err(too_large(&format!(
                "unpacked it has more than {limit} bytes (reached at `{path}`)"
            )));
        }
        let arriving = self.staging.join("arriving");
        let mut file = File::create(&arriving).map_err(cannot("write", &arriving))?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = [0; 64 * 1024];
        let mut left = size;
        while left > 0 {
            let n = entry.read(&mut buffer).map_err(unreadable)?;
            if n == 0 {
                return Err(refused(&format!("the archive ends in the middle of `{path}`")));
            }
            left = left.saturating_sub(n as u64);
            hasher.update(&buffer[..n]);
            file.write_all(&buffer[..n]).map_err(cannot("write", &arriving))?;
        }
        let hash = rules::hash_of(&hasher);
        let staged = self.staging.join(hash.as_str());
        fs::rename(&arriving, &staged).map_err(cannot("write", &staged))?;
        Ok(hash)
    }

    fn add(&mut self, path: RelativePath, node: Node) -> Result<(), Failure> {
        if let Some(before) = self.tree.get(&path)
            && before.kind() != node.kind()
        {
            return Err(refused(&format!(
                "`{path}` is both a {} and a {}",
                before.kind(),
                node.kind()
            )));
        }
        self.tree.insert(path, node);
        if self.tree.len() > self.store.limits.files {
            return Err(too_large(&format!(
                "it has more than {} entries",
                self.store.limits.files
            )));
        }
        Ok(())
    }

    fn files(&mut self) -> Vec<SourceFile> {
        std::mem::take(&mut self.tree)
            .into_iter()
            .filter_map(|(path, node)| match node {
                Node::Entry(content) => Some(SourceFile { path, content }),
                Node::Folder => None,
            })
            .collect()
    }
}

fn decompressed(mut file: File) -> Result<Box<dyn Read>, Failure> {
    let mut start = [0; 512];
    let mut known = 0;
    while known < start.len() {
        match file.read(&mut start[known..]).map_err(unreadable)? {
            0 => break,
            n => known += n,
        }
    }
    file.rewind().map_err(unreadable)?;
    let file = BufReader::with_capacity(128 * 1024, file);
    match &start[..known] {
        [0x1f, 0x8b, ..] => Ok(Box::new(flate2::read::MultiGzDecoder::new(file))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = zstd::stream::read::Decoder::with_buffer(file).map_err(unreadable)?;
            Ok(Box::new(decoder))
        }
        block if block.len() == 512 && (&block[257..262] == b"ustar" || block.iter().all(|b| *b == 0)) => {
            Ok(Box::new(file))
        }
        _ => {
            Err(refused("it is no tar, tar.gz or tar.zst archive")
                .hint("pack it with `tar -czf app.tar.gz .`"))
        }
    }
}

fn unreadable(why: io::Error) -> Failure {
    refused(&format!("the archive is damaged: {why}"))
}
