//! Domains of environments: added and taken away while everything runs, each in one act with the look at who has which
//! name, and live as soon as the front door has the table.

pub(crate) mod check;

use hostkit_core::domain::{self, Domain, DomainName, DomainSource};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_store::AddedDomain;

use crate::context::{Context, locked};
use crate::deploy::hosts;
use crate::{certificates, routing};

/// Every host name of an environment: its default one, those that were added, those of its live release.
pub(crate) fn list(context: &Context, id: &EnvironmentId) -> Result<Vec<Domain>, Failure> {
    let store = &context.parts.store;
    let live = store.environment(id)?.live;
    let given = |host: DomainName, source| Domain {
        host,
        source,
        added_at: None,
        added_by: None,
    };
    let default = id.default_host(&context.parts.settings.base_host).into();
    let mut all = vec![given(default, DomainSource::Default)];
    let mut put = |domain: Domain| {
        if all.iter().all(|other| other.host != domain.host) {
            all.push(domain);
        }
    };
    store.domains_of(id)?.into_iter().map(shown).for_each(&mut put);
    if let Some(live) = live.filter(|_| id.environment.is_production()) {
        let claimed = hosts::claimed_by(context, id, &live.release)?.into_iter();
        claimed
            .map(|host| given(host, DomainSource::Manifest))
            .for_each(&mut put);
    }
    Ok(all)
}

/// Adds a domain, and says whether it is new. One that the environment has by itself, or was added to it before, stays
/// as it is.
pub(crate) async fn add(
    context: &Context,
    id: &EnvironmentId,
    text: &str,
    by: &str,
) -> Result<(Domain, bool), Failure> {
    let host = domain::parse(text).map_err(|why| {
        Failure::new(Kind::Invalid, format!("cannot add a domain: {why}"))
            .hint("give one name, such as `hostkit domain add shop.example.com`, or all below it by `'*.shop.example.com'`")
    })?;
    let (domain, is_new) = claim(context, id, &host, by)?;
    if is_new {
        bring_in_force(context).await;
    }
    Ok((domain, is_new))
}

/// Takes a domain away that was added. Nothing answers it any more.
pub(crate) async fn remove(
    context: &Context,
    id: &EnvironmentId,
    host: &DomainName,
    by: &str,
) -> Result<(), Failure> {
    if !context.parts.store.remove_domain(id, host, by)? {
        let source = list(context, id)?.into_iter().find(|domain| domain.host == *host);
        return Err(not_added(id, host, source.map(|domain| domain.source)));
    }
    bring_in_force(context).await;
    certificates::give_up(context, std::slice::from_ref(host)).await;
    Ok(())
}

/// The look and the write are one act, as at a switch: of two that want one name at the same time, one gets it.
fn claim(
    context: &Context,
    id: &EnvironmentId,
    host: &DomainName,
    by: &str,
) -> Result<(Domain, bool), Failure> {
    let _held = locked(&context.hosts);
    let known = list(context, id)?.into_iter().find(|domain| domain.host == *host);
    if let Some(domain) = known.filter(|domain| domain.source != DomainSource::Manifest) {
        return Ok((domain, false));
    }
    if let Some(whose) = hosts::whose(context, id, std::slice::from_ref(host))?.first() {
        let message = format!("cannot add `{host}` to `{id}`: it is {}", whose.1);
        return Err(Failure::new(Kind::Conflict, message)
            .hint("whoever has it gives it up with `hostkit domain remove`, or leaves it out of `hosts`"));
    }
    let added = context.parts.store.add_domain(id, host, by)?;
    Ok((shown(added), true))
}

/// A front door that is being started again gets the table from the loops, which are woken for it.
async fn bring_in_force(context: &Context) {
    if let Err(error) = routing::apply(context).await {
        tracing::warn!(%error, "cannot hand over the domains at once; it is tried again");
        context.wake.notify_one();
    }
}

fn shown(added: AddedDomain) -> Domain {
    Domain {
        host: added.host,
        source: DomainSource::Added,
        added_at: Some(added.added_at),
        added_by: Some(added.added_by),
    }
}

fn not_added(id: &EnvironmentId, host: &DomainName, source: Option<DomainSource>) -> Failure {
    let cannot = format!("cannot remove `{host}` of `{id}`");
    match source {
        Some(DomainSource::Manifest) => Failure::new(
            Kind::Conflict,
            format!("{cannot}: it comes from `hosts` in hostkit.toml"),
        )
        .hint("take it out of `hosts` and deploy"),
        Some(_) => Failure::new(
            Kind::Conflict,
            format!("{cannot}: it is the name the environment always has"),
        ),
        None => Failure::new(Kind::NotFound, format!("{cannot}: it is none of its domains"))
            .hint("see them with `hostkit domain list`"),
    }
}
