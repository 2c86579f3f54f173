//! How HostKit itself is: fast checks for machines, findings for people.

use std::sync::{Arc, Mutex};

use hostkit_core::doctor::{Finding, Level, master_key, options};
use hostkit_core::kind::Failure;
use hostkit_core::route::BackendId;
use hostkit_core::size::ByteSize;
use hostkit_core::workload::{Instance, InstanceState, Scope};

use crate::context::{Context, locked};
use crate::looks::Looks;
use crate::{addons, backups, canary, wanted};

/// The check of whether the loopback ports of projects are kept apart.
const PORTS: &str = "ports";

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// `database`, `front_door`, `disk` or, where projects share a machine, `ports`.
    pub name: &'static str,
    /// Why it is not well; nothing where it is.
    pub problem: Option<String>,
    /// How long the look took, or takes by now.
    pub latency_ms: u64,
}

/// All checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthReport {
    /// In a fixed order.
    pub checks: Vec<HealthCheck>,
}

impl HealthReport {
    /// Whether every check is well.
    pub fn is_healthy(&self) -> bool {
        self.checks.iter().all(|c| c.problem.is_none())
    }
}

/// What is known of each thing that is checked.
#[derive(Default)]
pub(crate) struct Checks {
    database: Arc<Looks>,
    front_door: Arc<Looks>,
    disk: Arc<Looks>,
    /// The instances that the front door left out when it was last looked at.
    ejected: Mutex<Vec<BackendId>>,
}

async fn check(
    name: &'static str,
    looks: &Arc<Looks>,
    look: impl Future<Output = Result<(), String>> + Send + 'static,
) -> HealthCheck {
    let found = looks.ask(look).await;
    HealthCheck {
        name,
        problem: found.problem,
        latency_ms: u64::try_from(found.took.as_millis()).unwrap_or(u64::MAX),
    }
}

/// A look that blocks, made where it holds up nobody.
async fn aside(look: impl FnOnce() -> Result<(), String> + Send + 'static) -> Result<(), String> {
    tokio::task::spawn_blocking(look)
        .await
        .unwrap_or_else(|e| Err(e.to_string()))
}

fn disk(context: &Context) -> Result<(), String> {
    let parts = &context.parts;
    let free = parts
        .files
        .free_bytes(parts.layout.data())
        .map_err(|e| e.to_string())?;
    match free < parts.settings.min_free.0 {
        true => Err(format!("only {} are free", ByteSize(free))),
        false => Ok(()),
    }
}

pub(crate) async fn report(context: &Arc<Context>) -> HealthReport {
    let (for_database, for_front_door, for_disk) = (context.clone(), context.clone(), context.clone());
    let database = aside(move || for_database.parts.store.ping().map_err(|e| e.message));
    let front_door = async move {
        let status = for_front_door.parts.traffic.status().await;
        let status = status.map_err(|e| e.message)?;
        *locked(&for_front_door.checks.ejected) = status.ejected;
        Ok(())
    };
    let disk = aside(move || disk(&for_disk));
    let known = &context.checks;
    let (database, front_door, disk) = tokio::join!(
        check("database", &known.database, database),
        check("front_door", &known.front_door, front_door),
        check("disk", &known.disk, disk)
    );
    let mut checks = vec![database, front_door, disk];
    if context.parts.port_owners.is_some() {
        // What the loops last found: nothing is looked at here.
        checks.push(HealthCheck {
            name: PORTS,
            problem: context.ports.trouble().map(|failure| failure.message),
            latency_ms: 0,
        });
    }
    HealthReport { checks }
}

pub(crate) async fn doctor(context: &Arc<Context>) -> Vec<Finding> {
    let is_server = context.parts.layout.is_server();
    let checks = report(context).await.checks.into_iter();
    let mut findings: Vec<Finding> = checks.map(|check| finding(check, is_server)).collect();
    findings.extend(master_key(&context.parts.store.look_at_keys()));
    for entry in context.router.put_aside() {
        findings.push(Finding {
            level: Level::Problem,
            subject: format!("route {}", entry.route),
            message: format!("the front door does not serve it: {}", entry.reason),
            hint: None,
        });
    }
    for conflict in context.router.conflicts() {
        findings.push(Finding {
            level: Level::Warning,
            subject: format!("host {}", conflict.host),
            message: format!(
                "`{}` claims it, but `{}` has it",
                conflict.refused, conflict.holder
            ),
            hint: Some("take it out of `hosts` in one of the two hostkit.toml".into()),
        });
    }
    let ejected = ejected(context);
    findings.extend(ejected.iter().map(|id| Finding {
        level: Level::Warning,
        message: "the front door leaves it out: it takes no connections, or breaks requests off".into(),
        hint: Some("see `hostkit logs`; it is tried again by itself".into()),
        subject: id.0.clone(),
    }));
    let found = match context.parts.runtime.observe(&Scope::default()).await {
        Ok(observed) => instances(context, &observed)
            .and_then(|found| Ok((found, canaries(context, &observed, &ejected)?))),
        Err(failure) => Err(failure),
    };
    match found {
        Ok((instances, canaries)) => findings.extend(instances.into_iter().chain(canaries)),
        Err(failure) => findings.push(Finding {
            level: Level::Problem,
            subject: "instances".into(),
            message: failure.message,
            hint: failure.hint,
        }),
    }
    findings.extend(backups::findings(context));
    match addons::broken(context).await {
        Ok(broken) => findings.extend(broken),
        Err(failure) => findings.push(Finding {
            level: Level::Problem,
            subject: "add-ons".into(),
            message: failure.message,
            hint: failure.hint,
        }),
    }
    findings
}

