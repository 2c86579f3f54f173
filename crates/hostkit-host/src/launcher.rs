//! A copy of our own program that units of projects start, at a place no package manager empties: a program that
//! crashes after the package was removed is started again all the same, also after a restart of the machine. It is
//! replaced as a whole, so a unit that is just being started finds the one before or the one after.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hostkit_core::kind::{Failure, Kind};
use nix::sys::statvfs::{FsFlags, statvfs};

use crate::files;

/// The program that runs, also where its file was replaced or removed since.
const OWN: &str = "/proc/self/exe";

/// Makes sure that `path` is a copy of the program that runs, which every account may start. Says whether it was made.
pub fn ensure(path: &Path) -> Result<bool, Failure> {
    copy(Path::new(OWN), path).map_err(|e| {
        Failure::new(
            Kind::Internal,
            format!("cannot keep a copy of this program at `{}`: {e}", path.display()),
        )
        .hint("programs of projects are started by it: look at that folder, then `systemctl restart hostkit-control`")
    })
}

fn copy(own: &Path, path: &Path) -> io::Result<bool> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    files::create_folder(folder, 0o755)?;
    // Root's mask may have left less.
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    if statvfs(folder)?.flags().contains(FsFlags::ST_NOEXEC) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "its file system is mounted `noexec`",
        ));
    }
    let mut own = File::open(own)?;
    if is_copy(&own, path)? {
        return Ok(false);
    }
    files::copy_atomic(&mut own, path, 0o755)?;
    Ok(true)
}

/// As long and as old: two builds of one second that have the same length are the same version.
fn is_copy(own: &File, path: &Path) -> io::Result<bool> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    let own = own.metadata()?;
    Ok(found.is_file()
        && found.len() == own.len()
        && found.modified()? == own.modified()?
        && found.permissions().mode() & 0o7777 == 0o755)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_made_once_and_again_when_the_program_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (own, copied) = (folder.path().join("own"), folder.path().join("bin/hostkit"));
        fs::write(&own, "one").unwrap();
        assert!(copy(&own, &copied).unwrap());
        assert!(!copy(&own, &copied).unwrap());
        assert_eq!(
            fs::metadata(&copied).unwrap().permissions().mode() & 0o7777,
            0o755
        );
        // A unit that was started by the one before keeps it open.
        let before = File::open(&copied).unwrap();
        fs::write(&own, "another").unwrap();
        assert!(copy(&own, &copied).unwrap());
        assert_eq!(fs::read_to_string(&copied).unwrap(), "another");
        assert_eq!(io::read_to_string(before).unwrap(), "one");
        let names = fs::read_dir(folder.path().join("bin")).unwrap().count();
        assert_eq!(names, 1);
    }

    #[test]
    fn what_somebody_put_in_its_place_is_replaced_and_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (own, copied) = (folder.path().join("own"), folder.path().join("bin/hostkit"));
        fs::write(&own, "one").unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        std::os::unix::fs::symlink("../own", &copied).unwrap();
        assert!(copy(&own, &copied).unwrap());
        assert!(fs::symlink_metadata(&copied).unwrap().is_file());
        fs::set_permissions(&copied, Permissions::from_mode(0o777)).unwrap();
        assert!(copy(&own, &copied).unwrap());
        assert!(!copy(&own, &copied).unwrap());
    }

    #[test]
    fn this_program_can_be_copied() {
        let folder = tempfile::tempdir().unwrap();
        assert!(ensure(&folder.path().join("hostkit")).unwrap());
        let own = fs::metadata(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(
            fs::metadata(folder.path().join("hostkit")).unwrap().len(),
            own.len()
        );
    }
}
