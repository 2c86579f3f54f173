//! Jobs: queued, and waited for until their end is told, or seen.

use std::sync::Arc;
use std::time::Instant;

use hostkit_core::kind::{Failure, Kind};
use tokio::sync::broadcast;
use zbus::OwnedObjectPath;
use zbus::message::Message;

use super::failure::Refusal;
use super::link::{Call, Event, Link, hear};
use super::properties;
use super::timeouts::{JOB, LOOK};
use crate::guard::Ending;
use crate::systemd::{ActiveState, Job, UnitName, UnitResult, UnitStatus};

/// Queues a job for a unit and waits for its end.
pub(super) async fn run(link: &Arc<Link>, job: Job, name: &UnitName) -> Result<(), Failure> {
    let failed = |refusal: Refusal| refusal.into_failure(job.verb(), format!("`{name}`"));
    let method = match job {
        Job::Start => "StartUnit",
        Job::Stop => "StopUnit",
        Job::Restart => "RestartUnit",
    };
    link.listen().await.map_err(failed)?;
    // Before it is queued: the word of a quick job's end comes before the answer that names the job.
    let events = link.events();
    let queued = match link
        .call(Call::manager(method, &(name.as_str(), "replace")))
        .await
    {
        Err(refusal) if job == Job::Stop && refusal.is_no_such_unit() => return Ok(()),
        queued => queued.map_err(failed)?,
    };
    ended(link, events, &queued, job, name).await
}

/// Waits for the end of the job that an answer of the manager names. `events` was taken before it was asked.
pub(super) async fn ended(
    link: &Arc<Link>,
    mut events: broadcast::Receiver<Event>,
    queued: &Message,
    job: Job,
    name: &UnitName,
) -> Result<(), Failure> {
    let failed = |refusal: Refusal| refusal.into_failure(job.verb(), format!("`{name}`"));
    let path: OwnedObjectPath = queued
        .body()
        .deserialize()
        .map_err(|e| failed(Refusal::from(e)))?;
    let number: u32 = path
        .rsplit('/')
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    let deadline = Instant::now() + JOB;
    let mut was_gone = false;
    while Instant::now() < deadline {
        match tokio::time::timeout(LOOK, hear(&mut events, link)).await {
            Ok(Event::JobEnded(ended, result)) if ended == number => {
                return judge(link, job, name, &result).await;
            }
            Ok(Event::JobEnded(..) | Event::Unit(_)) => {}
            // The word of its end may be lost. It may also be on its way: only a job that was gone the last time, too,
            // is judged by what became of the unit.
            Ok(Event::Unknown) | Err(_) => {
                let is_gone = is_gone(link, number).await.map_err(failed)?;
                if is_gone && was_gone {
                    return judge_by_state(link, job, name).await;
                }
                was_gone = is_gone;
            }
        }
    }
    let message = format!(
        "cannot {} `{name}`: it was still at it after {} minutes",
        job.verb(),
        JOB.as_secs() / 60
    );
    Err(Failure::new(Kind::Unavailable, message).hint("systemctl list-jobs"))
}

async fn is_gone(link: &Link, number: u32) -> Result<bool, Refusal> {
    match link.call(Call::manager("GetJob", &number)).await {
        Ok(_) => Ok(false),
        Err(refusal) if refusal.is("NoSuchJob") => Ok(true),
        Err(refusal) => Err(refusal),
    }
}

/// What systemd's word for the end of a job means.
async fn judge(link: &Link, job: Job, name: &UnitName, result: &str) -> Result<(), Failure> {
    let why = match result {
        "done" => return Ok(()),
        "failed" => {
            let status = properties::status(link, name).await?;
            return Err(not_done(Kind::Failed, job, name, &why_it_failed(&status)));
        }
        "canceled" => {
            let why = "somebody else wanted something else of it meanwhile";
            return Err(not_done(Kind::Conflict, job, name, why));
        }
        "timeout" => "it took longer than it may",
        "dependency" => "something it needs did not start",
        "skipped" => "a condition of it says no",
        "assert" => "a condition it insists on does not hold",
        "once" => "it may be started only once",
        "collected" => "nobody needed it any more",
        "invalid" | "unsupported" => "this cannot be done to such a unit",
        other => other,
    };
    Err(not_done(Kind::Failed, job, name, why))
}

async fn judge_by_state(link: &Link, job: Job, name: &UnitName) -> Result<(), Failure> {
    let status = properties::status(link, name).await?;
    let is_as_wanted = match job {
        Job::Start | Job::Restart => !matches!(status.active, ActiveState::Failed | ActiveState::Inactive),
        Job::Stop => matches!(status.active, ActiveState::Failed | ActiveState::Inactive),
    };
    // One that ran and ended well before anybody looked was started all the same.
    let ran_well = job != Job::Stop && status.result == UnitResult::Success && status.last_exit.is_some();
    if is_as_wanted || ran_well {
        return Ok(());
    }
    Err(not_done(Kind::Failed, job, name, &why_it_failed(&status)))
}

fn not_done(kind: Kind, job: Job, name: &UnitName, why: &str) -> Failure {
    Failure::new(kind, format!("cannot {} `{name}`: {why}", job.verb())).hint(format!("journalctl -u {name}"))
}

/// The exit codes systemd itself uses before the program is executed.
const SYSTEMD_S_CODES: std::ops::RangeInclusive<i32> = 200..=245;

/// The commoner ones of them in words.
const BEFORE_EXEC: [(i32, &str); 9] = [
    (200, "its folder cannot be entered"),
    (203, "its program cannot be executed"),
    (208, "its standard input cannot be opened"),
    (209, "its standard output cannot be opened"),
    (216, "its group does not exist"),
    (217, "its account does not exist"),
    (218, "its capabilities cannot be set"),
    (
        226,
        "its sandbox cannot be set up (a path that it names may be missing)",
    ),
    (228, "its system call filter cannot be set up"),
];

/// Whether the program of a unit whose start failed ran all the same: it may end before systemd sees that it was
/// executed. A program whose own exit code is one of systemd's is taken for one that was not executed.
pub(super) fn has_run(status: &UnitStatus) -> bool {
    match status.last_exit.as_ref().map(|exit| exit.ending) {
        Some(Ending::Exited(code)) => !SYSTEMD_S_CODES.contains(&code),
        Some(_) => true,
        None => false,
    }
}

/// Why a unit is in the state `failed`.
pub(super) fn why_it_failed(status: &UnitStatus) -> String {
    let ending = status.last_exit.as_ref().map(|exit| exit.ending);
    match (&status.result, ending) {
        (UnitResult::ExitCode, Some(Ending::Exited(code))) => {
            BEFORE_EXEC.iter().find(|(known, _)| *known == code).map_or_else(
                || format!("it ended with exit status {code}"),
                |(_, why)| (*why).to_owned(),
            )
        }
        (UnitResult::Signal | UnitResult::CoreDump, Some(Ending::Signalled(signal))) => {
            format!("it was ended by signal {signal}")
        }
        (UnitResult::OomKill, _) => "the kernel killed it for memory".to_owned(),
        (UnitResult::Timeout, _) => "it took longer than it may".to_owned(),
        (UnitResult::StartLimitHit, _) => "it was started too often in a short time".to_owned(),
        (UnitResult::Resources, _) => {
            "the machine could not give what it needs (a file it names may be missing)".to_owned()
        }
        (UnitResult::Success, _) => format!("it is {} ({})", status.active, status.sub),
        (result, _) => format!("systemd says `{result}`"),
    }
}
