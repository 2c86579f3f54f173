//! Reading of a source folder: small files, never through links, and the fingerprint of a whole folder.

use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hostkit_core::kind::Failure;

use crate::blocking::cannot;

/// The largest file read as a whole. Lockfiles of big workspaces have some megabytes.
const MAX_BYTES: u64 = 64 << 20;

/// Whether a regular file lies there.
pub(crate) fn has_file(folder: &Path, name: &str) -> bool {
    fs::symlink_metadata(folder.join(name)).is_ok_and(|found| found.is_file())
}

/// Whether a folder lies there.
pub(crate) fn has_folder(folder: &Path, name: &str) -> bool {
    fs::symlink_metadata(folder.join(name)).is_ok_and(|found| found.is_dir())
}

/// The real place of a folder, if it lies in `root` also after every link on the way is followed. A build may have
/// left links to anywhere; what lies elsewhere never becomes part of a release.
pub(crate) fn inside(root: &Path, folder: &Path) -> Option<PathBuf> {
    let (root, real) = (root.canonicalize().ok()?, folder.canonicalize().ok()?);
    (real.starts_with(root) && real.is_dir()).then_some(real)
}

/// The text of a regular file; nothing for a missing, unreadable or very large one.
pub(crate) fn text(folder: &Path, name: &str) -> Option<String> {
    bytes(folder, name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The bytes of a regular file; nothing for a missing, unreadable or very large one.
pub(crate) fn bytes(folder: &Path, name: &str) -> Option<Vec<u8>> {
    let path = folder.join(name);
    let found = fs::symlink_metadata(&path).ok()?;
    if !found.is_file() || found.len() > MAX_BYTES {
        return None;
    }
    fs::read(path).ok()
}

/// The paths of all files below a folder that `wanted` says yes to, sorted; `node_modules`, virtual environments and
/// folders with a dot are not entered.
pub(crate) fn files(folder: &Path, depth: usize, wanted: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    collect(folder, "", depth, wanted, &mut found);
    found.sort();
    found
}

fn collect(
    folder: &Path,
    prefix: &str,
    depth: usize,
    wanted: &dyn Fn(&str) -> bool,
    found: &mut Vec<String>,
) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else {
            continue;
        };
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}/{name}")
        };
        if kind.is_file() && wanted(&path) {
            found.push(path);
        } else if kind.is_dir()
            && depth > 0
            && !name.starts_with('.')
            && name != "node_modules"
            && name != "venv"
        {
            collect(&entry.path(), &path, depth - 1, wanted, found);
        }
    }
}

/// Adds a whole folder (names, kinds, executable bits, bytes) to a hash; the result is the bytes of its files.
pub(crate) fn fingerprint(folder: &Path, hasher: &mut blake3::Hasher) -> Result<u64, Failure> {
    let mut total = 0;
    add_folder(folder, hasher, &mut total, &mut vec![0; 128 * 1024]).map_err(cannot("read", folder))?;
    Ok(total)
}

fn add_folder(
    folder: &Path,
    hasher: &mut blake3::Hasher,
    total: &mut u64,
    buffer: &mut [u8],
) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (kind, path) = (entry.file_type()?, entry.path());
        hasher.update(entry.file_name().as_bytes()).update(b"\0");
        if kind.is_dir() {
            hasher.update(b"folder\0");
            add_folder(&path, hasher, total, buffer)?;
            hasher.update(b"end\0");
        } else if kind.is_symlink() {
            hasher
                .update(b"link\0")
                .update(fs::read_link(&path)?.as_os_str().as_bytes())
                .update(b"\0");
        } else {
            let mut file = fs::File::open(&path)?;
            let found = file.metadata()?;
            let executable = found.permissions().mode() & 0o100 != 0;
            hasher
                .update(&[b'f', u8::from(executable)])
                .update(&found.len().to_le_bytes());
            *total += found.len();
            loop {
                match file.read(buffer)? {
                    0 => break,
                    n => hasher.update(&buffer[..n]),
                };
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_lead_nowhere() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        fs::create_dir_all(root.join("real/below")).unwrap();
        symlink("/etc", root.join("etc")).unwrap();
        symlink("real", root.join("near")).unwrap();
        symlink("/etc/hostname", root.join("file")).unwrap();
        assert!(inside(&root, &root.join("real/below")).is_some());
        assert!(inside(&root, &root.join("near/below")).is_some());
        assert!(inside(&root, &root.join("etc")).is_none());
        assert!(inside(&root, &root.join("missing")).is_none());
        assert_eq!(text(&root, "file"), None);
        assert!(!has_folder(&root, "etc"));
    }

    #[test]
    fn a_fingerprint_sees_names_kinds_bits_and_bytes() {
        let place = tempfile::tempdir().unwrap();
        let print = || {
            let mut hasher = blake3::Hasher::new();
            fingerprint(place.path(), &mut hasher).unwrap();
            hasher.finalize()
        };
        let mut seen = vec![print()];
        let file = place.path().join("a");
        fs::write(&file, "x").unwrap();
        seen.push(print());
        fs::write(&file, "y").unwrap();
        seen.push(print());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        seen.push(print());
        fs::remove_file(&file).unwrap();
        symlink("y", &file).unwrap();
        seen.push(print());
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        seen.push(print());
        let distinct: std::collections::HashSet<_> = seen.iter().map(|hash| hash.to_hex()).collect();
        assert_eq!(distinct.len(), seen.len());
    }
}
