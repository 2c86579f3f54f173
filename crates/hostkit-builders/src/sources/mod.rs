//! Uploaded sources: content stored once per project by its hash, trees as sorted lists of entries. The one place
//! where archives are unpacked.

mod checkout;
mod content;
mod prune;
mod rules;
mod unpack;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::names::ProjectName;
use hostkit_core::source::{ContentHash, SourceContent, SourceFile, SourceId, SourceLimits};
use hostkit_core::traits::Sources;

use crate::blocking::{aside, cannot};
use content::Contents;

/// The sources of all projects, below one data folder.
#[derive(Debug, Clone)]
pub struct UploadStore {
    layout: Layout,
    limits: SourceLimits,
    grace: Duration,
}

impl UploadStore {
    /// A store with the usual limits. What is younger than ten minutes is not pruned: an upload or a deployment
    /// that is about to name it may be under way.
    pub fn new(layout: Layout) -> Self {
        UploadStore {
            layout,
            limits: SourceLimits::default(),
            grace: Duration::from_secs(600),
        }
    }

    /// The same store with other limits.
    pub fn with_limits(mut self, limits: SourceLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The same store with another time during which new things are not pruned.
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    fn of(&self, project: &ProjectName) -> ProjectSources {
        ProjectSources {
            contents: Contents::in_folder(self.layout.blobs(project)),
            lists: self.layout.sources(project),
            project: self.layout.project(project),
            limits: self.limits,
            grace: self.grace,
        }
    }
}

/// The sources of one project. All methods block.
#[derive(Debug, Clone)]
struct ProjectSources {
    contents: Contents,
    lists: PathBuf,
    project: PathBuf,
    limits: SourceLimits,
    grace: Duration,
}

impl ProjectSources {
    fn missing(&self, files: &[SourceFile]) -> Result<Vec<ContentHash>, Failure> {
        if files.len() > self.limits.files {
            return Err(rules::too_large(&format!(
                "it has {} entries, at most {} are taken",
                files.len(),
                self.limits.files
            )));
        }
        let mut asked = BTreeSet::new();
        let mut missing = Vec::new();
        for file in files {
            if let SourceContent::File { hash, size, .. } = &file.content
                && asked.insert(hash)
                && !self.contents.claim(hash, *size, self.grace)
            {
                missing.push(hash.clone());
            }
        }
        Ok(missing)
    }

    fn put(&self, hash: &ContentHash, path: &Path) -> Result<(), Failure> {
        if !path.starts_with(&self.project) {
            return Err(Failure::new(
                Kind::Internal,
                "cannot store the content: it lies outside the project's folder",
            ));
        }
        self.contents.take(hash, path)
    }

    fn commit(&self, files: Vec<SourceFile>) -> Result<SourceId, Failure> {
        let files = rules::checked(files, &self.limits)?;
        for file in &files {
            if let SourceContent::File { hash, size, .. } = &file.content
                && !self.contents.has(hash, *size)
            {
                return Err(Failure::new(
                    Kind::Conflict,
                    format!(
                        "cannot take the source: the content of `{}` ({size} bytes) was not uploaded",
                        file.path
                    ),
                )
                .hint("deploy again: the files changed while they were sent"));
            }
        }
        let id = rules::name_of(&files);
        let text = serde_json::to_vec(&files)
            .map_err(|why| Failure::new(Kind::Internal, format!("cannot write the source list: {why}")))?;
        let path = self.list_path(&id);
        fs::create_dir_all(&self.lists).map_err(cannot("create", &self.lists))?;
        let mut file = tempfile::NamedTempFile::new_in(&self.lists).map_err(cannot("write", &path))?;
        io::Write::write_all(&mut file, &text).map_err(cannot("write", &path))?;
        file.as_file().sync_all().map_err(cannot("write", &path))?;
        file.persist(&path)
            .map_err(|why| cannot("write", &path)(why.error))?;
        Ok(id)
    }

    fn list(&self, id: &SourceId) -> Result<Vec<SourceFile>, Failure> {
        let path = self.list_path(id);
        let text = fs::read(&path).map_err(|why| match why.kind() {
            io::ErrorKind::NotFound => Failure::new(
                Kind::NotFound,
                format!("cannot find the source `{id}`: it is not stored any more"),
            )
            .hint("deploy again from the folder"),
            _ => cannot("read", &path)(why),
        })?;
        serde_json::from_slice(&text)
            .map_err(|why| Failure::new(Kind::Internal, format!("cannot read `{}`: {why}", path.display())))
    }

    fn list_path(&self, id: &SourceId) -> PathBuf {
        self.lists.join(format!("{id}.json"))
    }
}

#[async_trait::async_trait]
impl Sources for UploadStore {
    async fn missing(
        &self,
        project: &ProjectName,
        files: &[SourceFile],
    ) -> Result<Vec<ContentHash>, Failure> {
        let (store, files) = (self.of(project), files.to_vec());
        aside(move || store.missing(&files)).await
    }

    async fn put(&self, project: &ProjectName, hash: &ContentHash, path: &Path) -> Result<(), Failure> {
        let (store, hash, path) = (self.of(project), hash.clone(), path.to_owned());
        aside(move || store.put(&hash, &path)).await
    }

    async fn commit(&self, project: &ProjectName, files: Vec<SourceFile>) -> Result<SourceId, Failure> {
        let store = self.of(project);
        aside(move || store.commit(files)).await
    }

    async fn unpack(&self, project: &ProjectName, path: &Path) -> Result<SourceId, Failure> {
        let (store, path) = (self.of(project), path.to_owned());
        aside(move || store.unpack(&path)).await
    }

    async fn list(&self, project: &ProjectName, id: &SourceId) -> Result<Vec<SourceFile>, Failure> {
        let (store, id) = (self.of(project), id.clone());
        aside(move || store.list(&id)).await
    }

    async fn read(
        &self,
        project: &ProjectName,
        hash: &ContentHash,
        limit: usize,
    ) -> Result<Vec<u8>, Failure> {
        let (store, hash) = (self.of(project), hash.clone());
        aside(move || store.contents.read(&hash, limit)).await
    }

    async fn fetch(&self, project: &ProjectName, id: &SourceId, into: &Path) -> Result<u64, Failure> {
        let (store, id, into) = (self.of(project), id.clone(), into.to_owned());
        aside(move || store.fetch(&id, &into)).await
    }

    async fn prune(&self, project: &ProjectName, keep: &[SourceId]) -> Result<u64, Failure> {
        let (store, keep) = (self.of(project), keep.to_vec());
        aside(move || store.prune(&keep)).await
    }
}

#[cfg(test)]
mod tests;
