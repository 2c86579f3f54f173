//! THE choke point. A handler gets its [`Admitted`] call from here and from nowhere else: its fields are private to
//! this folder's rule, which knows the caller by the token (or by the account it runs as), checks the endpoint's permission against the project in
//! the path, and reads path and query into checked types. WebSockets and streams pass it like everything else.

mod attempts;
mod leash;

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use hostkit_api::endpoint::Call;
use hostkit_api::endpoints::Name;
use hostkit_api::target::Target;
use hostkit_core::access::{Caller, Identity, Permission};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProjectName;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::listener::Peer;
use crate::shared::{AccountOf, Shared};

pub(crate) use attempts::Attempts;
pub(crate) use leash::{Leash, Revocations};

/// No token of ours is this long; longer ones are not looked up.
const LONGEST_TOKEN: usize = 256;

/// A call whose caller may make it.
pub(crate) struct Admitted<C: Call> {
    shared: Arc<Shared>,
    caller: Option<Caller>,
    leash: Leash,
    target: C::Target,
    query: C::Query,
}

impl<C: Call> Admitted<C> {
    /// Lets a request in, or says why not.
    pub(crate) async fn admit(shared: Arc<Shared>, parts: &mut Parts) -> Result<Self, Failure> {
        let mut leash = Leash::new(&shared);
        let caller = match C::PERMISSION {
            Permission::Public => None,
            _ => Some(identify(&shared, parts, &mut leash).await?),
        };
        let target = read_target::<C>(parts).await?;
        if let Some(caller) = &caller {
            permit(&shared, caller, C::NAME, C::PERMISSION, target.project())?;
        }
        let query = serde_urlencoded::from_str(parts.uri.query().unwrap_or_default()).map_err(|why| {
            Failure::new(Kind::Invalid, format!("cannot read the query: {why}"))
                .hint("see what can stand behind the `?` in docs/api.md or /api/openapi.json")
        })?;
        Ok(Admitted {
            shared,
            caller,
            leash,
            target,
            query,
        })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// What the path names.
    pub(crate) fn target(&self) -> &C::Target {
        &self.target
    }

    /// What stands behind the `?`.
    pub(crate) fn query(&self) -> &C::Query {
        &self.query
    }

    /// Ends what goes on for long when the token is no longer one.
    pub(crate) fn leash(&self) -> Leash {
        self.leash.clone()
    }

    /// Who calls; nobody in particular where anybody may.
    pub(crate) fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// The name of the token or account that calls.
    pub(crate) fn by(&self) -> &str {
        match self.caller.as_ref().map(|caller| &caller.identity) {
            Some(Identity::Token(name) | Identity::Account(name)) => name,
            None => "anybody",
        }
    }
}

/// A token that is shown counts, whoever shows it. Without one, a caller on the unix socket of a server is who the
/// kernel says it is.
async fn identify(shared: &Shared, parts: &Parts, leash: &mut Leash) -> Result<Caller, Failure> {
    let on_socket = parts.extensions.get::<Peer>().zip(shared.settings.account_of);
    match on_socket {
        Some((peer, account_of)) if !parts.headers.contains_key(AUTHORIZATION) => {
            let caller = by_account(peer.uid, account_of).await?;
            leash.hold_account(&caller);
            Ok(caller)
        }
        _ => by_token(shared, &parts.headers, leash),
    }
}

async fn by_account(uid: u32, account_of: AccountOf) -> Result<Caller, Failure> {
    // The list of accounts may be on another machine, and slow.
    let account = tokio::task::spawn_blocking(move || account_of(uid))
        .await
        .map_err(|why| Failure::new(Kind::Internal, format!("cannot look up user number {uid}: {why}")))?;
    Caller::of_process(uid, account.as_ref())
}

fn by_token(shared: &Shared, headers: &HeaderMap, leash: &mut Leash) -> Result<Caller, Failure> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(
            Failure::new(Kind::Unauthenticated, "cannot answer: the call carries no token")
                .hint("send `Authorization: Bearer TOKEN`; the first token is in the file `token` of the data folder"),
        );
    };
    let token = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| token.len() <= LONGEST_TOKEN);
    let caller = match token {
        // Found by its hash: the time it takes says nothing about the tokens there are.
        Some(token) => shared.store().caller(token)?,
        None => None,
    };
    match (caller, token) {
        (Some(caller), Some(token)) => {
            leash.hold(token, &caller);
            Ok(caller)
        }
        _ => Err(shared.attempts.failed()),
    }
}

