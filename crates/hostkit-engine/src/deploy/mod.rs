//! THE list of steps. To understand a deployment, read these nine files in this order.

mod build;
pub(crate) mod canary;
mod check;
mod confirm;
mod elsewhere;
mod fetch;
mod freeze;
pub(crate) mod hosts;
mod keep;
mod prepare;
mod processes;
mod retire;
mod scan;
mod start;
mod switch;
mod values;

use hostkit_core::deployment::{Act, StepName};
use hostkit_core::kind::Failure;

use crate::run::Run;

pub(crate) use confirm::go_back;
pub(crate) use prepare::aim;

/// One step. Both acts are idempotent: after an interruption they are done again.
#[async_trait::async_trait]
pub(crate) trait Step: Sync {
    /// Its name.
    fn name(&self) -> StepName;
    /// Does its work; what the next steps need goes into `run.saved`.
    async fn run(&self, run: &mut Run) -> Result<(), Failure>;
    /// Takes back what `run` did or began. Never called after the switch is done.
    async fn undo(&self, run: &mut Run) -> Result<(), Failure>;
    /// Whether it may be left in its middle when the deployment is cancelled: for what may take long.
    fn can_be_left(&self) -> bool {
        false
    }
}

/// The steps in order.
pub(crate) const STEPS: [&dyn Step; 9] = [
    &fetch::Fetch,
    &build::Build,
    &freeze::Freeze,
    &prepare::Prepare,
    &start::Start,
    &check::Check,
    &switch::Switch,
    &retire::Retire,
    &confirm::Confirm,
];

/// The place in the list an act begins at. A rollback, a restart, a change of scale are deployments from there on:
/// there is no second path.
pub(crate) fn first_step(act: &Act) -> usize {
    let first = match act {
        Act::Deploy { .. } => StepName::Fetch,
        Act::Apply => StepName::Freeze,
        Act::Promote { .. }
        | Act::Abandon
        | Act::Rollback { .. }
        | Act::Restart
        | Act::Scale { .. }
        | Act::Stop
        | Act::Start => StepName::Prepare,
    };
    STEPS.iter().position(|step| step.name() == first).unwrap_or(0)
}
