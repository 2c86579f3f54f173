//! Units of the fake.

use futures_util::stream;
use hostkit_core::kind::{Failure, Kind};
use hostkit_host::systemd::{
    Job, ListedUnit, Signal, TransientRun, TransientUnit, UnitChange, UnitChanges, UnitName, UnitResult,
    UnitStatus, Units, Whom,
};
use tokio::sync::broadcast::error::RecvError;

use super::{FakeSystemd, transient};
use hostkit_host::systemd::ActiveState;

#[async_trait::async_trait]
impl Units for FakeSystemd {
    async fn run_job(&self, job: Job, name: &UnitName) -> Result<(), Failure> {
        let verb = job.verb();
        self.journal.note(format!("{verb} {name}"));
        self.faults.pass(verb).await?;
        let done = {
            let mut state = self.state();
            let name = state.target(name).clone();
            if job != Job::Start {
                state.stop(&name);
            }
            let Some(unit) = state.load(&name) else {
                if job == Job::Stop {
                    return Ok(());
                }
                let message = format!("cannot {verb} `{name}`: there is no such unit");
                return Err(Failure::new(Kind::NotFound, message));
            };
            match job {
                Job::Stop => true,
                Job::Start | Job::Restart if !unit.is_down() => true,
                Job::Start | Job::Restart => {
                    unit.restarts = 0;
                    state.run(&name)
                }
            }
        };
        self.tell(name);
        if !done {
            return Err(not_executed(verb, name));
        }
        Ok(())
    }

    async fn signal(&self, name: &UnitName, _: Whom, signal: Signal) -> Result<(), Failure> {
        self.journal.note(format!("signal {name} {}", signal.as_str()));
        self.faults.pass("signal").await?;
        {
            let mut state = self.state();
            let name = state.target(name).clone();
            let Some(unit) = state.units.get(&name).filter(|unit| unit.main_pid.is_some()) else {
                let message = format!(
                    "cannot send {} to `{name}`: none of its processes runs",
                    signal.as_str()
                );
                return Err(Failure::new(Kind::NotFound, message));
            };
            if let Some(ending) = unit.program.on(signal) {
                state.end(&name, ending);
            }
        }
        self.tell(name);
        Ok(())
    }

    async fn reset_failed(&self, name: &UnitName) -> Result<(), Failure> {
        self.journal.note(format!("reset_failed {name}"));
        self.faults.pass("reset_failed").await?;
        {
            let mut state = self.state();
            let name = state.target(name).clone();
            if let Some(unit) = state.units.get_mut(&name) {
                if unit.active == ActiveState::Failed {
                    (unit.active, unit.sub) = (ActiveState::Inactive, "dead");
                }
                unit.result = UnitResult::Success;
                unit.restarts = 0;
            }
            state.forget();
        }
        self.tell(name);
        Ok(())
    }

    async fn status(&self, name: &UnitName) -> Result<UnitStatus, Failure> {
        self.faults.pass("status").await?;
        Ok(self.state().status(name))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ListedUnit>, Failure> {
        self.faults.pass("list").await?;
        Ok(self.state().list(prefix))
    }

    async fn start_transient(&self, unit: TransientUnit) -> Result<Box<dyn TransientRun>, Failure> {
        self.journal.note(format!("start_transient {}", unit.name));
        self.faults.pass("start_transient").await?;
        transient::start(self, unit)
    }

    async fn changes(&self, prefix: &str) -> Result<UnitChanges, Failure> {
        self.faults.pass("changes").await?;
        let state = (self.changed.subscribe(), self.clone(), prefix.to_owned());
        let changes = stream::unfold(state, |(mut heard, kept, prefix)| async move {
            loop {
                let change = match heard.recv().await {
                    Ok(Some(name)) if name.as_str().starts_with(&prefix) => UnitChange::Unit(name),
                    Ok(Some(_)) => continue,
                    Ok(None) | Err(RecvError::Lagged(_)) => UnitChange::All,
                    Err(RecvError::Closed) => return None,
                };
                return Some((change, (heard, kept, prefix)));
            }
        });
        Ok(Box::pin(changes))
    }
}

/// The failure of a unit whose program is not there.
pub(super) fn not_executed(verb: &str, name: &UnitName) -> Failure {
    Failure::new(
        Kind::Failed,
        format!("cannot {verb} `{name}`: its program cannot be executed"),
    )
    .hint(format!("journalctl -u {name}"))
}
