//! A server in memory that files every change of what a fake Redis keeps: a change is what an environment has from then on.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use futures_util::{StreamExt, TryStreamExt, stream};
use hostkit_core::addon::AddonKind;
use hostkit_core::backup::history::LogPiece;
use hostkit_core::backup::part::{PartKind, PartName};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{
    BaseCopy, Clock, CopyOf, Counting, Export, FiledPiece, History, LeftOut, Log, Past, Pieces, Recovery,
};
use jiff::Timestamp;

use super::FakeClock;
use super::faults::{Faults, Journal, locked};

/// What its number is.
const SERVER: &str = "7312345678901234567";
/// What a change is of that only shows that time went on.
const NOBODY: &str = "";

/// When, whose, and what they have from then on.
type Change = (Timestamp, String, Vec<u8>);

/// Files changes. Clones share them. Faults: `"settle"`, `"needs_start"`, `"start_anew"`, `"filed"`, `"read"`, `"forget"`, `"file_now"`, `"base"`,
/// `"recover"`, `"export"`.
#[derive(Debug, Clone)]
pub struct FakeHistory {
    /// Faults by method.
    pub faults: Faults,
    /// What was done: `start anew`, `forget 0000…`, `recover shop/production`, `end shop/production`, `sweep shop/production`.
    pub journal: Journal,
    clock: FakeClock,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    is_on: bool,
    needs_start: bool,
    all: Vec<Change>,
    /// What is in the piece that is being written.
    open: Vec<Change>,
    piece: LogPiece,
    filed: BTreeMap<LogPiece, (Timestamp, Vec<u8>)>,
    /// What lies there as a link, and is not read.
    link: Option<LogPiece>,
    pasts: usize,
}

impl FakeHistory {
    /// One that goes by `clock`.
    pub fn new(clock: &FakeClock) -> Self {
        let piece = LogPiece::parse("000000010000000000000001");
        FakeHistory {
            faults: Faults::default(),
            journal: Journal::default(),
            clock: clock.clone(),
            inner: Arc::new(Mutex::new(Inner {
                is_on: false,
                needs_start: false,
                all: Vec::new(),
                open: Vec::new(),
                piece: piece.unwrap_or_else(|why| unreachable!("{why}")),
                filed: BTreeMap::new(),
                link: None,
                pasts: 0,
            })),
        }
    }

    /// From now on it files nothing before it is started anew.
    pub fn lose_start(&self) {
        locked(&self.inner).needs_start = true;
    }

    /// An environment has this from now on.
    pub fn write(&self, id: &EnvironmentId, bytes: &[u8]) {
        self.change(id.to_string(), bytes.to_vec());
    }

    /// Ends the piece that is being written.
    pub fn end_piece(&self) {
        let now = self.clock.now();
        let mut inner = locked(&self.inner);
        let content = serde_json::to_vec(&std::mem::take(&mut inner.open)).unwrap_or_default();
        let Some(next) = inner.piece.next() else { return };
        let ended = std::mem::replace(&mut inner.piece, next);
        if inner.is_on {
            inner.filed.insert(ended, (now, content));
        }
    }

    /// Somebody puts a link in the place of a piece that comes before all others.
    pub fn plant_link(&self) {
        let now = self.clock.now();
        let mut inner = locked(&self.inner);
        inner.link = LogPiece::parse("000000010000000000000000").ok();
        if let Some(link) = inner.link.clone() {
            inner.filed.insert(link, (now, Vec::new()));
        }
    }

    /// How many servers there are as they were.
    pub fn pasts(&self) -> usize {
        locked(&self.inner).pasts
    }

    fn change(&self, whose: String, bytes: Vec<u8>) {
        let change = (self.clock.now(), whose, bytes);
        let mut inner = locked(&self.inner);
        inner.all.push(change.clone());
        inner.open.push(change);
    }
}

fn pieces(bytes: Vec<u8>) -> Pieces {
    Box::pin(stream::iter([Ok(bytes)]))
}

async fn read_changes(pieces: Pieces, what: &str) -> Result<Vec<Change>, Failure> {
    let read: io::Result<Vec<Vec<u8>>> = pieces.try_collect().await;
    let read = read.map_err(|why| Failure::new(Kind::Unavailable, format!("cannot read {what}: {why}")))?;
    serde_json::from_slice(&read.concat())
        .map_err(|why| Failure::new(Kind::Failed, format!("cannot read {what}: {why}")))
}

#[async_trait::async_trait]
impl History for FakeHistory {
    fn kind(&self) -> AddonKind {
        AddonKind::Redis
    }

    async fn settle(&self, on: bool) -> Result<Option<String>, Failure> {
        self.faults.pass("settle").await?;
        let mut inner = locked(&self.inner);
        if on && inner.needs_start {
            let why = "cannot file changes: the server has to be started anew";
            return Err(Failure::new(Kind::Conflict, why));
        }
        inner.is_on = on;
        if !on {
            inner.filed.clear();
        }
        Ok(Some(SERVER.to_owned()))
    }

