//! A program that runs and serves where nobody asks it: found while its readiness is waited for, so that it fails after
//! seconds and not after its whole start period.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hostkit_core::names::HostName;
use hostkit_core::plan::explain::{Elsewhere, Evidence, elsewhere};
use hostkit_core::release::FrozenProcess;
use hostkit_core::traits::Health;
use hostkit_core::workload::Instance;
use tokio::time::Instant;

use crate::run::Run;

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(1);
/// How long it must have listened there, and there alone, without a pause. A program opens all its doors within moments
/// of each other; one that says where it serves has opened the last.
const STEADY: Duration = Duration::from_secs(4);

/// What is known of where one instance listens.
#[derive(Default)]
pub(super) struct Watch {
    looked: Option<Instant>,
    seen: Option<(Elsewhere, Instant)>,
}

impl Watch {
    /// Looks again, if it is time to; whether it is certain by now that the instance will not answer where it was told
    /// to. `reason` is the last word of its health check.
    pub(super) async fn is_certain(
        &mut self,
        run: &Run,
        instance: &Instance,
        process: &FrozenProcess,
        host: &HostName,
        reason: &str,
    ) -> bool {
        let now = Instant::now();
        if self.looked.is_some_and(|at| now.duration_since(at) < EVERY) {
            return false;
        }
        self.looked = Some(now);
        let found = find(run, instance, process, reason).await;
        let since = match (&self.seen, found) {
            (Some((seen, since)), Some(found)) if *seen == found => *since,
            (_, found) => {
                self.seen = found.map(|found| (found, now));
                return false;
            }
        };
        if since.elapsed() < STEADY {
            return false;
        }
        match &self.seen {
            Some((Elsewhere::Address(_), _)) => true,
            // It must do there what it shall do here: what does not is another sort of door.
            Some((Elsewhere::Port(address), _)) => {
                let there = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
                let probe = &run.context.parts.probe;
                probe.check(there, host, &process.rule.health).await == Health::Healthy
            }
            None => false,
        }
    }
}

async fn find(run: &Run, instance: &Instance, process: &FrozenProcess, reason: &str) -> Option<Elsewhere> {
    let diagnosis = run.context.parts.runtime.diagnose(&instance.id).await.ok()?;
    elsewhere(&Evidence {
        process: &instance.id.workload.process,
        diagnosis: &diagnosis,
        health: Some(reason),
        rule: &process.rule.health,
        port: instance.address.map(|address| address.port()),
        port_variable: &process.rule.port_variable,
        variables: &[],
    })
}
