//! Loops that compare the world with the state and make them equal. They take no input, are idempotent, run when woken,
//! when something changed and on a slow timer, and leave environments alone that a deployment is working on.

mod caches;
mod canaries;
pub(crate) mod garbage;
mod liveness;
mod proving;
mod readiness;
mod workloads;

use std::sync::Arc;
use std::time::Duration;

use hostkit_core::kind::Failure;
use hostkit_core::workload::Scope;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::aging::Reminders;
use crate::context::{Context, locked};
use crate::{ports, routing};

/// How often leftovers are looked for.
const GARBAGE_EVERY: Duration = Duration::from_secs(600);
/// Changes rarely come alone: what happens within this time is looked at together.
const GATHER: Duration = Duration::from_millis(20);

/// How long after the start trouble is looked at again at once.
const EARLY: Duration = Duration::from_secs(3);

/// Starts the loops; they end when the tasks are aborted.
pub(crate) fn start(context: &Arc<Context>) -> Vec<JoinHandle<()>> {
    let mut tasks = vec![
        tokio::spawn(keep(context.clone())),
        tokio::spawn(sweep(context.clone())),
        tokio::spawn(readiness::run(context.clone())),
    ];
    if context.parts.settings.liveness {
        tasks.push(tokio::spawn(liveness::run(context.clone())));
    }
    tasks
}

async fn keep(context: Arc<Context>) {
    let mut crashes = workloads::Crashes::default();
    let mut proofs = proving::Proofs::default();
    let mut canaries = canaries::Canaries::default();
    let mut trouble: Option<String> = None;
    let started = Instant::now();
    loop {
        let begun = Instant::now();
        let mut outcome = round(&context, &mut crashes, &mut proofs).await;
        if let Err(failure) = canaries.tell(&context) {
            outcome = outcome.and(Err(failure));
        }
        let is_quiet = matches!(outcome, Ok(true));
        let now = outcome.err().map(|failure| failure.to_string());
        // The same trouble every second is said once.
        if let Some(why) = now.as_ref().filter(|why| Some(*why) != trouble.as_ref()) {
            tracing::warn!(error = %why, "cannot keep everything as it should be");
        }
        trouble = now;
        // The front door is just being started, too: nobody waits for a whole round because of that.
        match trouble.is_some() && started.elapsed() < EARLY {
            true => tokio::time::sleep(GATHER).await,
            false => rest(&context, begun, is_quiet).await,
        }
    }
}

/// One look at everything; whether all was as it should be.
async fn round(
    context: &Arc<Context>,
    crashes: &mut workloads::Crashes,
    proofs: &mut proving::Proofs,
) -> Result<bool, Failure> {
    let observed = context.parts.runtime.observe(&Scope::default()).await?;
    crashes.tell(context, &observed);
    // What ended gets no more requests, before anything else is done about it.
    let routes = routing::apply(context).await;
    let ports = ports::keep(context, &observed).await;
    // Trouble with one of these is none of the others'.
    let workloads = workloads::reconcile(context, &observed).await;
    let proven = proofs.follow(context, &observed);
    *locked(&context.seen) = observed;
    routes.and(ports).and(proven).and(workloads)
}

/// Waits for a reason to look again. Where nobody tells of changes, or something was not as it should be, that is time.
async fn rest(context: &Context, begun: Instant, is_quiet: bool) {
    let settings = &context.parts.settings;
    let Some(changes) = context.parts.runtime.changes().filter(|_| is_quiet) else {
        let pause = settings.reconcile_every.saturating_sub(begun.elapsed());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = context.wake.notified() => {}
        }
        return;
    };
    let all = tokio::time::sleep_until(begun + settings.reconcile_all_every);
    tokio::pin!(all);
    loop {
        tokio::select! {
            () = &mut all => return,
            () = context.wake.notified() => return,
            () = changes.wait() => return tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(settings.reconcile_every) => {
                if !routing::is_in_force(context).await {
                    return;
                }
            }
        }
    }
}

async fn sweep(context: Arc<Context>) {
    let mut reminders = Reminders::default();
    loop {
        garbage::sweep(&context).await;
        reminders.tell(&context);
        tokio::time::sleep(GARBAGE_EVERY).await;
    }
}
