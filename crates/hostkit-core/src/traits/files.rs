//! The disk, as the engine sees it: the few acts a deployment needs, each atomic or idempotent.

use std::io;
use std::path::Path;

/// Acts on files below the data folder. All calls block; whoever is asynchronous makes the slow ones (trees) elsewhere.
pub trait Files: Send + Sync {
    /// Bytes an unprivileged program may still write on the file system of `path` (or of its nearest parent).
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;

    /// Whether something is at `path`; a link counts, wherever it leads.
    fn exists(&self, path: &Path) -> bool;

    /// Whether `path` itself is a folder; a link to one is not.
    fn is_folder(&self, path: &Path) -> bool;

    /// Makes a folder and its parents. Idempotent.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Names in a folder, sorted; none where there is no folder.
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// At most `limit` bytes of a file from `offset` on; nothing where there is no file or no more of it.
    fn read_at(&self, path: &Path, offset: u64, limit: usize) -> io::Result<Vec<u8>>;

    /// Writes a whole file with mode 0600: whoever reads sees the old content or the new, never a part.
    fn write_private(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Opens a log file (0600) to append to, making it and its folder where needed.
    fn append(&self, path: &Path) -> io::Result<Box<dyn io::Write + Send>>;

    /// Moves a file or a tree within one file system, in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes `link` point to `target` in one step, in the place of a link that is there. Idempotent.
    fn point_link(&self, link: &Path, target: &Path) -> io::Result<()>;

    /// Removes a file, a link (not what it leads to) or a whole tree. Idempotent.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes `to`, which does not exist yet, the same tree as `from`; sharing blocks where the disk can, with modes
    /// and links kept.
    fn clone_tree(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Bytes of all files of a tree.
    fn size(&self, path: &Path) -> io::Result<u64>;

    /// Waits until a folder with everything in it, and its name, is on the disk: a loss of power takes none of it any
    /// more. Nobody may write to it meanwhile.
    fn sync_tree(&self, path: &Path) -> io::Result<()>;
}
