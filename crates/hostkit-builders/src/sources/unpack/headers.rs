//! Names in an archive: from the header itself, from GNU long-name entries and from pax records.

use std::io::Read;

use hostkit_core::kind::Failure;
use hostkit_core::names::RelativePath;
use tar::{EntryType, Header, PaxExtensions};

use super::super::rules::refused;
use super::unreadable;

/// The most one long name or set of pax records may take. They are held in memory.
const EXTENSION_BYTES: u64 = 1 << 20;

/// What came before an entry and is about it.
#[derive(Debug, Default)]
pub(super) struct Names {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<Vec<u8>>,
}

impl Names {
    /// Reads an entry that only tells about the next one. The result says whether it was such an entry.
    pub(super) fn take_extension<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<bool, Failure> {
        match entry.header().entry_type() {
            EntryType::GNULongName => self.path = Some(without_nul(bytes_of(entry)?)),
            EntryType::GNULongLink => self.link = Some(without_nul(bytes_of(entry)?)),
            EntryType::XHeader => {
                let records = bytes_of(entry)?;
                self.take_records(&records)?;
            }
            EntryType::XGlobalHeader => {
                // `git archive` writes the commit into one. Names that are to hold for all entries are nonsense.
                let mut global = Names::default();
                global.take_records(&bytes_of(entry)?)?;
                if global.path.is_some() || global.link.is_some() || global.size.is_some() {
                    return Err(refused("the archive gives one name or size to all its entries"));
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn take_records(&mut self, records: &[u8]) -> Result<(), Failure> {
        for record in PaxExtensions::new(records) {
            let record =
                record.map_err(|_| refused("the archive has extended headers that cannot be read"))?;
            match record.key_bytes() {
                b"path" => self.path = Some(record.value_bytes().to_vec()),
                b"linkpath" => self.link = Some(record.value_bytes().to_vec()),
                b"size" => self.size = Some(record.value_bytes().to_vec()),
                key if key.starts_with(b"GNU.sparse.") => {
                    return Err(refused("the archive has sparse files").hint("pack it without `--sparse`"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The size of the entry with this header. A second size in the records must be the same: two sizes for one
    /// entry let two readers see two archives.
    pub(super) fn size(&self, header: &Header) -> Result<u64, Failure> {
        let size = header.entry_size().map_err(unreadable)?;
        match &self.size {
            Some(second) if *second != size.to_string().as_bytes() => Err(refused(
                "the archive has an entry of 8 GB or more, or two sizes for one entry",
            )),
            _ => Ok(size),
        }
    }

    /// The path of the entry with this header.
    pub(super) fn path(&self, header: &Header) -> Vec<u8> {
        self.path
            .clone()
            .unwrap_or_else(|| header.path_bytes().into_owned())
    }

    /// The link target of the entry with this header.
    pub(super) fn link(&self, header: &Header) -> Vec<u8> {
        self.link
            .clone()
            .unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned())
    }
}

/// A path of an archive as a path in the tree; nothing for the root itself. `./` and doubled slashes are dropped,
/// anything that could lead out of the tree is refused.
pub(super) fn clean_path(raw: &[u8]) -> Result<Option<RelativePath>, Failure> {
    let shown = || {
        String::from_utf8_lossy(raw)
            .escape_debug()
            .take(200)
            .collect::<String>()
    };
    let text = str::from_utf8(raw).map_err(|_| {
        refused(&format!("the name `{}` is not UTF-8", shown())).hint("rename the file, or leave it out")
    })?;
    if text.chars().any(char::is_control) {
        return Err(refused(&format!("the name `{}` has control characters", shown())));
    }
    if text.starts_with('/') {
        return Err(refused(&format!("`{}` is an absolute path", shown()))
            .hint("pack the archive with `tar -C FOLDER .`"));
    }
    let parts: Vec<&str> = text
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.contains(&"..") {
        return Err(refused(&format!("`{}` leads out of the project", shown())));
    }
    if parts.is_empty() {
        return Ok(None);
    }
    RelativePath::parse(&parts.join("/"))
        .map(Some)
        .map_err(|why| refused(&why.to_string()))
}

fn bytes_of<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Vec<u8>, Failure> {
    let size = entry.header().entry_size().map_err(unreadable)?;
    if size > EXTENSION_BYTES {
        return Err(refused(
            "the archive has a name or an extended header of more than 1 MB",
        ));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 != size {
        return Err(refused("the archive ends in the middle of a name"));
    }
    Ok(bytes)
}

fn without_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes
}
