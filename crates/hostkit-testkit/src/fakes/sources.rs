//! Sources kept in memory. Hashes are not BLAKE3, only different for different content.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{ProjectName, RelativePath};
use hostkit_core::source::{ContentHash, SourceContent, SourceFile, SourceId};
use hostkit_core::traits::Sources;

use super::faults::locked;
use super::{Faults, Journal};

/// So long trees stay that nothing names: they were stored for a deployment that is asked for next.
const GRACE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Store {
    contents: HashMap<ContentHash, Vec<u8>>,
    trees: BTreeMap<SourceId, Vec<SourceFile>>,
    stored_at: HashMap<SourceId, Instant>,
}

/// Source trees in memory. Faults by method name. Clones share one state.
#[derive(Clone, Default)]
pub struct FakeSources {
    stores: Arc<Mutex<HashMap<ProjectName, Store>>>,
    /// `fetch shop`, `prune shop` …
    pub journal: Journal,
    /// Faults by method.
    pub faults: Faults,
}

fn hash_of(bytes: &[u8]) -> ContentHash {
    let hex: String = (0u8..4)
        .map(|salt| {
            let mut hasher = DefaultHasher::new();
            (salt, bytes).hash(&mut hasher);
            format!("{:016x}", hasher.finish())
        })
        .collect();
    ContentHash::parse(&hex).unwrap_or_else(|| unreachable!("four words of 16 digits"))
}

fn internal(what: &str, why: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::Internal, format!("cannot {what}: {why}"))
}

impl FakeSources {
    /// Sources that write to `journal`.
    pub fn new(journal: &Journal) -> Self {
        FakeSources {
            journal: journal.clone(),
            ..FakeSources::default()
        }
    }

    /// Stores a tree of text files and names it.
    pub fn add(&self, project: &ProjectName, files: &[(&str, &str)]) -> SourceId {
        let mut stores = locked(&self.stores);
        let store = stores.entry(project.clone()).or_default();
        let files = files
            .iter()
            .filter_map(|(path, text)| {
                let hash = hash_of(text.as_bytes());
                store.contents.insert(hash.clone(), text.as_bytes().to_vec());
                let content = SourceContent::File {
                    hash,
                    size: text.len() as u64,
                    executable: false,
                };
                Some(SourceFile {
                    path: RelativePath::parse(path).ok()?,
                    content,
                })
            })
            .collect();
        store.freeze(files)
    }

    /// The trees that are stored for a project.
    pub fn trees(&self, project: &ProjectName) -> Vec<SourceId> {
        locked(&self.stores)
            .get(project)
            .map(|s| s.trees.keys().cloned().collect())
            .unwrap_or_default()
    }
}

impl Store {
    fn freeze(&mut self, mut files: Vec<SourceFile>) -> SourceId {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let id = hash_of(format!("{files:?}").as_bytes());
        self.trees.insert(id.clone(), files);
        self.stored_at.insert(id.clone(), Instant::now());
        id
    }
}

#[async_trait::async_trait]
impl Sources for FakeSources {
    async fn missing(
        &self,
        project: &ProjectName,
        files: &[SourceFile],
    ) -> Result<Vec<ContentHash>, Failure> {
        self.faults.pass("missing").await?;
        let mut stores = locked(&self.stores);
        let store = stores.entry(project.clone()).or_default();
        Ok(files
            .iter()
            .filter_map(|file| match &file.content {
                SourceContent::File { hash, .. } if !store.contents.contains_key(hash) => Some(hash.clone()),
                _ => None,
            })
            .collect())
    }

    async fn put(&self, project: &ProjectName, hash: &ContentHash, path: &Path) -> Result<(), Failure> {
        self.faults.pass("put").await?;
        let bytes = std::fs::read(path).map_err(|e| internal("store a content", e))?;
        std::fs::remove_file(path).map_err(|e| internal("store a content", e))?;
        locked(&self.stores)
            .entry(project.clone())
            .or_default()
            .contents
            .insert(hash.clone(), bytes);
        Ok(())
    }

    async fn commit(&self, project: &ProjectName, files: Vec<SourceFile>) -> Result<SourceId, Failure> {
        self.faults.pass("commit").await?;
        Ok(locked(&self.stores)
            .entry(project.clone())
            .or_default()
            .freeze(files))
    }

    async fn unpack(&self, project: &ProjectName, path: &Path) -> Result<SourceId, Failure> {
        self.faults.pass("unpack").await?;
        let text = std::fs::read_to_string(path).map_err(|e| internal("unpack an archive", e))?;
        Ok(self.add(project, &[("archive", &text)]))
    }

    async fn list(&self, project: &ProjectName, id: &SourceId) -> Result<Vec<SourceFile>, Failure> {
        self.faults.pass("list").await?;
        locked(&self.stores)
            .get(project)
            .and_then(|store| store.trees.get(id).cloned())
            .ok_or_else(|| {
                Failure::new(
                    Kind::NotFound,
                    format!("cannot list source `{id}`: it is not stored"),
                )
            })
    }

    async fn read(
        &self,
        project: &ProjectName,
        hash: &ContentHash,
        limit: usize,
    ) -> Result<Vec<u8>, Failure> {
        self.journal.note(format!("read {project}"));
        self.faults.pass("read").await?;
        let stores = locked(&self.stores);
        let content = stores.get(project).and_then(|store| store.contents.get(hash));
        let content = content
            .ok_or_else(|| Failure::new(Kind::Internal, format!("cannot read `{hash}`: it is not stored")))?;
        Ok(content[..content.len().min(limit)].to_vec())
    }

    async fn fetch(&self, project: &ProjectName, id: &SourceId, into: &Path) -> Result<u64, Failure> {
        self.journal.note(format!("fetch {project}"));
        self.faults.pass("fetch").await?;
        let files = self.list(project, id).await?;
        let stores = locked(&self.stores);
        std::fs::create_dir_all(into).map_err(|e| internal("write a source", e))?;
        let mut total = 0;
        for file in files {
            let path = file.path.under(into);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(|e| internal("write a source", e))?;
            }
            match file.content {
                SourceContent::Link { target } => std::os::unix::fs::symlink(target, &path),
                SourceContent::File {
                    hash,
                    size,
                    executable,
                } => {
                    total += size;
                    let bytes = stores.get(project).and_then(|s| s.contents.get(&hash));
                    std::fs::write(&path, bytes.map(Vec::as_slice).unwrap_or_default()).and_then(|()| {
                        let mode = if executable { 0o755 } else { 0o644 };
                        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))
                    })
                }
            }
            .map_err(|e| internal("write a source", e))?;
        }
        Ok(total)
    }

    async fn prune(&self, project: &ProjectName, keep: &[SourceId]) -> Result<u64, Failure> {
        self.journal.note(format!("prune {project}"));
        self.faults.pass("prune").await?;
        if let Some(store) = locked(&self.stores).get_mut(project) {
            let is_fresh = |id: &SourceId| store.stored_at.get(id).is_some_and(|at| at.elapsed() < GRACE);
            store.trees.retain(|id, _| keep.contains(id) || is_fresh(id));
        }
        Ok(0)
    }
}
