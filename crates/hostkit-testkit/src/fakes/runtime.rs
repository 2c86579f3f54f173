//! A runtime in memory: instances that never ran, with every way to go wrong as a setting.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::log::{LogLine, LogQuery, LogStream};
use hostkit_core::names::{ProcessName, ReleaseName};
use hostkit_core::project::{EnvironmentId, INSTANCE_PORTS};
use hostkit_core::traits::{Health, LogLines, Runtime};
use hostkit_core::workload::{
    Diagnosis, Exit, Instance, InstanceId, InstanceState, Scope, Workload, WorkloadId,
};
use jiff::Timestamp;

use super::faults::locked;
use super::{Faults, Journal};

/// What becomes of programs that are started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// They run and are healthy.
    #[default]
    Healthy,
    /// They run and every check finds them unhealthy, for this reason.
    NeverHealthy(String),
    /// They end at once with this exit code, again and again, after printing these lines.
    CrashAtStart(i32, Vec<String>),
    /// They answer so many checks well, then end with exit code 1 and stay in a crash loop.
    CrashAfterChecks(u32),
    /// They do not answer the first checks, so many, then are healthy.
    HealthyAfterChecks(u32),
    /// They print these lines, listen at this address instead of their own, and answer nothing.
    ListensElsewhere(SocketAddr, Vec<String>),
}

struct Entry {
    instance: Instance,
    behaviour: Behaviour,
    checks: u32,
    workload: Workload,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<InstanceId, Entry>,
    behaviours: HashMap<(Option<ProcessName>, Option<ReleaseName>), Behaviour>,
    exposures: HashMap<ProcessName, f64>,
    lines: Vec<(EnvironmentId, LogLine)>,
    started: u16,
}

/// A runtime in memory. Clones are second views of the same instances, as a caller that was started again has.
/// Faults: `"reserve"`, `"ensure"`, `"observe"`, `"remove"`, `"restart"`, `"diagnose"`, `"logs"`,
/// `"exposure"`.
#[derive(Clone, Default)]
pub struct FakeRuntime {
    state: Arc<Mutex<State>>,
    /// `ensure shop.production.web.1 x2`, `remove …`, `restart …1.1`.
    pub journal: Journal,
    /// Faults by method.
    pub faults: Faults,
}

impl FakeRuntime {
    /// A runtime that writes to `journal`.
    pub fn new(journal: &Journal) -> Self {
        FakeRuntime {
            journal: journal.clone(),
            ..FakeRuntime::default()
        }
    }

    /// What becomes of programs started from now on: of this process and release, of all where none is named.
    /// The most exact setting wins, the process before the release.
    pub fn behave(&self, process: Option<&ProcessName>, release: Option<&ReleaseName>, behaviour: Behaviour) {
        locked(&self.state)
            .behaviours
            .insert((process.cloned(), release.cloned()), behaviour);
    }

    /// How open the machine is to the instances of a process.
    pub fn expose(&self, process: &ProcessName, exposure: f64) {
        locked(&self.state).exposures.insert(process.clone(), exposure);
    }

    /// Makes a running program end, as if it crashed just now.
    pub fn crash(&self, id: &InstanceId, code: i32) {
        if let Some(entry) = locked(&self.state).entries.get_mut(id) {
            entry.end(Some(code));
        }
    }

    /// Makes an instance disappear without a trace, as after a loss of power.
    pub fn lose(&self, id: &InstanceId) {
        locked(&self.state).entries.remove(id);
    }

    /// Lets an instance print a line.
    pub fn print(&self, id: &InstanceId, stream: LogStream, text: &str) {
        locked(&self.state).print(id, stream, text);
    }

    /// All instances, whatever their state.
    pub fn instances(&self) -> Vec<Instance> {
        locked(&self.state)
            .entries
            .values()
            .map(|e| e.instance.clone())
            .collect()
    }

    /// The workload an instance was started from: its command, variables and folder.
    pub fn started_from(&self, id: &InstanceId) -> Option<Workload> {
        locked(&self.state).entries.get(id).map(|e| e.workload.clone())
    }

