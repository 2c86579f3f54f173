//! Faults that tests put between the steps of a deployment. An engine without a plan pays one look per step.

use std::sync::{Arc, Mutex, PoisonError};

use hostkit_core::deployment::StepName;
use hostkit_core::kind::{Failure, Kind};

/// Where in a step something goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// After the step was recorded as begun, before it does anything.
    Before,
    /// After it did its work, before that is recorded.
    After,
    /// After it failed and what follows from that is decided, before its end is recorded.
    Failed,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The step fails.
    Fail,
    /// The control process is killed, as by SIGKILL.
    Kill,
    /// The deployment is left as it is, as a killed process would leave it, but this process goes on.
    Halt,
}

/// What shall go wrong where; each entry once.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan(Arc<Mutex<Vec<(Fault, Moment, StepName)>>>);

impl FaultPlan {
    /// Adds a fault; it happens the next time its moment comes.
    pub fn add(&self, fault: Fault, moment: Moment, step: StepName) {
        let mut plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plan.push((fault, moment, step));
    }

    /// Adds every fault of another plan.
    pub fn add_all(&self, other: &FaultPlan) {
        let others = other.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(others);
    }

    /// Reads `kill:before:switch` or `fail:after:build`, several with commas between.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let plan = FaultPlan::default();
        for entry in text.split(',').filter(|e| !e.is_empty()) {
            let refused = || {
                Failure::new(
                    Kind::Invalid,
                    format!("cannot read the fault `{entry}`: it has another form"),
                )
                .hint("write it like `kill:before:switch` or `fail:after:build`")
            };
            let parts: Vec<&str> = entry.split(':').collect();
            let [fault, moment, step] = parts[..] else {
                return Err(refused());
            };
            let fault = match fault {
                "fail" => Fault::Fail,
                "kill" => Fault::Kill,
                "halt" => Fault::Halt,
                _ => return Err(refused()),
            };
            let moment = match moment {
                "before" => Moment::Before,
                "after" => Moment::After,
                "failed" => Moment::Failed,
                _ => return Err(refused()),
            };
            let step = StepName::ALL
                .into_iter()
                .find(|s| s.as_str() == step)
                .ok_or_else(refused)?;
            plan.add(fault, moment, step);
        }
        Ok(plan)
    }

    /// Whether everything that was to go wrong did.
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Takes the fault that is due at this moment, if one is.
    pub(crate) fn take(&self, moment: Moment, step: StepName) -> Option<Fault> {
        let mut plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = plan.iter().position(|(_, m, s)| *m == moment && *s == step)?;
        Some(plan.remove(place).0)
    }
}
