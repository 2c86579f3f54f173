//! Setting of variables, and masking of what programs print.

use std::sync::{Arc, Mutex, Weak};

use hostkit_core::event::{Event, What};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::log::{LogQuery, Shown};
use hostkit_core::names::{ReleaseName, VariableName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::LogLines;
use hostkit_core::variables::mask::Masker;
use hostkit_core::variables::{MAX_ALL_BYTES, MAX_VALUE_BYTES, RESERVED, Variables};
use tokio::sync::broadcast::{self, error::TryRecvError};

use crate::addons;
use crate::context::{Context, locked};
use crate::journal::masker;

/// The most old lines of one answer: they are held in memory.
const MOST_LINES: usize = 50_000;

/// Refuses names HostKit sets itself and values no program could be given.
pub(crate) fn check(set: &Variables) -> Result<(), Failure> {
    for (name, value) in set {
        let why = if RESERVED.contains(&name.as_str()) {
            "HostKit sets it itself".to_owned()
        } else if value.reveal().len() > MAX_VALUE_BYTES {
            format!("its value is longer than {} KB", MAX_VALUE_BYTES / 1024)
        } else if value.reveal().contains('\0') {
            "its value has a zero byte in it".to_owned()
        } else {
            continue;
        };
        return Err(Failure::new(
            Kind::Invalid,
            format!("cannot set variable `{name}`: {why}"),
        ));
    }
    Ok(())
}

/// Refuses what no program could be started with.
fn check_all(
    context: &Context,
    id: &EnvironmentId,
    set: &Variables,
    unset: &[VariableName],
) -> Result<(), Failure> {
    let mut all = match context.parts.store.variables(id) {
        // An environment that is made by its first variables.
        Err(failure) if failure.kind == Kind::NotFound => Variables::new(),
        variables => variables?,
    };
    all.retain(|name, _| !unset.contains(name));
    all.extend(set.clone());
    let sizes = all
        .iter()
        .map(|(name, value)| name.as_str().len() + value.reveal().len() + 2);
    match sizes.sum::<usize>() {
        bytes if bytes <= MAX_ALL_BYTES => Ok(()),
        bytes => Err(Failure::new(
            Kind::Invalid,
            format!(
                "cannot set variables of `{id}`: together they would have {}, {} are taken",
                ByteSize(bytes as u64),
                ByteSize(MAX_ALL_BYTES as u64)
            ),
        )
        .hint("put what is large into a file under `keep` in hostkit.toml")),
    }
}

/// Names as they are told in the log.
pub(crate) fn set(
    context: &Context,
    id: &EnvironmentId,
    set: &Variables,
    unset: &[VariableName],
    by: &str,
) -> Result<(), Failure> {
    check(set)?;
    if !set.is_empty() {
        addons::refuse_bound(context, id, set)?;
        check_all(context, id, set, unset)?;
    }
    context.parts.store.change_variables(id, set, unset, by)
}

/// The value of one variable, for a caller who may see it. It is told first: nothing is shown in secret.
pub(crate) fn reveal(
    context: &Context,
    id: &EnvironmentId,
    name: &VariableName,
    by: &str,
) -> Result<Secret, Failure> {
    let value = context.parts.store.variable(id, name)?;
    tell(context, id, vec![name.to_string()], by)?;
    Ok(value)
}

/// All variables, for a caller who may see them.
pub(crate) fn export(context: &Context, id: &EnvironmentId, by: &str) -> Result<Variables, Failure> {
    context.parts.store.environment(id)?;
    let variables = context.parts.store.variables(id)?;
    if !variables.is_empty() {
        tell(
            context,
            id,
            variables.keys().map(ToString::to_string).collect(),
            by,
        )?;
    }
    Ok(variables)
}

fn tell(context: &Context, id: &EnvironmentId, names: Vec<String>, by: &str) -> Result<(), Failure> {
    let by = by.to_owned();
    let what = What::VariablesRevealed { names, by };
    context.parts.store.record(Some(id), what)
}

/// What programs of an environment printed, without the values of its variables: today's, and those its releases were
/// frozen with. Who follows for long is not shown values that were set meanwhile.
pub(crate) async fn masked_logs(
    context: &Arc<Context>,
    id: &EnvironmentId,
    query: &LogQuery,
) -> Result<LogLines, Failure> {
    let hiding = Mutex::new(Hiding {
        // Subscribed before the first look: what changes in between is noticed.
        news: context.events.subscribe(),
        masker: masker_of_all(context, id),
        context: Arc::downgrade(context),
        id: id.clone(),
    });
    let query = LogQuery {
        last: query
            .last
            .map(|last| last.min(MOST_LINES))
            .or(query.since.map(|_| MOST_LINES)),
        shown: Shown::through(move |text| locked(&hiding).hide(text)),
        ..query.clone()
    };
    context.parts.runtime.logs(id, &query).await
}

/// A masker that goes with the times.
struct Hiding {
    news: broadcast::Receiver<Event>,
    masker: Masker,
    context: Weak<Context>,
    id: EnvironmentId,
}

impl Hiding {
    fn hide(&mut self, text: &str) -> String {
        let mut stale = false;
        loop {
            match self.news.try_recv() {
                Ok(event) => stale |= self.changes(&event),
                // Too slow to know what was missed.
                Err(TryRecvError::Lagged(_)) => stale = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if let Some(context) = self.context.upgrade().filter(|_| stale) {
            self.masker = masker_of_all(&context, &self.id);
        }
        self.masker.mask(text).into_owned()
    }

    fn changes(&self, event: &Event) -> bool {
        let concerns_values = matches!(
            event.what,
            What::VariablesChanged { .. } | What::AddonAdded { .. } | What::AddonRotation { .. }
        );
        concerns_values
            && event.project.as_ref() == Some(&self.id.project)
            && event.environment.as_ref() == Some(&self.id.environment)
    }
}

/// Hides what any release that is kept was frozen with: its lines may still be there.
fn masker_of_all(context: &Context, id: &EnvironmentId) -> Masker {
    match context.parts.store.releases(id) {
        Ok(releases) => {
            let names: Vec<ReleaseName> = releases.into_iter().map(|release| release.name).collect();
            masker(context, id, &names, &Variables::new())
        }
        Err(_) => Masker::of_everything(),
    }
}
