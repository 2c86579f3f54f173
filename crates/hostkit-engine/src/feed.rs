//! Following a deployment: its log is read from its file, its changes from the state; a feed only says that there is
//! something new, so a slow follower costs nothing and a late one misses nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::{StreamExt, stream};
use hostkit_core::deployment::{Deployment, DeploymentId, DeploymentState};
use hostkit_core::event::{Event, What};
use hostkit_core::kind::Failure;
use hostkit_core::log::LogLine;
use tokio::sync::watch;

use crate::context::{Context, locked};
use crate::{DeploymentUpdate, DeploymentUpdates};

/// How much of a log is read at once.
const CHUNK: usize = 256 * 1024;

/// One signal per deployment that is not final.
#[derive(Default)]
pub(crate) struct Feeds(Mutex<HashMap<DeploymentId, watch::Sender<u64>>>);

impl Feeds {
    /// Opens the feed of a deployment that is queued or taken up. Idempotent.
    pub(crate) fn open(&self, id: DeploymentId) {
        locked(&self.0).entry(id).or_insert_with(|| watch::Sender::new(0));
    }

    /// Takes note of an event: a deployment is queued, goes on, or is final.
    pub(crate) fn take(&self, event: &Event) {
        match &event.what {
            What::Deployment {
                deployment, state, ..
            } => match state {
                DeploymentState::Queued => self.open(*deployment),
                state if state.is_final() => self.close(*deployment),
                _ => self.signal(*deployment),
            },
            What::Step { deployment, .. } => self.signal(*deployment),
            _ => {}
        }
    }

    /// Says that there is something new.
    pub(crate) fn signal(&self, id: DeploymentId) {
        if let Some(sender) = locked(&self.0).get(&id) {
            sender.send_modify(|n| *n += 1);
        }
    }

    /// Says that the deployment is final; followers read the rest and end.
    pub(crate) fn close(&self, id: DeploymentId) {
        locked(&self.0).remove(&id);
    }

    fn watch(&self, id: DeploymentId) -> Option<watch::Receiver<u64>> {
        locked(&self.0).get(&id).map(watch::Sender::subscribe)
    }
}

struct Follower {
    context: Arc<Context>,
    id: DeploymentId,
    signal: Option<watch::Receiver<u64>>,
    offset: u64,
    rest: Vec<u8>,
    last: Option<Deployment>,
    ended: bool,
}

/// The updates of a deployment from its beginning, until it is final.
pub(crate) fn follow(context: Arc<Context>, id: DeploymentId) -> Result<DeploymentUpdates, Failure> {
    // Subscribed before the first look: what changes in between is signalled.
    let signal = context.feeds.watch(id);
    updates(context, id, signal)
}

/// The updates of a deployment from its beginning up to now.
pub(crate) fn told(context: Arc<Context>, id: DeploymentId) -> Result<DeploymentUpdates, Failure> {
    updates(context, id, None)
}

/// Without a signal there is nothing to wait for: it ends with what is there.
fn updates(
    context: Arc<Context>,
    id: DeploymentId,
    signal: Option<watch::Receiver<u64>>,
) -> Result<DeploymentUpdates, Failure> {
    context.parts.store.deployment(id)?;
    let follower = Follower {
        context,
        id,
        signal,
        offset: 0,
        rest: Vec::new(),
        last: None,
        ended: false,
    };
    let batches = stream::unfold(follower, |mut follower| async move {
        let batch = follower.next().await?;
        Some((stream::iter(batch), follower))
    });
    Ok(Box::pin(batches.flatten()))
}

/// Waits until a deployment is final.
pub(crate) async fn wait(context: &Context, id: DeploymentId) -> Result<Deployment, Failure> {
    let signal = context.feeds.watch(id);
    let Some(mut signal) = signal else {
        return context.parts.store.deployment(id);
    };
    loop {
        let deployment = context.parts.store.deployment(id)?;
        if deployment.state.is_final() || signal.changed().await.is_err() {
            return context.parts.store.deployment(id);
        }
    }
}

impl Follower {
    /// What is new since the last look; waits until there is something. `None` after the end.
    async fn next(&mut self) -> Option<Vec<DeploymentUpdate>> {
        loop {
            if self.ended {
                return None;
            }
            // The state is read first: lines written before the last change are then read with it.
            let Ok(now) = self.context.parts.store.deployment(self.id) else {
                return None;
            };
            let (lines, more) = self.lines(&now);
            let mut batch: Vec<DeploymentUpdate> = lines.into_iter().map(DeploymentUpdate::Line).collect();
            if !more && self.last.as_ref() != Some(&now) {
                self.last = Some(now.clone());
                batch.push(DeploymentUpdate::Changed(Box::new(now.clone())));
            }
            self.ended = !more && (now.state.is_final() || self.signal.is_none());
            if !batch.is_empty() {
                return Some(batch);
            }
            if more || self.ended {
                continue;
            }
            let closed = match &mut self.signal {
                Some(signal) => signal.changed().await.is_err(),
                None => true,
            };
            if closed {
                // Closed after its last change was written: one more look finds everything.
                self.signal = None;
            }
        }
    }

    /// Whole lines that follow the last ones, and whether there may be more.
    fn lines(&mut self, deployment: &Deployment) -> (Vec<LogLine>, bool) {
        let parts = &self.context.parts;
        let path = parts.layout.deployment_log(&deployment.environment, self.id);
        let bytes = parts.files.read_at(&path, self.offset, CHUNK).unwrap_or_default();
        self.offset += bytes.len() as u64;
        let more = bytes.len() == CHUNK;
        self.rest.extend_from_slice(&bytes);
        let Some(end) = self.rest.iter().rposition(|b| *b == b'\n') else {
            return (Vec::new(), more);
        };
        let rest = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, rest);
        let lines = whole
            .split(|b| *b == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok());
        (lines.collect(), more)
    }
}
