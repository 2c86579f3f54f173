//! The keys of operators, given as text and named by whatever a person knows them by.

use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProjectName;
use hostkit_core::traits::{OperatorKey, OperatorKeys};

use super::{Fingerprint, PublicKey, SshKeys};

/// Text for people in front of files of keys.
#[derive(Clone)]
pub struct KeysOfOperators(Arc<dyn SshKeys>);

impl KeysOfOperators {
    /// In front of these files.
    pub fn new(keys: Arc<dyn SshKeys>) -> Self {
        KeysOfOperators(keys)
    }
}

fn shown(key: &PublicKey) -> OperatorKey {
    OperatorKey {
        fingerprint: key.fingerprint().to_string(),
        kind: key.kind().to_owned(),
        comment: key.comment().to_owned(),
    }
}

#[async_trait]
impl OperatorKeys for KeysOfOperators {
    async fn list(&self, project: &ProjectName) -> Result<Vec<OperatorKey>, Failure> {
        let mut keys: Vec<OperatorKey> = Vec::new();
        for found in self.0.list(project).await? {
            let key = shown(&found.key);
            // A key may stand in several lines of a file that was written by hand.
            if !keys.iter().any(|there| there.fingerprint == key.fingerprint) {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    async fn add(&self, project: &ProjectName, line: &str) -> Result<(OperatorKey, bool), Failure> {
        let key = PublicKey::parse(line)?;
        let is_new = self.0.add(project, &key).await?.is_made();
        Ok((shown(&key), is_new))
    }

    async fn remove(&self, project: &ProjectName, which: &str) -> Result<OperatorKey, Failure> {
        let which = which.trim();
        let wanted = match (PublicKey::parse(which), Fingerprint::parse(which)) {
            (Ok(key), _) => Some(key.fingerprint()),
            (_, Ok(fingerprint)) => Some(fingerprint),
            _ => None,
        };
        let is_meant = |key: &OperatorKey| match &wanted {
            Some(fingerprint) => key.fingerprint == fingerprint.as_str(),
            None => !which.is_empty() && key.comment == which,
        };
        let mut meant: Vec<OperatorKey> = self.list(project).await?.into_iter().filter(is_meant).collect();
        let Some(key) = meant.pop() else {
            return Err(Failure::new(
                Kind::NotFound,
                format!("cannot take a key of `{project}` away: none of its keys is the one that is named"),
            )
            .hint(format!("hostkit access list {project}")));
        };
        if !meant.is_empty() {
            meant.push(key);
            let several = meant
                .iter()
                .map(|key| format!("{} {}", key.fingerprint, key.kind));
            return Err(Failure::new(
                Kind::Conflict,
                format!("cannot take a key of `{project}` away: several have this comment"),
            )
            .hint("name it by its fingerprint")
            .details(several.collect()));
        }
        let _ = self
            .0
            .remove(project, &Fingerprint::parse(&key.fingerprint)?)
            .await?;
        Ok(key)
    }
}
