//! Units of the fake without a file.

use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_host::systemd::{Ending, TransientEnd, TransientRun, TransientUnit, UnitName};
use jiff::Timestamp;

use super::state::{Unit, result_of};
use super::units::not_executed;
use super::{FakeSystemd, Program};

pub(super) fn start(systemd: &FakeSystemd, unit: TransientUnit) -> Result<Box<dyn TransientRun>, Failure> {
    let name = unit.name;
    // What the real one would refuse to be told.
    hostkit_host::systemd::environment_file::render(&unit.variables)?;
    hostkit_host::systemd::unit_file::UnitFile::new().sandbox(&unit.sandbox)?;
    let mut state = systemd.state();
    let is_used = state.files.contains_key(&name) || state.units.contains_key(&name);
    if is_used || state.aliases.contains_key(&name) {
        let message = format!("cannot start `{name}`: a unit of that name is there already");
        return Err(Failure::new(Kind::Conflict, message));
    }
    let told = state.programs.get(&name).copied();
    let program = told.unwrap_or_else(|| Program::of(&unit.program, &unit.arguments));
    let end = match program {
        Program::IsMissing => return Err(not_executed("start", &name)),
        Program::Ends(ending) => Some(TransientEnd {
            ending,
            result: result_of(ending),
            at: Some(Timestamp::now()),
        }),
        Program::Runs | Program::IgnoresSignals => {
            let unit = Unit {
                is_transient: true,
                ..Unit::new(program)
            };
            state.units.insert(name.clone(), unit);
            state.run(&name);
            None
        }
    };
    drop(state);
    systemd.tell(&name);
    Ok(Box::new(Run {
        systemd: systemd.clone(),
        name,
        time: unit.limits.time,
        end,
    }))
}

struct Run {
    systemd: FakeSystemd,
    name: UnitName,
    time: Option<Duration>,
    end: Option<TransientEnd>,
}

#[async_trait::async_trait]
impl TransientRun for Run {
    fn name(&self) -> &UnitName {
        &self.name
    }

    async fn wait(&mut self) -> Result<TransientEnd, Failure> {
        self.systemd.faults.pass("wait").await?;
        let mut changed = self.systemd.changed.subscribe();
        let limit = async {
            match self.time {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(limit);
        loop {
            if let Some(end) = &self.end {
                return Ok(end.clone());
            }
            self.end = self.systemd.state().take_ended(&self.name);
            if self.end.is_some() {
                continue;
            }
            tokio::select! {
                _ = changed.recv() => {}
                () = &mut limit => self.systemd.end(&self.name, Ending::TimedOut),
            }
        }
    }

    async fn stop(&mut self) -> Result<(), Failure> {
        self.systemd.journal.note(format!("stop {}", self.name));
        self.systemd.faults.pass("stop").await?;
        if self.end.is_none() {
            self.systemd.state().stop(&self.name);
            self.systemd.tell(&self.name);
        }
        Ok(())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.end.is_none() {
            self.systemd.end(&self.name, Ending::Signalled(9));
            self.systemd.state().take_ended(&self.name);
        }
    }
}
