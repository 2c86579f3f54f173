//! The fake runtime with one-off commands that are no programs, and logs that never end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::log::LogQuery;
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{Exec, ExecOutput, ExecStreams, ExecWrite, LogLines, OneOff, Runtime};
use hostkit_core::workload::{Diagnosis, Instance, InstanceId, Scope, Workload, WorkloadId};
use hostkit_testkit::fakes::FakeRuntime;
use tokio::sync::mpsc;

/// `echo WORDS` prints and exits 3, `cat` prints its input and its sizes until that ends, all others are refused.
#[derive(Clone)]
pub(crate) struct WithExec {
    pub(crate) fake: FakeRuntime,
    /// How many commands and endless logs there are right now.
    pub(crate) open: Arc<AtomicUsize>,
}

/// Counts as long as it is there.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Open(count.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl WithExec {
    pub(crate) fn new(fake: FakeRuntime) -> Self {
        WithExec {
            fake,
            open: Arc::default(),
        }
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

struct Input(Option<mpsc::UnboundedSender<ExecOutput>>);

#[async_trait::async_trait]
impl ExecWrite for Input {
    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if let Some(sender) = &self.0 {
            sender.send(ExecOutput::Out(bytes.to_vec())).ok();
        }
        Ok(())
    }
    async fn close(&mut self) -> std::io::Result<()> {
        if let Some(sender) = self.0.take() {
            sender.send(ExecOutput::Exit(0)).ok();
        }
        Ok(())
    }
    fn resize(&mut self, rows: u16, columns: u16) {
        if let Some(sender) = &self.0 {
            sender
                .send(ExecOutput::Err(format!("{rows}x{columns}").into_bytes()))
                .ok();
        }
    }
}

#[async_trait::async_trait]
impl Exec for WithExec {
    async fn exec(&self, command: &OneOff) -> Result<ExecStreams, Failure> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let input = match command.arguments[0].as_str() {
            "echo" => {
                sender
                    .send(ExecOutput::Out(command.arguments[1..].join(" ").into_bytes()))
                    .unwrap();
                sender.send(ExecOutput::Exit(3)).unwrap();
                Input(None)
            }
            "cat" => Input(Some(sender)),
            other => {
                return Err(Failure::new(
                    Kind::NotFound,
                    format!("cannot run `{other}`: there is no such program"),
                ));
            }
        };
        let state = (receiver, Open::new(&self.open));
        let output = futures_util::stream::unfold(state, |(mut receiver, open)| async move {
            let item = receiver.recv().await?;
            Some((item, (receiver, open)))
        });
        Ok(ExecStreams {
            input: Box::pin(input),
            output: Box::pin(output),
        })
    }
}

#[async_trait::async_trait]
impl Runtime for WithExec {
    fn name(&self) -> &'static str {
        "fake"
    }
    async fn ensure(&self, workload: &Workload) -> Result<Vec<Instance>, Failure> {
        self.fake.ensure(workload).await
    }
    async fn observe(&self, scope: &Scope) -> Result<Vec<Instance>, Failure> {
        self.fake.observe(scope).await
    }
    async fn remove(&self, id: &WorkloadId) -> Result<(), Failure> {
        self.fake.remove(id).await
    }
    async fn restart(&self, id: &InstanceId) -> Result<(), Failure> {
        self.fake.restart(id).await
    }
    async fn diagnose(&self, id: &InstanceId) -> Result<Diagnosis, Failure> {
        self.fake.diagnose(id).await
    }
    async fn logs(&self, environment: &EnvironmentId, query: &LogQuery) -> Result<LogLines, Failure> {
        let lines = self.fake.logs(environment, query).await?;
        if !query.follow {
            return Ok(lines);
        }
        let open = Open::new(&self.open);
        let never = futures_util::stream::once(async move {
            let _open = open;
            std::future::pending().await
        });
        Ok(Box::pin(lines.chain(never)))
    }
    fn exec(&self) -> Option<&dyn Exec> {
        Some(self)
    }
}