/// What to do about a check that fails. On a server systemd keeps the daemons and what they log.
fn remedy(check: &str, is_server: bool) -> &'static str {
    match (check, is_server) {
        ("disk", _) => "free some space; deployments are refused until then",
        (PORTS, _) => "nothing is started until then; see `hostkit server check`",
        ("front_door", false) => "it is started again by itself; if not, run `hostkit up` again",
        ("front_door", true) => {
            "it is started again by itself; if not, `systemctl restart hostkit-proxy` and `journalctl -u hostkit-proxy`"
        }
        (_, false) => "see `logs/control.log` in the data folder",
        (_, true) => "see `journalctl -u hostkit-control`",
    }
}

fn finding(check: HealthCheck, is_server: bool) -> Finding {
    let subject = check.name.replace('_', " ");
    match check.problem {
        None => Finding {
            level: Level::Fine,
            message: match check.name {
                "disk" => "has room".to_owned(),
                PORTS => "belong to their projects alone".to_owned(),
                _ => format!("answers in {} ms", check.latency_ms),
            },
            hint: None,
            subject,
        },
        Some(problem) => Finding {
            level: Level::Problem,
            message: problem,
            hint: Some(remedy(check.name, is_server).to_owned()),
            subject,
        },
    }
}

/// How an instance stands that does not run.
fn standstill(instance: &Instance) -> String {
    let state = match instance.state {
        InstanceState::CrashLoop => "it crashes again and again",
        _ => "it does not run",
    };
    let times = match instance.restarts {
        0 => None,
        1 => Some("1 restart".to_owned()),
        restarts => Some(format!("{restarts} restarts")),
    };
    let exit = instance.last_exit.as_ref().map(ToString::to_string);
    let known: Vec<String> = exit.into_iter().chain(times).collect();
    if known.is_empty() {
        return state.to_owned();
    }
    format!("{state} ({})", known.join(", "))
}

/// The canaries there are.
fn canaries(
    context: &Context,
    observed: &[Instance],
    ejected: &[BackendId],
) -> Result<Vec<Finding>, Failure> {
    let environments = context.parts.store.environments()?;
    let findings = environments
        .iter()
        .filter_map(|environment| canary::finding(context, environment, observed, ejected));
    Ok(findings.collect())
}

/// The instances that the front door left out when it was last looked at.
pub(crate) fn ejected(context: &Context) -> Vec<BackendId> {
    locked(&context.checks.ejected).clone()
}

/// Instances that do not do well, and environments that lack some.
fn instances(context: &Context, observed: &[Instance]) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for environment in context.parts.store.environments()? {
        let id = &environment.id;
        let wanted = wanted::instances(&wanted::counts(context, id, &environment.standing())?);
        for name in &wanted {
            let instance = observed.iter().find(|i| i.id == *name);
            if let Some(instance) = instance.filter(|instance| instance.state == InstanceState::Running) {
                if context.ready.rests(instance) {
                    let said = "it says that it wants no requests, and gets none while another one does";
                    let finding = Finding::warning(name.to_string(), said);
                    findings.push(finding.hint(format!("see `hostkit logs {}`", options(id))));
                }
                continue;
            }
            let message = instance.map_or_else(|| "it does not run".to_owned(), standstill);
            findings.push(Finding {
                level: Level::Problem,
                subject: name.to_string(),
                message,
                hint: Some(format!(
                    "see `hostkit logs --project {} --process {}`",
                    id.project, name.workload.process
                )),
            });
        }
    }
    if findings.is_empty() {
        findings.push(Finding {
            level: Level::Fine,
            subject: "instances".into(),
            message: "all that should run does".into(),
            hint: None,
        });
    }
    Ok(findings)
}