    /// What a check of this address finds.
    pub(crate) fn health_at(&self, address: SocketAddr) -> Health {
        let mut state = locked(&self.state);
        let refused = Health::Unhealthy("connection refused".into());
        let Some(entry) = state
            .entries
            .values_mut()
            .find(|e| e.instance.address == Some(address))
        else {
            return refused;
        };
        if entry.instance.state != InstanceState::Running {
            return refused;
        }
        entry.checks += 1;
        match entry.behaviour.clone() {
            Behaviour::NeverHealthy(reason) => Health::Unhealthy(reason),
            Behaviour::HealthyAfterChecks(n) if entry.checks <= n => refused,
            Behaviour::ListensElsewhere(..) => refused,
            Behaviour::CrashAfterChecks(n) if entry.checks > n => {
                entry.end(Some(1));
                refused
            }
            _ => Health::Healthy,
        }
    }
}

impl Entry {
    fn end(&mut self, code: Option<i32>) {
        self.instance.state = InstanceState::CrashLoop;
        self.instance.pid = None;
        self.instance.memory = None;
        self.instance.restarts += 1;
        self.instance.last_exit = Some(Exit {
            code,
            signal: None,
            out_of_memory: false,
            memory_limit: None,
            at: Timestamp::now(),
        });
    }
}

impl State {
    fn behaviour(&self, process: &ProcessName, release: &ReleaseName) -> Behaviour {
        [
            (Some(process.clone()), Some(release.clone())),
            (Some(process.clone()), None),
            (None, Some(release.clone())),
            (None, None),
        ]
        .iter()
        .find_map(|key| self.behaviours.get(key).cloned())
        .unwrap_or_default()
    }

    fn print(&mut self, id: &InstanceId, stream: LogStream, text: &str) {
        let line = LogLine {
            at: Timestamp::now(),
            process: Some(id.workload.process.clone()),
            instance: Some(id.to_string()),
            stream,
            text: text.to_owned(),
        };
        self.lines.push((id.workload.environment.clone(), line));
    }

    /// An instance that has a port, and no program yet.
    fn reserve(&mut self, id: &InstanceId, workload: &Workload) {
        let port = INSTANCE_PORTS.start() + self.started;
        self.started += 1;
        let entry = Entry {
            instance: Instance {
                id: id.clone(),
                release: workload.release.clone(),
                state: InstanceState::Stopped,
                pid: None,
                address: workload
                    .port_variable
                    .as_ref()
                    .map(|_| SocketAddr::from(([127, 0, 0, 1], port))),
                started_at: None,
                restarts: 0,
                last_exit: None,
                memory: None,
            },
            behaviour: Behaviour::Healthy,
            checks: 0,
            workload: workload.clone(),
        };
        self.entries.insert(id.clone(), entry);
    }

    fn is_missing(&self, id: &InstanceId) -> bool {
        let entry = self.entries.get(id);
        entry.is_none_or(|entry| entry.instance.state == InstanceState::Stopped)
    }

    fn start(&mut self, id: &InstanceId, workload: &Workload) {
        if !self.entries.contains_key(id) {
            self.reserve(id, workload);
        }
        let address = self.entries.get(id).and_then(|entry| entry.instance.address);
        let behaviour = self.behaviour(&workload.id.process, &workload.release);
        let mut entry = Entry {
            instance: Instance {
                id: id.clone(),
                release: workload.release.clone(),
                state: InstanceState::Running,
                pid: Some(100_000 + u32::from(self.started)),
                address,
                started_at: Some(Timestamp::now()),
                restarts: 0,
                last_exit: None,
                memory: Some(10 << 20),
            },
            behaviour: behaviour.clone(),
            checks: 0,
            workload: workload.clone(),
        };
        if let Behaviour::CrashAtStart(code, lines) = &behaviour {
            for line in lines {
                self.print(id, LogStream::Err, line);
            }
            entry.end(Some(*code));
        }
        if let Behaviour::ListensElsewhere(_, lines) = &behaviour {
            for line in lines {
                self.print(id, LogStream::Out, line);
            }
        }
        self.entries.insert(id.clone(), entry);
    }
}

