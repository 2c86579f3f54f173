//! The loop that keeps the history: collects, makes bases, removes what is too old, tells what does not go on.

use std::sync::Arc;

use hostkit_core::backup::history::paths::{self, Part};
use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::traits::History;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::base::{self, Tries};
use super::collect::collect;
use super::shelf;
use crate::context::{Context, locked};

/// Whether it goes on, as it was told last.
#[derive(Debug, Default)]
struct Flow {
    held_up_since: Option<Instant>,
    is_told: bool,
}

pub(crate) async fn run(context: Arc<Context>, history: Arc<dyn History>) {
    sweep(&context, &*history).await;
    let mut flow = Flow::default();
    // Ended with this loop.
    let mut bases = JoinSet::new();
    let mut tries = Tries::default();
    loop {
        while let Some(made) = bases.try_join_next() {
            let made: Result<(), Failure> = made.unwrap_or(Ok(()));
            tries.ended(context.parts.clock.now(), made.is_ok());
            if let Err(failure) = made {
                tracing::warn!(%failure, "cannot make a base of the history of databases");
                flow.note(&context, Some(failure));
            }
        }
        match round(&context, &*history).await {
            Ok(Some((server, true))) if bases.is_empty() && tries.may(context.parts.clock.now()) => {
                let (context, history) = (context.clone(), history.clone());
                bases.spawn(async move { base::make(&context, &history, &server).await });
            }
            Ok(Some((_, true))) => {}
            Ok(_) => flow.note(&context, None),
            Err(failure) => flow.note(&context, Some(failure)),
        }
        tokio::select! {
            () = tokio::time::sleep(context.parts.settings.reconcile_all_every) => {}
            () = context.history.wake.notified() => {}
        }
    }
}

/// Takes away what recoveries left that were cut off.
async fn sweep(context: &Context, history: &dyn History) {
    // Where nobody ever chose there was nothing to recover from, and each look takes its time.
    if matches!(
        super::chosen(&*context.parts.files, &context.parts.layout),
        Ok(None)
    ) {
        return;
    }
    let _nobody = context.history.recovering.lock().await;
    for environment in context.parts.store.environments().unwrap_or_default() {
        if let Err(error) = history.sweep(&environment.id).await {
            tracing::warn!(%error, environment = %environment.id, "what a recovery left is still there");
        }
    }
}

/// One round; answers which server it was, and whether a base is due. Nothing where there is nothing to keep.
async fn round(context: &Context, history: &dyn History) -> Result<Option<(String, bool)>, Failure> {
    let Some(settings) = super::chosen(&*context.parts.files, &context.parts.layout)? else {
        return Ok(None);
    };
    let Some(server) = history.settle(settings.on).await? else {
        return Ok(None);
    };
    if settings.on {
        collect(context, history, &server).await?;
    }
    prune(context, &server, settings.days, settings.on).await?;
    let known = context.history.shelf.lock().await;
    let now = context.parts.clock.now();
    let is_due = known.as_ref().is_some_and(|shelf| shelf.kept.is_base_due(now));
    Ok(Some((server, settings.on && is_due)))
}

/// Removes what no moment needs that can still be asked for.
async fn prune(context: &Context, server: &str, days: u32, on: bool) -> Result<(), Failure> {
    // What somebody reads just now stays; there is a next time.
    let Ok(_nobody) = context.history.recovering.try_lock() else {
        return Ok(());
    };
    let mut known = context.history.shelf.lock().await;
    let ready = shelf::open(context, &mut known, server).await?;
    let Some(shelf) = known.as_mut() else {
        return Ok(());
    };
    let useless = shelf.kept.useless(context.parts.clock.now(), days, on);
    for number in &useless.bases {
        base::clear(&ready, server, *number).await?;
    }
    for kept in &useless.pieces {
        let part = Part::Piece(kept.piece.clone(), kept.filed_at);
        ready.target.remove(&paths::of(server, &part)?).await?;
    }
    shelf.kept.remove(&useless);
    shelf::show(context, Some(shelf));
    Ok(())
}

impl Flow {
    /// Notes how a round went. What lasts is told, once, and so is its end.
    fn note(&mut self, context: &Context, failure: Option<Failure>) {
        let reason = failure.map(|failure| failure.message);
        locked(&context.history.shown).trouble.clone_from(&reason);
        let what = match reason {
            Some(reason) => {
                let since = *self.held_up_since.get_or_insert_with(Instant::now);
                if self.is_told || since.elapsed() < context.parts.settings.history_patience {
                    return;
                }
                self.is_told = true;
                What::HistoryHeldUp { reason }
            }
            None => {
                self.held_up_since = None;
                if !std::mem::take(&mut self.is_told) {
                    return;
                }
                What::HistoryGoesOn
            }
        };
        if let Err(error) = context.parts.store.record(None, what) {
            tracing::warn!(%error, "cannot record how the history of databases goes on");
        }
    }
}
