//! The stat cache: hashes of files that have not changed since they were last read. A file changed within the last two
//! seconds before it was read is not remembered: it could change again without its times showing it.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use hostkit_core::source::ContentHash;

use super::hash::Hashed;
use super::scan::Stat;
use hostkit_core::source::SourceContent;

/// The first line of the file; another one makes it worthless.
const FORMAT: &str = "hostkit-stat 1";
/// How long a file must have been left alone to be remembered.
const RACY_NS: i128 = 2_000_000_000;

/// Hashes by path and stat.
#[derive(Debug, Default)]
pub(super) struct StatCache {
    file: Option<PathBuf>,
    began_ns: i128,
    entries: HashMap<String, (Stat, ContentHash)>,
}

impl StatCache {
    /// The cache of one folder, below `folder`. An unreadable one is an empty one.
    pub(super) fn open(folder: &Path, root: &Path) -> Self {
        let name = blake3::hash(root.as_os_str().as_encoded_bytes()).to_hex();
        let file = folder.join(&name.as_str()[..32]);
        let entries = std::fs::read_to_string(&file)
            .map(|text| parse(&text))
            .unwrap_or_default();
        StatCache {
            file: Some(file),
            began_ns: jiff::Timestamp::now().as_nanosecond(),
            entries,
        }
    }

    /// The hash of a file, if it is still what it was.
    pub(super) fn get(&self, path: &str, stat: &Stat) -> Option<&ContentHash> {
        self.entries
            .get(path)
            .filter(|(known, _)| known == stat)
            .map(|(_, hash)| hash)
    }

    /// Remembers a list in place of the old one, unless nothing changed. A cache that cannot be written is only slow.
    pub(super) fn save(&mut self, files: &[Hashed], hashed: usize) {
        let Some(file) = &self.file else { return };
        let count = files.iter().filter(|(_, stat)| stat.is_some()).count();
        if hashed == 0 && count == self.entries.len() {
            return;
        }
        let mut text = String::with_capacity(files.len() * 160);
        text.push_str(FORMAT);
        text.push('\n');
        for (source, stat) in files {
            let (Some(stat), SourceContent::File { hash, .. }) = (stat, &source.content) else {
                continue;
            };
            if self.began_ns - stat.mtime_ns.max(stat.ctime_ns) < RACY_NS {
                continue;
            }
            let Stat {
                size,
                mtime_ns,
                ctime_ns,
                inode,
            } = stat;
            text.push_str(&format!(
                "{size} {mtime_ns} {ctime_ns} {inode} {hash} {}\n",
                source.path
            ));
        }
        let _ = write(file, &text);
    }
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let new = file.with_extension(format!("new-{}", std::process::id()));
    let mut out = std::fs::File::create(&new)?;
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| std::fs::rename(&new, file));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

fn parse(text: &str) -> HashMap<String, (Stat, ContentHash)> {
    let mut lines = text.lines();
    if lines.next() != Some(FORMAT) {
        return HashMap::new();
    }
    lines.filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<(String, (Stat, ContentHash))> {
    let mut parts = line.splitn(6, ' ');
    let stat = Stat {
        size: parts.next()?.parse().ok()?,
        mtime_ns: parts.next()?.parse().ok()?,
        ctime_ns: parts.next()?.parse().ok()?,
        inode: parts.next()?.parse().ok()?,
    };
    let hash = ContentHash::parse(parts.next()?)?;
    Some((parts.next()?.to_owned(), (stat, hash)))
}
