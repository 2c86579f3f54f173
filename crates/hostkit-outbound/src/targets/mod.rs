//! Where backups are kept, one folder each.

pub mod folder;
pub mod s3;

use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::backup::target::TargetSettings;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::{BackupTarget, BackupTargets};

use folder::FolderTarget;
use s3::S3Target;

/// The target that settings name: the one place that knows every kind. Touches nothing yet: whether it can be used is seen
/// when it is.
pub fn open(settings: &TargetSettings) -> Result<Arc<dyn BackupTarget>, Failure> {
    Ok(match settings {
        TargetSettings::Folder(path) => Arc::new(FolderTarget::new(path)),
        TargetSettings::S3(s3) => Arc::new(S3Target::open(s3)?),
    })
}

/// Every kind of target, as the engine sees them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Targets;

#[async_trait]
impl BackupTargets for Targets {
    fn open(&self, settings: &TargetSettings) -> Result<Arc<dyn BackupTarget>, Failure> {
        open(settings)
    }

    async fn set_up(&self, settings: &TargetSettings) -> Result<(), Failure> {
        if let TargetSettings::Folder(path) = settings {
            let root = path.clone();
            let made = tokio::task::spawn_blocking(move || FolderTarget::set_up(&root)).await;
            made.map_err(|why| Failure::new(Kind::Internal, format!("cannot set up a target: {why}")))??;
        }
        open(settings)?.list(None).await.map(drop)
    }
}
