//! Archives of contents, good and hostile.

use hostkit_core::source::ContentHash;

pub(crate) fn hash(bytes: &[u8]) -> ContentHash {
    ContentHash::parse(blake3::hash(bytes).to_hex().as_str()).unwrap()
}

/// A tar archive of contents named by their hashes.
pub(crate) fn archive(contents: &[&[u8]]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for bytes in contents {
        add(&mut builder, hash(bytes).as_str(), tar::EntryType::Regular, bytes);
    }
    builder.into_inner().unwrap()
}

/// A tar archive of one entry.
pub(crate) fn odd(name: &str, kind: tar::EntryType, bytes: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    add(&mut builder, name, kind, bytes);
    builder.into_inner().unwrap()
}

fn add(builder: &mut tar::Builder<Vec<u8>>, name: &str, kind: tar::EntryType, bytes: &[u8]) {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    if kind == tar::EntryType::Symlink {
        header.set_link_name("/etc/passwd").unwrap();
    }
    header.set_cksum();
    builder.append(&header, bytes).unwrap();
}