#[async_trait::async_trait]
impl Runtime for FakeRuntime {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn ensure(&self, workload: &Workload) -> Result<Vec<Instance>, Failure> {
        self.journal
            .note(format!("ensure {} x{}", workload.id, workload.count));
        self.faults.pass("ensure").await?;
        let mut state = locked(&self.state);
        state
            .entries
            .retain(|id, _| id.workload != workload.id || id.number <= workload.count);
        for number in 1..=workload.count {
            let id = InstanceId {
                workload: workload.id.clone(),
                number,
            };
            if state.is_missing(&id) {
                state.start(&id, workload);
            }
        }
        Ok(state
            .entries
            .values()
            .filter(|e| e.instance.id.workload == workload.id)
            .map(|e| e.instance.clone())
            .collect())
    }

    async fn reserve(&self, workload: &Workload) -> Result<bool, Failure> {
        self.faults.pass("reserve").await?;
        let mut state = locked(&self.state);
        let mut is_any = false;
        for number in 1..=workload.count {
            let id = InstanceId {
                workload: workload.id.clone(),
                number,
            };
            is_any |= state.is_missing(&id);
            if !state.entries.contains_key(&id) {
                state.reserve(&id, workload);
            }
        }
        Ok(is_any)
    }

    async fn observe(&self, scope: &Scope) -> Result<Vec<Instance>, Failure> {
        self.faults.pass("observe").await?;
        Ok(self
            .instances()
            .into_iter()
            .filter(|i| scope.contains(&i.id.workload))
            .collect())
    }

    async fn remove(&self, id: &WorkloadId) -> Result<(), Failure> {
        self.journal.note(format!("remove {id}"));
        self.faults.pass("remove").await?;
        locked(&self.state)
            .entries
            .retain(|instance, _| instance.workload != *id);
        Ok(())
    }

    async fn restart(&self, id: &InstanceId) -> Result<(), Failure> {
        self.journal.note(format!("restart {id}"));
        self.faults.pass("restart").await?;
        let mut state = locked(&self.state);
        let entry = state
            .entries
            .get_mut(id)
            .ok_or_else(|| no_instance("restart", id))?;
        if !matches!(entry.behaviour, Behaviour::CrashAtStart(..)) {
            entry.instance.state = InstanceState::Running;
            entry.instance.started_at = Some(Timestamp::now());
            entry.checks = 0;
        }
        Ok(())
    }

    async fn diagnose(&self, id: &InstanceId) -> Result<Diagnosis, Failure> {
        self.faults.pass("diagnose").await?;
        let state = locked(&self.state);
        let entry = state.entries.get(id).ok_or_else(|| no_instance("diagnose", id))?;
        let name = Some(id.to_string());
        Ok(Diagnosis {
            last_lines: state
                .lines
                .iter()
                .filter(|(_, line)| line.instance == name)
                .map(|(_, line)| line.text.clone())
                .collect(),
            listening: match &entry.behaviour {
                Behaviour::ListensElsewhere(address, _) => vec![*address],
                _ => entry.instance.address.into_iter().collect(),
            },
            last_exit: entry.instance.last_exit.clone(),
            restarts: entry.instance.restarts,
        })
    }

    async fn exposure(&self, id: &InstanceId) -> Result<Option<f64>, Failure> {
        self.faults.pass("exposure").await?;
        Ok(locked(&self.state).exposures.get(&id.workload.process).copied())
    }

    async fn logs(&self, environment: &EnvironmentId, query: &LogQuery) -> Result<LogLines, Failure> {
        self.faults.pass("logs").await?;
        let wanted = |line: &LogLine| query.process.is_none() || query.process == line.process;
        let lines: Vec<LogLine> = locked(&self.state)
            .lines
            .iter()
            .filter(|(of, line)| of == environment && wanted(line))
            .map(|(_, line)| LogLine {
                text: query.shown.text(line.text.clone()),
                ..line.clone()
            })
            .filter(|line| {
                let text = query.grep.as_ref();
                text.is_none_or(|text| line.text.contains(text.as_str()))
            })
            .collect();
        let skip = query.last.map_or(0, |last| lines.len().saturating_sub(last));
        let lines = futures_util::stream::iter(lines.into_iter().skip(skip));
        if query.follow {
            return Ok(Box::pin(lines.chain(futures_util::stream::pending())));
        }
        Ok(Box::pin(lines))
    }
}

fn no_instance(verb: &str, id: &InstanceId) -> Failure {
    Failure::new(
        Kind::NotFound,
        format!("cannot {verb} `{id}`: there is no such instance"),
    )
}
