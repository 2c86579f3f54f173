//! The parts of a backup that are the engine's own: variables, and what a project is.

use std::collections::BTreeMap;

use hostkit_core::addon::{AddonKind, AddonSettings};
use hostkit_core::backup::part::Counts;
use hostkit_core::backup::schedule::BackupSchedule;
use hostkit_core::domain::DomainName;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::Manifest;
use hostkit_core::names::{ProcessName, VariableName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::variables::Variables;
use serde::{Deserialize, Serialize};

use crate::context::Context;

/// What a project is, as far as it can be made anew from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ProjectPart {
    /// Its add-ons, and what was chosen of them.
    pub(super) addons: BTreeMap<AddonKind, AddonSettings>,
    /// The domains that were added.
    pub(super) domains: Vec<DomainName>,
    /// Numbers of instances that were asked for.
    pub(super) counts: BTreeMap<ProcessName, u16>,
    /// The stable ports it had. On another machine they may be somebody else's.
    pub(super) ports: BTreeMap<ProcessName, u16>,
    /// The manifest of the live release.
    pub(super) manifest: Option<Manifest>,
    /// When it is backed up.
    pub(super) schedule: BackupSchedule,
}

impl ProjectPart {
    pub(super) fn of(context: &Context, id: &EnvironmentId) -> Result<Self, Failure> {
        let store = &context.parts.store;
        let environment = store.environment(id)?;
        let addons = store.addons_of(id)?.into_iter().filter(|addon| !addon.removing);
        let manifest = match &environment.live {
            Some(live) => Some(context.release(id, &live.release)?.manifest.clone()),
            None => None,
        };
        Ok(ProjectPart {
            addons: addons
                .map(|addon| (addon.order.id.kind, addon.order.settings))
                .collect(),
            domains: store
                .domains_of(id)?
                .into_iter()
                .map(|domain| domain.host)
                .collect(),
            counts: environment.counts,
            ports: environment.ports,
            manifest,
            schedule: store.backup_schedule(id)?,
        })
    }

    pub(super) fn counts(&self) -> Counts {
        [
            ("add-ons", self.addons.len()),
            ("domains", self.domains.len()),
            ("ports", self.ports.len()),
        ]
        .map(|(name, count)| (name.to_owned(), count as u64))
        .into()
    }

    pub(super) fn written(&self) -> Result<Vec<u8>, Failure> {
        serde_json::to_vec(self).map_err(|why| unwritten(&why))
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(bytes).map_err(|why| unread("what the project is", &why))
    }
}

/// The variables that were set by hand, with their values. The file they go into is encrypted.
pub(super) fn variables(context: &Context, id: &EnvironmentId) -> Result<Variables, Failure> {
    context.parts.store.variables(id)
}

pub(super) fn counts_of(variables: &Variables) -> Counts {
    [("variables".to_owned(), variables.len() as u64)].into()
}

pub(super) fn written(variables: &Variables) -> Result<Vec<u8>, Failure> {
    let plain: BTreeMap<&VariableName, &str> = variables
        .iter()
        .map(|(name, value)| (name, value.reveal()))
        .collect();
    serde_json::to_vec(&plain).map_err(|why| unwritten(&why))
}

pub(super) fn parse_variables(bytes: &[u8]) -> Result<Variables, Failure> {
    // What the reader says of a text may show a part of it.
    let plain: BTreeMap<VariableName, String> =
        serde_json::from_slice(bytes).map_err(|_| unread("variables", &"they are not written as such"))?;
    Ok(plain
        .into_iter()
        .map(|(name, value)| (name, Secret::new(value)))
        .collect())
}

fn unwritten(why: &serde_json::Error) -> Failure {
    Failure::new(Kind::Internal, format!("cannot write a part of a backup: {why}"))
}

fn unread(what: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Kind::Conflict,
        format!("cannot read {what} from the backup: {why}"),
    )
}
