//! Symbolic links are sent as links. One that leads out of the folder would lead nowhere on the server.

use std::path::{Component, Path};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::RelativePath;

/// The target as written, if it stays inside the tree.
pub(super) fn check(link: &RelativePath, target: &Path) -> Result<String, Failure> {
    let refused = |why: &str| {
        Failure::new(
            Kind::Invalid,
            format!("cannot upload the link `{link}` -> `{}`: {why}", target.display()),
        )
        .hint("replace it by what it points to, or name it in .hostkitignore")
    };
    let text = target
        .to_str()
        .ok_or_else(|| refused("its target is not UTF-8"))?;
    let mut depth = link.as_str().matches('/').count();
    for part in target.components() {
        match part {
            Component::RootDir | Component::Prefix(_) => return Err(refused("it leads to an absolute path")),
            Component::ParentDir => {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| refused("it leads out of the folder"))?;
            }
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
        }
    }
    Ok(text.to_owned())
}
