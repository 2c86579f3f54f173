//! Commands that are run as a service would be.

use hostkit_core::kind::Failure;
use hostkit_core::services::ServiceTask;
use hostkit_core::traits::Services;
use hostkit_host::command::{Job, Limits, Wiring};

use super::ProcessServices;
use super::ensure::launch;
use crate::shared::task_output::Printed;

impl ProcessServices {
    pub(super) async fn carry_out(&self, task: &ServiceTask<'_>) -> Result<String, Failure> {
        self.write(task.service).await?;
        let start = launch(task.service, &task.arguments, &self.place(&task.service.name));
        let job = Job {
            program: start.program,
            arguments: start.arguments,
            environment: start.environment,
            directory: start.directory,
            limits: Limits {
                time: Some(task.limit.0),
                ..Limits::default()
            },
        };
        let mut running = self.guard.start(&job, Wiring::PipesWithInput).await?;
        let (input, output, errors) = (running.input.take(), running.output.take(), running.errors.take());
        let printed = Printed::of(input, task.input.as_ref(), output, errors).await;
        printed.judge(task, running.wait().await?)
    }
}
