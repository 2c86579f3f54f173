//! Certificates of host names: whoever may see to the whole installation sees to all of them, anybody else to those for
//! host names of environments that are theirs.

use hostkit_core::access::{Caller, Identity, Permission};
use hostkit_core::certificate::{BroughtCertificate, CertificateName, CertificateStatus};
use hostkit_core::domain::DomainName;
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProjectName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;

use crate::context::Context;
use crate::domains;

pub(crate) async fn list(context: &Context, caller: &Caller) -> Result<Vec<CertificateStatus>, Failure> {
    let mut all = context.parts.certificates.certificates().await?;
    if !caller.may(Permission::ReadInstallation, None) {
        let own = own(hosts(context)?, caller, Permission::ReadProject);
        all.retain(|one| {
            own.iter()
                .any(|(_, host)| *host == one.name || one.name.covers(&host.to_string()))
        });
    }
    Ok(all)
}

/// Which names a certificate is for is known when it was read, which is the front door's: it is told which there may be.
pub(crate) async fn import(
    context: &Context,
    chain: String,
    key: Secret,
    caller: &Caller,
) -> Result<Vec<CertificateName>, Failure> {
    let hosts = hosts(context)?;
    let only = match caller.may(Permission::ManageInstallation, None) {
        true => None,
        false => {
            let own = own(hosts.clone(), caller, Permission::DeployProject);
            Some(own.into_iter().map(|(_, host)| host).collect())
        }
    };
    let brought = BroughtCertificate { chain, key, only };
    let names = context.parts.certificates.import(&brought).await?;
    for name in &names {
        let what = What::CertificateImported {
            name: name.clone(),
            by: by(caller),
        };
        record(context, &hosts, name, what)?;
    }
    Ok(names)
}

pub(crate) async fn renew(context: &Context, name: &CertificateName, caller: &Caller) -> Result<(), Failure> {
    check(&hosts(context)?, "renew", name, caller)?;
    context.parts.certificates.renew(name).await
}

pub(crate) async fn remove(
    context: &Context,
    name: &CertificateName,
    caller: &Caller,
) -> Result<(), Failure> {
    let hosts = hosts(context)?;
    check(&hosts, "remove", name, caller)?;
    context.parts.certificates.remove(name).await?;
    let what = What::CertificateRemoved {
        name: name.clone(),
        by: by(caller),
    };
    record(context, &hosts, name, what)
}

/// Takes away what was brought for hosts that are given up: whoever has one of them next is not to be shown under a key of
/// whoever had it before.
pub(crate) async fn give_up(context: &Context, hosts: &[DomainName]) {
    for host in hosts {
        match context.parts.certificates.remove(host).await {
            // There is none, or nothing that could show one.
            Err(failure) if matches!(failure.kind, Kind::NotFound | Kind::Conflict) => {}
            Err(failure) => {
                tracing::warn!(%host, "its certificate stays until it is removed by hand: {failure}");
            }
            Ok(()) => tracing::info!(%host, "took its certificate away with it"),
        }
    }
}

/// Every host name of a project.
pub(crate) fn hosts_of(context: &Context, project: &ProjectName) -> Result<Vec<DomainName>, Failure> {
    let all = hosts(context)?.into_iter();
    Ok(all
        .filter(|(id, _)| id.project == *project)
        .map(|(_, host)| host)
        .collect())
}

/// Every host name with the environment that has it.
fn hosts(context: &Context) -> Result<Vec<(EnvironmentId, DomainName)>, Failure> {
    let mut hosts = Vec::new();
    for environment in context.parts.store.environments()? {
        let domains = domains::list(context, &environment.id)?.into_iter();
        hosts.extend(domains.map(|domain| (environment.id.clone(), domain.host)));
    }
    Ok(hosts)
}

/// Those of environments on which a caller has a permission.
fn own(
    mut hosts: Vec<(EnvironmentId, DomainName)>,
    caller: &Caller,
    permission: Permission,
) -> Vec<(EnvironmentId, DomainName)> {
    hosts.retain(|(id, _)| caller.may(permission, Some(&id.project)));
    hosts
}

fn check(
    hosts: &[(EnvironmentId, DomainName)],
    verb: &str,
    name: &CertificateName,
    caller: &Caller,
) -> Result<(), Failure> {
    let is_own = |(id, host): &(EnvironmentId, DomainName)| {
        *host == *name && caller.may(Permission::DeployProject, Some(&id.project))
    };
    match caller.may(Permission::ManageInstallation, None) || hosts.iter().any(is_own) {
        true => Ok(()),
        false => {
            let message = format!("cannot {verb} the certificate of `{name}`: it is no host of yours");
            Err(Failure::new(Kind::Denied, message).hint(
                "`hostkit domain list` shows the hosts of an environment; an administrator may for any",
            ))
        }
    }
}

/// As an event of the environment that has the host, or of the installation.
fn record(
    context: &Context,
    hosts: &[(EnvironmentId, DomainName)],
    name: &CertificateName,
    what: What,
) -> Result<(), Failure> {
    let of = |(_, host): &&(EnvironmentId, DomainName)| *host == *name;
    let id = hosts.iter().find(of).map(|(id, _)| id);
    context.parts.store.record(id, what)
}

fn by(caller: &Caller) -> String {
    match &caller.identity {
        Identity::Token(name) | Identity::Account(name) => name.clone(),
    }
}
