//! What stays across deployments: files and folders of the release that are links into `shared/`.

use std::io;
use std::path::Path;

use hostkit_core::names::RelativePath;
use hostkit_core::traits::Files;

/// Makes each kept path of a release a link into `shared`. What the first release ships moves there; what later
/// ones ship gives way. Idempotent.
pub(super) fn link(
    files: &dyn Files,
    release: &Path,
    shared: &Path,
    keep: &[RelativePath],
) -> io::Result<()> {
    for path in keep {
        let (place, kept) = (path.under(release), path.under(shared));
        real_folders(files, release, path)?;
        real_folders(files, shared, path)?;
        if !files.exists(&kept) {
            if files.exists(&place) {
                files.rename(&place, &kept)?;
            } else if !looks_like_file(path) {
                files.create_folder(&kept)?;
            }
        } else if files.is_folder(&place) {
            files.remove(&place)?;
        }
        files.point_link(&place, &kept)?;
    }
    Ok(())
}

/// Makes the folders above a path, and refuses links among them: they could lead out of the release.
pub(super) fn real_folders(files: &dyn Files, base: &Path, path: &RelativePath) -> io::Result<()> {
    files.create_folder(base)?;
    let mut folder = base.to_path_buf();
    let parts: Vec<&str> = path.as_str().split('/').collect();
    for part in &parts[..parts.len().saturating_sub(1)] {
        folder.push(part);
        if !files.exists(&folder) {
            files.create_folder(&folder)?;
        } else if !files.is_folder(&folder) {
            return Err(io::Error::other(format!(
                "`{}` is not a folder",
                folder.display()
            )));
        }
    }
    Ok(())
}

/// Of what does not exist yet: `data/app.db` shall be a file, `uploads` a folder.
fn looks_like_file(path: &RelativePath) -> bool {
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    name.trim_start_matches('.').contains('.')
}
