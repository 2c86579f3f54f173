//! Where backups are kept, one folder each.

pub mod folder;
pub mod s3;

use std::sync::Arc;

use hostkit_core::backup::target::TargetSettings;
use hostkit_core::kind::Failure;
use hostkit_core::traits::BackupTarget;

use folder::FolderTarget;
use s3::S3Target;

/// The target that settings name. Touches nothing yet: whether it can be used is seen when it is.
pub fn open(settings: &TargetSettings) -> Result<Arc<dyn BackupTarget>, Failure> {
    Ok(match settings {
        TargetSettings::Folder(path) => Arc::new(FolderTarget::new(path)),
        TargetSettings::S3(s3) => Arc::new(S3Target::open(s3)?),
    })
}
