//! What lies on the disk, by hashes: enough to look for an answer and to know which ones have to make room.

use std::collections::HashSet;
use std::sync::Arc;

use quick_cache::sync::Cache as Kept;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};

/// The most forms of one answer.
const MOST_FORMS: usize = 16;
/// What a file takes at the least, and a multiple of which it takes.
const BLOCK: u64 = 4096;

/// A release of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ScopeId(pub(super) [u8; 16]);

impl ScopeId {
    /// That of a release of a route.
    pub(in crate::cache) fn of(route: &str, release: &str) -> ScopeId {
        let mut hasher = blake3::Hasher::new();
        // The length stands before, so that no two pairs are written alike.
        hasher.update(&(route.len() as u64).to_le_bytes());
        hasher.update(route.as_bytes());
        hasher.update(release.as_bytes());
        ScopeId(beginning(&hasher.finalize()))
    }
}

/// All forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileKey {
    pub(super) scope: ScopeId,
    pub(super) key: [u8; 16],
}

impl FileKey {
    /// Those of a key without the number of its scope, which is another one in each process.
    pub(in crate::cache) fn of(scope: ScopeId, key: &[u8]) -> FileKey {
        FileKey {
            scope,
            key: beginning(&blake3::hash(key)),
        }
    }
}

fn beginning(hash: &blake3::Hash) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    bytes
}

/// Names a form of an answer.
pub(super) type FormId = [u8; 8];

/// One file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) id: FormId,
    /// How much of the disk it takes.
    pub(super) bytes: u64,
}

impl Form {
    /// One in a file of so many bytes.
    pub(super) fn new(id: FormId, length: u64) -> Form {
        Form {
            id,
            bytes: length.div_ceil(BLOCK).max(1) * BLOCK,
        }
    }
}

/// The newest first.
pub(super) type Forms = Arc<[Form]>;

#[derive(Clone)]
struct ByBytes;

impl Weighter<FileKey, Forms> for ByBytes {
    fn weight(&self, _: &FileKey, forms: &Forms) -> u64 {
        forms.iter().map(|form| form.bytes).sum()
    }
}

#[derive(Clone)]
struct PushedOut;

impl Lifecycle<FileKey, Forms> for PushedOut {
    type RequestState = Vec<(FileKey, Forms)>;

    fn begin_request(&self) -> Self::RequestState {
        Vec::new()
    }

    fn on_evict(&self, pushed_out: &mut Self::RequestState, file: FileKey, forms: Forms) {
        pushed_out.push((file, forms));
    }
}

/// The index.
pub(super) struct Index(Kept<FileKey, Forms, ByBytes, DefaultHashBuilder, PushedOut>);

impl Index {
    /// An empty one, of files that take `most` bytes at the most.
    pub(super) fn new(most: u64) -> Index {
        // A guess: answers of 32 KB.
        let expected = (most / (32 << 10)).clamp(64, 50_000) as usize;
        let options = OptionsBuilder::new()
            .estimated_items_capacity(expected)
            .weight_capacity(most)
            .shards(1)
            .build();
        let hashes = DefaultHashBuilder::default();
        Index(match options {
            Ok(options) => Kept::with_options(options, ByBytes, hashes, PushedOut),
            Err(_) => Kept::with(expected, most, ByBytes, hashes, PushedOut),
        })
    }

    /// The forms of an answer. Counts as a use of it.
    pub(super) fn get(&self, file: &FileKey) -> Option<Forms> {
        self.0.get(file)
    }

    /// The same, which does not count.
    pub(super) fn peek(&self, file: &FileKey) -> Option<Forms> {
        self.0.peek(file)
    }

    /// Whether there is such a form.
    pub(super) fn has(&self, file: &FileKey, id: FormId) -> bool {
        let forms = self.0.peek(file);
        forms.is_some_and(|forms| forms.iter().any(|form| form.id == id))
    }

    /// Notes a form, in the place of the same one. Returns what has to go for it.
    pub(super) fn insert(&self, file: FileKey, form: Form) -> Vec<(FileKey, Forms)> {
        let before = self.0.peek(&file);
        let others = before
            .iter()
            .flat_map(|forms| forms.iter().copied())
            .filter(|other| other.id != form.id);
        let mut forms: Vec<Form> = std::iter::once(form).chain(others).collect();
        let too_many = forms.split_off(forms.len().min(MOST_FORMS));
        let mut gone = self.0.insert_with_lifecycle(file, forms.into());
        if self.0.contains_key(&file) {
            // What was only replaced is among them.
            gone.retain(|(other, _)| *other != file);
        }
        if !too_many.is_empty() {
            gone.push((file, too_many.into()));
        }
        gone
    }

    /// Forgets an answer, and says which forms it had.
    pub(super) fn remove(&self, file: &FileKey) -> Option<Forms> {
        self.0.remove(file).map(|(_, forms)| forms)
    }

    /// Forgets all answers of a scope, and says which there were.
    pub(super) fn remove_scope(&self, scope: ScopeId) -> HashSet<FileKey> {
        let found: HashSet<FileKey> = self.of_scope(scope);
        for file in &found {
            self.0.remove(file);
        }
        found
    }

    /// The answers of a scope.
    pub(super) fn of_scope(&self, scope: ScopeId) -> HashSet<FileKey> {
        self.0
            .iter()
            .map(|(file, _)| file)
            .filter(|file| file.scope == scope)
            .collect()
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.0.clear();
    }

    /// How many addresses there is an answer for.
    pub(super) fn addresses(&self) -> u64 {
        self.0.len() as u64
    }

    /// How many bytes their files take.
    pub(super) fn bytes(&self) -> u64 {
        self.0.weight()
    }
}
