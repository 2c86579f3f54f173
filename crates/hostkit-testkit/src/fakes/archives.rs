//! Archives in memory.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hostkit_core::kind::Failure;
use hostkit_core::names::ProjectName;
use hostkit_core::traits::{Archive, Archives};
use jiff::Timestamp;

use super::faults::{Faults, Journal, locked};

/// Archives that exist in memory, each made at the time of its number. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct FakeArchives {
    /// Faults of `"check"` and `"keep"`.
    pub faults: Faults,
    /// What was made: `archive shop`.
    pub journal: Journal,
    made: Arc<Mutex<Vec<(ProjectName, Timestamp)>>>,
}

#[async_trait]
impl Archives for FakeArchives {
    async fn check(&self, _: &ProjectName) -> Result<(), Failure> {
        self.faults.pass("check").await
    }

    async fn keep(&self, project: &ProjectName, since: Timestamp) -> Result<Option<Archive>, Failure> {
        self.faults.pass("keep").await?;
        let mut made = locked(&self.made);
        let there = made.iter().position(|(name, at)| name == project && *at >= since);
        let number = there.unwrap_or_else(|| {
            self.journal.note(format!("archive {project}"));
            made.push((project.clone(), Timestamp::now().max(since)));
            made.len() - 1
        });
        Ok(Some(Archive {
            file: format!("/archives/{project}-{number}.tar.zst"),
            bytes: 1,
        }))
    }
}
