//! Commands that are run as a service would be: each in a unit of its own that has no file.

use std::hash::{BuildHasher, RandomState};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::StopRule;
use hostkit_core::services::ServiceTask;
use hostkit_core::size::Span;
use hostkit_host::launch::find_program;
use hostkit_host::systemd::{Streams, TransientUnit, UnitLimits, UnitName};
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use tokio::net::unix::pipe::{Receiver, Sender};

use super::{SystemdServices, unit};
use crate::shared::off_thread;
use crate::shared::task_output::Printed;
use crate::systemd::unit::unusable;

impl SystemdServices {
    pub(super) async fn carry_out(&self, task: &ServiceTask<'_>) -> Result<String, Failure> {
        let (account, _) = self.accounts.ensure_service(&task.service.name).await?;
        self.write(task.service, account).await?;
        let broken = |e: std::io::Error| {
            let name = &task.service.name;
            Failure::new(
                Kind::Internal,
                format!("cannot connect the streams of a command of service `{name}`: {e}"),
            )
        };
        let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(std::io::Error::from);
        let (input, to_input) = pipe().map_err(broken)?;
        let (output, to_output) = pipe().map_err(broken)?;
        let (errors, to_errors) = pipe().map_err(broken)?;
        let streams = Streams::Files {
            input: Some(input),
            output: Some(to_output),
            errors: Some(to_errors),
        };
        let unit = self.unit_for(task, streams).await?;
        let mut run = self.systemd.start_transient(unit).await?;
        let input = Sender::from_owned_fd(to_input).map_err(broken)?;
        let output = Receiver::from_owned_fd(output).map_err(broken)?;
        let errors = Receiver::from_owned_fd(errors).map_err(broken)?;
        let printed = Printed::of(Some(input), task.input.as_ref(), Some(output), Some(errors)).await;
        printed.judge(task, run.wait().await?.ending)
    }

    async fn unit_for(&self, task: &ServiceTask<'_>, streams: Streams) -> Result<TransientUnit, Failure> {
        let (service, folder) = (task.service, self.folder(&task.service.name));
        let mut words = task.arguments.iter().cloned();
        let program = words.next().unwrap_or_default();
        let environment = service
            .variables
            .iter()
            .map(|(name, value)| (name.to_string(), value.reveal().to_owned()))
            .collect();
        let directory = folder.place().data;
        let beside = directory.clone();
        let program = off_thread(move || {
            find_program(&program, &environment, &beside)
                .map_err(|e| Failure::new(Kind::Failed, format!("cannot start `{program}`: {e}")))
        })
        .await?;
        Ok(TransientUnit {
            name: once(task)?,
            description: format!("HostKit command of service {}", service.name),
            program,
            arguments: words.collect(),
            account: Some(service.name.account()),
            slice: Some(unit::slice(&service.name)?),
            limits: UnitLimits {
                time: Some(task.limit.0),
                ..unit::limits(service)
            },
            directory,
            variables: service.variables.clone(),
            sandbox: unit::sandbox(&folder),
            bound_to: self.settings.caller.clone(),
            stop: StopRule {
                grace: Span(std::time::Duration::ZERO),
                ..StopRule::default()
            },
            streams,
        })
    }
}

/// A name that no other unit has.
fn once(task: &ServiceTask<'_>) -> Result<UnitName, Failure> {
    let unique = RandomState::new().hash_one(std::process::id());
    UnitName::service(&format!("{}.run-{unique:016x}", task.service.name)).map_err(unusable)
}
