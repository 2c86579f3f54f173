//! What runs of an environment: whether all of it does, whether it answers, how often it crashed of late.

use std::collections::BTreeMap;

use super::{Finding, options};
use crate::names::ProcessName;
use crate::project::EnvironmentId;
use crate::traits::Health;

/// So many crashes within an hour are no accident any more.
const MANY_CRASHES: u32 = 5;

/// What was seen of the programs of an environment.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    /// The processes of the live release.
    pub processes: BTreeMap<ProcessName, ProcessLook>,
}

/// What was seen of one process.
#[derive(Debug, Clone)]
pub struct ProcessLook {
    /// How many instances there shall be, and how many run.
    pub instances: Wanted,
    /// Whether the manifest names a path to ask for its health.
    pub has_health_path: bool,
    /// Whether it has a port, and so can be asked at all.
    pub has_port: bool,
    /// What its instances answered when they were asked just now: nothing where none was.
    pub answers: Vec<Health>,
    /// How often an instance of it ended by itself, or was restarted because it did not answer, within the last hour.
    pub restarts: u32,
}

/// How many there shall be and how many are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// How many there shall be.
    pub wanted: usize,
    /// How many are.
    pub found: usize,
}

pub(super) fn check(environment: &EnvironmentId, activity: &Activity) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, look) in &activity.processes {
        findings.push(instances(environment, name, look));
        if look.has_port {
            findings.extend(health(environment, name, look));
        }
        findings.push(restarts(environment, name, look));
    }
    findings
}

fn instances(environment: &EnvironmentId, name: &ProcessName, look: &ProcessLook) -> Finding {
    let subject = format!("instances of {name}");
    let Wanted { wanted, found } = look.instances;
    if wanted == 0 {
        return Finding::warning(subject, "none shall run").hint(format!(
            "`hostkit scale {name}=1 {}` runs one",
            options(environment)
        ));
    }
    if found < wanted {
        return Finding::problem(subject, format!("{found} of {wanted} run")).hint(format!(
            "see `hostkit ps {0}` and `hostkit logs {0} --process {name}`",
            options(environment)
        ));
    }
    Finding::fine(subject, format!("{found} of {wanted} run"))
}

fn health(environment: &EnvironmentId, name: &ProcessName, look: &ProcessLook) -> Vec<Finding> {
    let subject = format!("health of {name}");
    let mut findings = Vec::new();
    if !look.has_health_path {
        findings.push(
            Finding::warning(
                format!("health path of {name}"),
                "none is named: any answer below 500 to `/` counts as healthy",
            )
            .hint(format!(
                "name one that looks at what the app depends on: `path` below [process.{name}.health] in hostkit.toml"
            )),
        );
    }
    let failed = look.answers.iter().find_map(|answer| match answer {
        Health::Healthy => None,
        Health::Unhealthy(reason) => Some(reason),
    });
    match failed {
        Some(reason) => findings.push(Finding::problem(subject, reason).hint(format!(
            "see `hostkit logs {} --process {name}`",
            options(environment)
        ))),
        None if look.answers.is_empty() => {}
        None => findings.push(Finding::fine(subject, "answers as it should")),
    }
    findings
}

fn restarts(environment: &EnvironmentId, name: &ProcessName, look: &ProcessLook) -> Finding {
    let subject = format!("restarts of {name}");
    let message = match look.restarts {
        0 => return Finding::fine(subject, "none within the last hour"),
        1 => "1 within the last hour".to_owned(),
        many => format!("{many} within the last hour"),
    };
    let finding = match look.restarts {
        MANY_CRASHES.. => Finding::problem(subject, message),
        _ => Finding::warning(subject, message),
    };
    finding.hint(format!(
        "see `hostkit events {0}` and `hostkit logs {0} --process {name} --since 1h`",
        options(environment)
    ))
}