async fn read_target<C: Call>(parts: &mut Parts) -> Result<C::Target, Failure> {
    let params = RawPathParams::from_request_parts(parts, &())
        .await
        .map_err(|why| Failure::new(Kind::Invalid, format!("cannot read the path: {why}")))?;
    C::Target::read(&|name| {
        params
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    })
}

/// What a token does not cover answers exactly like what does not exist, so that names of other projects cannot be
/// found out.
fn permit(
    shared: &Shared,
    caller: &Caller,
    name: Name,
    permission: Permission,
    project: Option<&ProjectName>,
) -> Result<(), Failure> {
    if let (Some(asked), Some(own)) = (project, &caller.project)
        && asked != own
    {
        return Err(unknown(asked, caller));
    }
    if !caller.may(permission, project) {
        return Err(denied(caller, permission));
    }
    let Some(project) = project else {
        return Ok(());
    };
    match shared.store().project(project) {
        Err(failure) if failure.kind == Kind::NotFound => {
            let may = outlives_projects(name) && caller.may(Permission::ManageInstallation, None);
            match may && has_backups(shared, project)? {
                true => Ok(()),
                false => Err(unknown(project, caller)),
            }
        }
        found => found.map(drop),
    }
}

fn has_backups(shared: &Shared, project: &ProjectName) -> Result<bool, Failure> {
    let backups = shared.store().backups()?;
    Ok(backups
        .iter()
        .any(|backup| backup.environment.project == *project))
}

/// Whether an endpoint is about what stays of a project that is gone. That is nobody's but the installation's.
fn outlives_projects(name: Name) -> bool {
    matches!(
        name,
        Name::ListBackups
            | Name::GetBackup
            | Name::ChangeBackup
            | Name::VerifyBackup
            | Name::DownloadBackup
            | Name::PruneBackups
    )
}

fn unknown(project: &ProjectName, caller: &Caller) -> Failure {
    let who = match &caller.identity {
        Identity::Token(_) => "the token covers".to_owned(),
        Identity::Account(name) => format!("account `{name}` may work on"),
    };
    Failure::new(
        Kind::NotFound,
        format!("cannot find project `{project}`: there is none of this name that {who}"),
    )
    .hint("see all with `hostkit project list`")
}

fn denied(caller: &Caller, permission: Permission) -> Failure {
    let what = match permission {
        Permission::Public | Permission::KnowOneself | Permission::ReadInstallation => {
            "read the installation"
        }
        Permission::ManageInstallation => "change the installation",
        Permission::ReadProject => "read the project",
        Permission::DeployProject => "change what the project runs",
        Permission::ManageSecrets => "read or change variables",
        Permission::ManageAccess => "decide who may log in to the project",
        Permission::DeleteProject => "delete the project",
        Permission::ReadCertificates => "look at certificates",
        Permission::ManageCertificates => "change certificates",
    };
    let identity = &caller.identity;
    let why = match &caller.project {
        Some(project) if caller.role.may(permission) => format!("it is for project `{project}` alone"),
        _ => "its role may not".to_owned(),
    };
    let hint = match identity {
        Identity::Token(_) => "use a token with more rights: `hostkit token create` makes one",
        Identity::Account(_) => {
            "ask an administrator of the server, or use a token with more rights in HOSTKIT_TOKEN"
        }
    };
    Failure::new(Kind::Denied, format!("cannot {what} with {identity}: {why}")).hint(hint)
}
