//! `hostkit server token`: the administrator's token, for the API from elsewhere. It is shown when it is made; what is
//! stored is its hash.

use hostkit_api::endpoints::{CreateToken, NoQuery};
use hostkit_api::target::Installation;
use hostkit_api::token::{CreatedToken, NewToken};
use hostkit_core::access::Role;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::TokenName;

use crate::session::Session;
use crate::stop::Stop;

/// What it is called in lists and events.
const NAME: &str = "admin";

/// Makes it and prints it, where there is none yet.
pub(crate) async fn first(session: &Session<'_>) -> Result<(), Stop> {
    match make(session, Make::First).await {
        Ok(made) => show(session, &made),
        Err(failure) if failure.kind == Kind::Conflict => Err(Failure::new(
            Kind::Conflict,
            "cannot show the administrator's token: it was shown when it was made, and is stored nowhere",
        )
        .hint("`hostkit server token --new` makes another one, and that one worthless")
        .into()),
        Err(failure) => Err(failure.into()),
    }
}

/// The same at the end of a setup: whether it was made. Where there is one already, nothing is said.
pub(crate) async fn at_the_end_of_setup(session: &Session<'_>) -> Result<bool, Stop> {
    match make(session, Make::First).await {
        Ok(made) => show(session, &made).map(|()| true),
        Err(failure) if failure.kind == Kind::Conflict => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}

/// Makes another one in its place and prints it.
pub(crate) async fn another(session: &Session<'_>) -> Result<(), Stop> {
    let made = make(session, Make::Another).await?;
    show(session, &made)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Make {
    First,
    Another,
}

async fn make(session: &Session<'_>, which: Make) -> Result<CreatedToken, Failure> {
    let name = TokenName::parse(NAME).map_err(|why| Failure::new(Kind::Internal, why.to_string()))?;
    let body = NewToken {
        name,
        role: Role::Admin,
        project: None,
        replace: which == Make::Another,
    };
    session
        .client()?
        .call::<CreateToken>(&Installation, &NoQuery {}, &body)
        .await
}

fn show(session: &Session<'_>, made: &CreatedToken) -> Result<(), Stop> {
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(made);
    }
    printer.say("The administrator's token. It is shown this once:");
    printer.line(&made.secret)?;
    printer.next("keep it in a password manager; set it as HOSTKIT_TOKEN where it is used");
    Ok(())
}
