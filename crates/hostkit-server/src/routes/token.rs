//! Tokens.

use hostkit_api::endpoints::{CreateToken, DeleteToken, ListTokens};
use hostkit_api::token::{CreatedToken, NewToken, Token};
use hostkit_core::kind::{Failure, Kind};
use hostkit_store::TokenInfo;

use crate::auth::Admitted;

fn shown(token: TokenInfo) -> Token {
    Token {
        name: token.name,
        role: token.role,
        project: token.project,
        created_at: token.created_at,
    }
}

pub(crate) async fn list(call: Admitted<ListTokens>, (): ()) -> Result<Vec<Token>, Failure> {
    Ok(call.shared().store().tokens()?.into_iter().map(shown).collect())
}

pub(crate) async fn create(call: Admitted<CreateToken>, new: NewToken) -> Result<CreatedToken, Failure> {
    let shared = call.shared();
    let name = new.name.as_str();
    let secret = match new.replace {
        false => shared.engine.create_token(name, new.role, new.project.as_ref())?,
        true => {
            let secret = shared
                .engine
                .replace_token(name, new.role, new.project.as_ref())?;
            shared.revocations.tell();
            secret
        }
    };
    let made = shared.store().tokens()?.into_iter().find(|t| t.name == name);
    let token = made.map(shown).ok_or_else(|| {
        Failure::new(
            Kind::Conflict,
            format!("cannot create token `{name}`: it was revoked at once"),
        )
    })?;
    Ok(CreatedToken {
        token,
        secret: secret.reveal().to_owned(),
    })
}

/// A token may revoke itself, but not as the last one: nobody could make another.
pub(crate) async fn delete(call: Admitted<DeleteToken>, (): ()) -> Result<(), Failure> {
    let name = call.target().as_str();
    let tokens = call.shared().store().tokens()?;
    let manages = |t: &TokenInfo| {
        t.project.is_none() && t.role.may(hostkit_core::access::Permission::ManageInstallation)
    };
    let is_last = tokens.iter().any(|t| t.name == name && manages(t))
        && tokens.iter().filter(|t| manages(t)).count() == 1;
    if is_last {
        return Err(Failure::new(
            Kind::Conflict,
            format!("cannot revoke token `{name}`: it is the last one that can make others"),
        )
        .hint("make another admin token first: `hostkit token create NAME --role admin`"));
    }
    call.shared().engine.revoke_token(name)?;
    call.shared().revocations.tell();
    Ok(())
}
