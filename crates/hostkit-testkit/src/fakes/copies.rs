//! Copies of what a fake Redis keeps: bytes in memory, one part for each label.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::{StreamExt, stream};
use hostkit_core::addon::AddonKind;
use hostkit_core::backup::part::{Counts, PartKind, PartName};
use hostkit_core::backup::target::TargetSettings;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{BackupTarget, BackupTargets, Copies, CopyOf, Counting, Export, LeftOut, Pieces};

use super::FakeBackupTarget;
use super::faults::{Faults, Journal, locked};

const KIND: PartKind = PartKind::Addon(AddonKind::Redis);
/// Bytes of a piece.
const PIECE: usize = 50_000;

/// What is kept, by environment and part.
type Kept = BTreeMap<(EnvironmentId, PartName), Vec<u8>>;

/// Keeps bytes. Clones share them. Faults: `"parts"`, `"export"`, `"stage"`, `"take_place"`.
#[derive(Debug, Clone, Default)]
pub struct FakeCopies {
    /// Faults by method.
    pub faults: Faults,
    /// What was done: `stage redis`, `take_place redis`, `discard redis`.
    pub journal: Journal,
    kept: Arc<Mutex<Kept>>,
    staged: Arc<Mutex<Kept>>,
    loses: Arc<Mutex<usize>>,
}

impl FakeCopies {
    /// Puts bytes into a part.
    pub fn set(&self, id: &EnvironmentId, part: &str, bytes: Vec<u8>) {
        if let Ok(part) = part.parse() {
            locked(&self.kept).insert((id.clone(), part), bytes);
        }
    }

    /// What is in a part; nothing where there is none.
    pub fn get(&self, id: &EnvironmentId, part: &str) -> Option<Vec<u8>> {
        locked(&self.kept).get(&(id.clone(), part.parse().ok()?)).cloned()
    }

    /// How many parts wait to take a place.
    pub fn staged(&self) -> usize {
        locked(&self.staged).len()
    }

    /// Each copy that is brought in lacks so many bytes.
    pub fn set_loses(&self, bytes: usize) {
        *locked(&self.loses) = bytes;
    }
}

fn key(of: &CopyOf, part: &PartName) -> (EnvironmentId, PartName) {
    (of.environment.clone(), part.clone())
}

fn counts(bytes: &[u8]) -> Counts {
    [("bytes".to_owned(), bytes.len() as u64)].into()
}

#[async_trait::async_trait]
impl Copies for FakeCopies {
    fn kind(&self) -> PartKind {
        KIND
    }

    fn covers(&self, of: &CopyOf) -> bool {
        of.order.as_ref().is_none_or(|order| !order.settings.outside)
    }

    async fn parts(&self, of: &CopyOf) -> Result<Vec<PartName>, Failure> {
        self.faults.pass("parts").await?;
        let kept = locked(&self.kept);
        let theirs = kept.keys().filter(|(id, _)| *id == of.environment);
        let mut parts: Vec<PartName> = theirs.map(|(_, part)| part.clone()).collect();
        if parts.is_empty() {
            parts.push(PartName::main(KIND));
        }
        Ok(parts)
    }

    async fn export(&self, of: &CopyOf, part: &PartName) -> Result<Export, Failure> {
        self.faults.pass("export").await?;
        let bytes = locked(&self.kept)
            .get(&key(of, part))
            .cloned()
            .unwrap_or_default();
        let pieces: Vec<_> = bytes.chunks(PIECE).map(|piece| Ok(piece.to_vec())).collect();
        Ok(Export {
            pieces: Box::pin(stream::iter(pieces)),
            counting: Counting::known(counts(&bytes)),
            left_out: LeftOut::default(),
        })
    }

    async fn stage(&self, of: &CopyOf, part: &PartName, mut content: Pieces) -> Result<Counts, Failure> {
        self.faults.pass("stage").await?;
        locked(&self.staged).remove(&key(of, part));
        let mut all = Vec::new();
        while let Some(piece) = content.next().await {
            let piece = piece
                .map_err(|why| Failure::new(Kind::Unavailable, format!("cannot bring `{part}` in: {why}")))?;
            all.extend(piece);
        }
        all.truncate(all.len().saturating_sub(*locked(&self.loses)));
        let found = counts(&all);
        locked(&self.staged).insert(key(of, part), all);
        self.journal.note(format!("stage {part}"));
        Ok(found)
    }

    async fn take_place(&self, of: &CopyOf, part: &PartName) -> Result<(), Failure> {
        self.faults.pass("take_place").await?;
        let Some(bytes) = locked(&self.staged).remove(&key(of, part)) else {
            return Err(Failure::new(
                Kind::NotFound,
                "cannot take a place: nothing is staged",
            ));
        };
        locked(&self.kept).insert(key(of, part), bytes);
        self.journal.note(format!("take_place {part}"));
        Ok(())
    }

    async fn discard(&self, of: &CopyOf, part: &PartName) -> Result<(), Failure> {
        if locked(&self.staged).remove(&key(of, part)).is_some() {
            self.journal.note(format!("discard {part}"));
        }
        Ok(())
    }
}

/// The same target in memory for all settings.
#[async_trait::async_trait]
impl BackupTargets for FakeBackupTarget {
    fn open(&self, _settings: &TargetSettings) -> Result<Arc<dyn BackupTarget>, Failure> {
        Ok(Arc::new(self.clone()))
    }

    async fn set_up(&self, _settings: &TargetSettings) -> Result<(), Failure> {
        self.faults.pass("set_up").await
    }
}
