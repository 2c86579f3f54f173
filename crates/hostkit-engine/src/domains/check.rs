//! Whether a domain leads here: what the DNS says, and whether this very front door answers at every address of the
//! name. For the proof a route is in the table while the check lasts, at a path and with an answer nobody can guess.

use futures_util::future::join_all;
use hostkit_core::certificate::Reach;
use hostkit_core::domain::{DomainName, DomainReport, PROOF_PATH};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::HostName;
use hostkit_core::plan::domains::{compare, may_be_asked};
use hostkit_core::project::EnvironmentId;
use hostkit_core::route::rules::Rules;
use hostkit_core::route::{Compression, HoldRule, Https, NothingReason, Route, Target};

use super::list;
use crate::context::{Context, locked};
use crate::routing;

/// How many checks run at once; more wait.
pub(crate) const AT_ONCE: usize = 4;
/// Of a name with more addresses only so many are asked.
const MOST_ADDRESSES: usize = 8;

/// Checks a domain that the environment has: nobody looks up other names by way of HostKit.
pub(crate) async fn check(
    context: &Context,
    id: &EnvironmentId,
    domain: &DomainName,
) -> Result<DomainReport, Failure> {
    if list(context, id)?.iter().all(|own| own.host != *domain) {
        let message = format!("cannot check `{domain}`: it is none of the domains of `{id}`");
        return Err(Failure::new(Kind::NotFound, message).hint(
            "add it with `hostkit domain add`, which checks it; nothing is lost where the DNS comes later",
        ));
    }
    let internet = &context.parts.internet;
    // Never closed: whoever waits gets a turn.
    let _turn = context.domain_checks.acquire().await.ok();
    let own = internet.own_addresses();
    let cannot = |why: String| Failure::new(Kind::Internal, format!("cannot check `{domain}`: {why}"));
    // Of all that are below a wildcard, one that nobody has set by itself.
    let host = &match domain.reach() {
        Reach::Host => domain.host().clone(),
        Reach::Below => {
            let label = internet.unguessable().map_err(cannot)?;
            HostName::parse(&format!("{label}.{}", domain.host())).map_err(|why| cannot(why.to_string()))?
        }
    };
    let mut report = compare(domain, internet.resolve(host).await, &own);
    if report.found.is_empty() {
        return Ok(report);
    }
    let (path, answer) = (internet.unguessable(), internet.unguessable());
    let path = format!("{PROOF_PATH}/{}", path.map_err(cannot)?);
    let proof = Proof::show(context, route(id, domain, &path, answer.map_err(cannot)?));
    routing::apply(context).await?;
    let asked = report.found.iter().take(MOST_ADDRESSES).map(async |address| {
        if !may_be_asked(*address, &own) {
            return Some(format!(
                "{address} is not this machine's, and no address of the internet: it was not asked"
            ));
        }
        match internet.ask(host, *address, &path).await {
            Ok(body) if body.contains(&proof.route.id) => None,
            Ok(_) => Some(format!("another server than this one answers at {address}")),
            Err(why) => Some(format!("nobody answers at {address}: {why}")),
        }
    });
    let problems: Vec<String> = join_all(asked).await.into_iter().flatten().collect();
    report.problems.extend(problems);
    if report.found.len() > MOST_ADDRESSES {
        let why = format!(
            "the name has {} addresses: only {MOST_ADDRESSES} were asked",
            report.found.len()
        );
        report.problems.push(why);
    }
    drop(proof);
    routing::apply(context).await?;
    report.ok = report.problems.is_empty();
    Ok(report)
}

fn route(id: &EnvironmentId, domain: &DomainName, path: &str, answer: String) -> Route {
    // As the domain itself is answered: no certificate is ordered for a name that was made up.
    let (hosts, wildcards) = match domain.reach() {
        Reach::Host => (vec![domain.host().clone()], Vec::new()),
        Reach::Below => (Vec::new(), vec![domain.host().clone()]),
    };
    Route {
        id: answer,
        environment: Some(id.clone()),
        process: None,
        hosts,
        wildcards,
        path_prefix: path.to_owned(),
        ports: Vec::new(),
        target: Target::Nothing {
            reason: NothingReason::DomainCheck,
        },
        release: None,
        hold: HoldRule::default(),
        https: Https::Offered,
        compression: Compression::default(),
        sticky: false,
        answers: Default::default(),
        protocol: Default::default(),
        rules: Rules::default(),
    }
}

/// A route that is part of every table until this is dropped; then the loops take it out, if nobody else did before.
struct Proof<'a> {
    context: &'a Context,
    route: Route,
}

impl<'a> Proof<'a> {
    fn show(context: &'a Context, route: Route) -> Self {
        locked(&context.router.proofs).push(route.clone());
        Proof { context, route }
    }
}

impl Drop for Proof<'_> {
    fn drop(&mut self) {
        locked(&self.context.router.proofs).retain(|route| route.id != self.route.id);
        self.context.wake.notify_one();
    }
}
