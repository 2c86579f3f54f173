//! An act on backups: it runs by itself, and whoever asked for it is told how far it is.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{Stream, stream};
use hostkit_core::backup::{Backup, BackupUpdate};
use hostkit_core::kind::{Failure, Kind};
use tokio::sync::mpsc;

use crate::context::{Context, locked};

/// Updates as they come; the last one is the outcome.
pub type BackupUpdates = Pin<Box<dyn Stream<Item = BackupUpdate> + Send>>;

/// Tells whoever waits, if anybody does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Teller(Option<mpsc::UnboundedSender<BackupUpdate>>);

impl Teller {
    pub(super) fn say(&self, text: impl Into<String>) {
        self.tell(BackupUpdate::Step { text: text.into() });
    }

    fn tell(&self, update: BackupUpdate) {
        if let Some(to) = &self.0 {
            // Whoever does not wait any more is told nothing.
            let _ = to.send(update);
        }
    }
}

/// Begins an act whose outcome is a backup, and notes.
pub(crate) fn begin<F>(context: &Arc<Context>, work: impl FnOnce(Arc<Context>, Teller) -> F) -> BackupUpdates
where
    F: Future<Output = Result<(Backup, Vec<String>), Failure>> + Send + 'static,
{
    begin_any(context, |context, teller| {
        let work = work(context, teller);
        async move {
            let (backup, notes) = work.await?;
            Ok(BackupUpdate::Done {
                backup: Box::new(backup),
                notes,
            })
        }
    })
}

/// Begins an act, which goes on until it is done or the engine stops.
pub(crate) fn begin_any<F>(
    context: &Arc<Context>,
    work: impl FnOnce(Arc<Context>, Teller) -> F,
) -> BackupUpdates
where
    F: Future<Output = Result<BackupUpdate, Failure>> + Send + 'static,
{
    let (to, updates) = mpsc::unbounded_channel();
    let teller = Teller(Some(to));
    let work = work(context.clone(), teller.clone());
    let task = tokio::spawn(async move {
        let outcome = work.await;
        teller.tell(outcome.unwrap_or_else(|failure| BackupUpdate::Failed { failure }));
    });
    let mut acts = locked(&context.backup_acts);
    acts.retain(|act| !act.is_finished());
    acts.push(task.abort_handle());
    Box::pin(stream::unfold(updates, |mut updates| async move {
        let update = updates.recv().await?;
        Some((update, updates))
    }))
}

/// What has moved so far: tells a slow target from one that does not answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Moved(Arc<AtomicU64>);

impl Moved {
    pub(super) fn note(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for work for as long as something moves.
    pub(super) async fn within<T>(
        &self,
        patience: Duration,
        act: &str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::pin!(work);
        let mut before = self.0.load(Ordering::Relaxed);
        loop {
            if let Ok(done) = tokio::time::timeout(patience, &mut work).await {
                return done;
            }
            let now = self.0.load(Ordering::Relaxed);
            if now == before {
                return Err(Failure::new(
                    Kind::Unavailable,
                    format!("cannot {act}: nothing moved for {} seconds", patience.as_secs()),
                )
                .hint("see whether the target answers: `hostkit backup target show`"));
            }
            before = now;
        }
    }
}