    async fn needs_start(&self) -> Result<bool, Failure> {
        self.faults.pass("needs_start").await?;
        Ok(locked(&self.inner).needs_start)
    }

    async fn start_anew(&self) -> Result<(), Failure> {
        self.faults.pass("start_anew").await?;
        locked(&self.inner).needs_start = false;
        self.journal.note("start anew");
        Ok(())
    }

    async fn filed(&self) -> Result<Vec<FiledPiece>, Failure> {
        self.faults.pass("filed").await?;
        let inner = locked(&self.inner);
        let filed = inner.filed.iter().map(|(piece, (filed_at, _))| FiledPiece {
            piece: piece.clone(),
            filed_at: *filed_at,
        });
        Ok(filed.collect())
    }

    async fn read(&self, piece: &LogPiece) -> Result<Pieces, Failure> {
        self.faults.pass("read").await?;
        if locked(&self.inner).link.as_ref() == Some(piece) {
            let why = format!("cannot read `{piece}`: it is a symbolic link");
            return Err(Failure::new(Kind::Conflict, why));
        }
        let found = locked(&self.inner)
            .filed
            .get(piece)
            .map(|(_, content)| content.clone());
        found.map(pieces).ok_or_else(|| {
            Failure::new(
                Kind::NotFound,
                format!("cannot read `{piece}`: it does not lie filed"),
            )
        })
    }

    async fn forget(&self, piece: &LogPiece) -> Result<(), Failure> {
        self.faults.pass("forget").await?;
        if locked(&self.inner).filed.remove(piece).is_some() {
            self.journal.note(format!("forget {piece}"));
        }
        Ok(())
    }

    async fn file_now(&self) -> Result<(), Failure> {
        self.faults.pass("file_now").await?;
        self.change(NOBODY.to_owned(), Vec::new());
        self.end_piece();
        Ok(())
    }

    async fn base(&self) -> Result<BaseCopy, Failure> {
        self.faults.pass("base").await?;
        let inner = locked(&self.inner);
        Ok(BaseCopy {
            first: inner.piece.clone(),
            pieces: pieces(serde_json::to_vec(&inner.all).unwrap_or_default()),
        })
    }
}

#[async_trait::async_trait]
impl Recovery for FakeHistory {
    async fn recover(
        &self,
        environment: &EnvironmentId,
        to: Timestamp,
        base: Pieces,
        mut log: Log,
    ) -> Result<Box<dyn Past>, Failure> {
        let mut all = read_changes(base, "a base").await?;
        let mut expected: Option<LogPiece> = None;
        while let Some(next) = log.next().await {
            let (piece, content) = next?;
            if expected.as_ref().is_some_and(|expected| *expected != piece) {
                return Err(Failure::new(
                    Kind::Failed,
                    format!("cannot read the log: before `{piece}` one is missing"),
                ));
            }
            expected = piece.next();
            all.extend(read_changes(content, piece.as_str()).await?);
        }
        self.faults.pass("recover").await?;
        if !all.iter().any(|(at, _, _)| *at > to) {
            let message = format!("cannot recover to {to}: the log that was kept ends before it");
            return Err(Failure::new(Kind::NotFound, message));
        }
        all.retain(|(at, _, _)| *at <= to);
        locked(&self.inner).pasts += 1;
        self.journal.note(format!("recover {environment}"));
        Ok(Box::new(FakePast {
            all,
            environment: environment.clone(),
            history: self.clone(),
        }))
    }

    async fn sweep(&self, environment: &EnvironmentId) -> Result<(), Failure> {
        locked(&self.inner).pasts = 0;
        self.journal.note(format!("sweep {environment}"));
        Ok(())
    }
}

struct FakePast {
    all: Vec<Change>,
    environment: EnvironmentId,
    history: FakeHistory,
}

impl FakePast {
    fn of(&self, of: &CopyOf) -> Option<&Vec<u8>> {
        let whose = of.environment.to_string();
        let mut theirs = self
            .all
            .iter()
            .filter(|(_, whose_it_is, _)| *whose_it_is == whose);
        theirs.next_back().map(|(_, _, bytes)| bytes)
    }
}

#[async_trait::async_trait]
impl Past for FakePast {
    async fn parts(&self, of: &CopyOf) -> Result<Vec<PartName>, Failure> {
        let part = PartName::main(PartKind::Addon(AddonKind::Redis));
        Ok(self.of(of).map(|_| part).into_iter().collect())
    }

    async fn export(&self, of: &CopyOf, _part: &PartName) -> Result<Export, Failure> {
        self.history.faults.pass("export").await?;
        let bytes = self.of(of).cloned().unwrap_or_default();
        let counts = [("bytes".to_owned(), bytes.len() as u64)].into();
        Ok(Export {
            pieces: pieces(bytes),
            counting: Counting::known(counts),
            left_out: LeftOut::default(),
        })
    }

    async fn end(self: Box<Self>) -> Result<(), Failure> {
        locked(&self.history.inner).pasts -= 1;
        self.history.journal.note(format!("end {}", self.environment));
        Ok(())
    }
}
