//! What must be there before the release starts: the aim of the deployment is fixed, and its processes have their
//! stable ports. Migrations and backups will have their place here.

use hostkit_core::deployment::{Act, StepName};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::Reach;
use hostkit_core::names::{ProcessName, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_store::{Canary, Live, Standing};

use super::{Step, canary, hosts};
use crate::addons;
use crate::context::Context;
use crate::run::Run;

pub(super) struct Prepare;

fn nothing_live(id: &EnvironmentId, verb: &str) -> Failure {
    Failure::new(
        Kind::Conflict,
        format!("cannot {verb} `{id}`: nothing was deployed yet"),
    )
    .hint("deploy first with `hostkit deploy`")
}

/// The most instances of one process.
const MOST: u16 = 64;

/// How an environment shall stand after an act, from how it stands. Pure but for the look at the release; also asked
/// when an act is submitted, to refuse at once what cannot be done.
pub(crate) fn aim(
    context: &Context,
    id: &EnvironmentId,
    act: &Act,
    before: &Standing,
    new: Option<(&ReleaseName, u64)>,
) -> Result<Standing, Failure> {
    let live = |verb: &str| before.live.clone().ok_or_else(|| nothing_live(id, verb));
    let generation = new.map_or(0, |(_, generation)| generation);
    // The release before stays the one to go back to when the same release is started anew.
    let onto = |release: ReleaseName| Standing {
        previous: match &before.live {
            Some(live) if live.release != release => Some(live.release.clone()),
            _ => before.previous.clone(),
        },
        live: Some(Live { release, generation }),
        canary: None,
        stopped: false,
        counts: before.counts.clone(),
    };
    let standing = match act {
        Act::Deploy {
            canary: Some(percent),
            ..
        } => {
            canary::check_possible(id, before)?;
            let canary = new.map(|(release, generation)| Canary {
                release: release.clone(),
                generation,
                percent: *percent,
            });
            Standing {
                canary: canary.or(before.canary.clone()),
                ..before.clone()
            }
        }
        Act::Promote { percent } => canary::promoted(id, before, *percent)?,
        Act::Abandon => {
            canary::of(id, before, "end")?;
            Standing {
                canary: None,
                ..before.clone()
            }
        }
        Act::Deploy { .. } | Act::Apply => {
            canary::check_none(id, before)?;
            if *act == Act::Apply {
                live("apply variables to")?;
            }
            let Some((release, _)) = new else {
                return Ok(before.clone());
            };
            let stopped = before.stopped && *act == Act::Apply;
            Standing {
                stopped,
                ..onto(release.clone())
            }
        }
        Act::Rollback { to } => {
            context.release(id, to)?;
            onto(to.clone())
        }
        Act::Restart => {
            let live = live("restart")?;
            if before.stopped {
                return Err(
                    Failure::new(Kind::Conflict, format!("cannot restart `{id}`: it is stopped"))
                        .hint("start it with `hostkit start`"),
                );
            }
            Standing {
                canary: before.canary.clone(),
                ..onto(live.release)
            }
        }
        Act::Start => {
            let live = live("start")?;
            if before.stopped {
                Standing {
                    canary: before.canary.clone(),
                    ..onto(live.release)
                }
            } else {
                before.clone()
            }
        }
        Act::Stop => {
            live("stop")?;
            Standing {
                stopped: true,
                ..before.clone()
            }
        }
        Act::Scale { process, count } => {
            let live = live("scale")?;
            check_scale(context, id, &live.release, process, *count)?;
            let mut counts = before.counts.clone();
            counts.insert(process.clone(), *count);
            Standing {
                counts,
                ..before.clone()
            }
        }
    };
    Ok(standing)
}

fn check_scale(
    context: &Context,
    id: &EnvironmentId,
    release: &ReleaseName,
    process: &ProcessName,
    count: u16,
) -> Result<(), Failure> {
    let release = context.release(id, release)?;
    if !release.processes.contains_key(process) {
        let names: Vec<String> = release.processes.keys().map(|n| format!("`{n}`")).collect();
        let hint = match names.is_empty() {
            true => "its files are served by the front door; there is nothing to scale".to_owned(),
            false => format!("its processes are {}", names.join(", ")),
        };
        let message = format!("cannot scale `{process}` of `{id}`: the live release has no such process");
        return Err(Failure::new(Kind::NotFound, message).hint(hint));
    }
    if count > MOST {
        let message = format!("cannot scale `{process}` of `{id}` to {count}: the most is {MOST}");
        return Err(Failure::new(Kind::Invalid, message));
    }
    Ok(())
}

#[async_trait::async_trait]
impl Step for Prepare {
    fn name(&self) -> StepName {
        StepName::Prepare
    }

    async fn run(&self, run: &mut Run) -> Result<(), Failure> {
        let (context, id) = (run.context.clone(), run.deployment.environment.clone());
        if let Act::Rollback { to } = &run.deployment.act {
            run.saved.release = Some(to.clone());
        }
        let new = run
            .saved
            .release
            .as_ref()
            .map(|release| (release, run.deployment.id));
        let fallback = run
            .saved
            .before
            .live
            .as_ref()
            .map(|live| (&live.release, run.deployment.id));
        let mut wanted = aim(
            &context,
            &id,
            &run.deployment.act,
            &run.saved.before,
            new.or(fallback),
        )?;
        let Some(live) = &wanted.live else {
            return Err(nothing_live(&id, "change"));
        };
        let about = canary::concerned(&run.deployment.act, &run.saved.before, &wanted);
        let about = about.unwrap_or(&live.release).clone();
        let release = context.release(&id, &about)?;
        run.saved.release = Some(about);
        let before = run.saved.before.live.as_ref();
        if before.is_none_or(|before| before.release != release.name) {
            hosts::check(run, &release)?;
        }
        // A number asked for by `scale` goes with its process.
        let kept = context.release(&id, &live.release)?;
        wanted
            .counts
            .retain(|name, _| release.processes.contains_key(name) || kept.processes.contains_key(name));
        let with_port = release
            .processes
            .iter()
            .filter(|(_, p)| p.rule.reach != Reach::Unreachable);
        let mut names: Vec<ProcessName> = with_port.map(|(name, _)| name.clone()).collect();
        if release.artifact.files.is_some() && names.is_empty() {
            names.push(ProcessName::web());
        }
        for name in names {
            context
                .parts
                .store
                .assign_port(&id, &name, context.parts.port_is_free)?;
        }
        for sentence in addons::complaints(&context, &id).await? {
            run.journal.say(&format!("warning: {sentence}"));
        }
        run.saved.wanted = Some(wanted);
        run.hide();
        Ok(())
    }

    async fn undo(&self, run: &mut Run) -> Result<(), Failure> {
        run.saved.wanted = None;
        Ok(())
    }
}
