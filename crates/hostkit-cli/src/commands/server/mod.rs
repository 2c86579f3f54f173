//! `server`: the machine itself, changed and looked at by the binary around the command line.

mod check;
mod setup;
mod token;

use hostkit_core::server::SetupWish;

use crate::args::ServerCommand;
use crate::local::Hooks;
use crate::session::Session;
use crate::stop::Stop;

use super::daemon::refuse_remote;

/// What is done on the machine itself; nothing where the command is one that calls the API.
pub(crate) fn on_machine(
    session: &Session<'_>,
    command: &ServerCommand,
    hooks: &Hooks,
) -> Option<Result<(), Stop>> {
    Some(match command {
        ServerCommand::Setup { plan } => {
            refuse_remote(session, "server setup").and_then(|()| {
                let ended = setup::run(session, wish(*plan), hooks);
                // One item that could not be done stands in nobody's way: the token is shown all the same.
                let is_over = matches!(ended, Ok(()) | Err(Stop::Code(_)));
                // A script asks for it by itself: what a setup prints as JSON is one document.
                let is_wanted = is_over && !plan && !session.printer().wants_json() && session.is_server();
                if is_wanted {
                    let shown = crate::waiting_for(token::at_the_end_of_setup(session));
                    ended.and(shown.map(drop))
                } else {
                    ended
                }
            })
        }
        ServerCommand::Check => {
            refuse_remote(session, "server check").and_then(|()| check::run(session, wish(false), hooks))
        }
        ServerCommand::Token { .. } => return None,
    })
}

/// What calls the API.
pub(crate) async fn call(session: &Session<'_>, command: ServerCommand) -> Result<(), Stop> {
    match command {
        ServerCommand::Token { new: false } => token::first(session).await,
        ServerCommand::Token { new: true } => token::another(session).await,
        ServerCommand::Setup { .. } | ServerCommand::Check => Ok(()),
    }
}

pub(super) fn wish(plan: bool) -> SetupWish {
    // Who types `sudo` is who must still get in afterwards.
    let operator = std::env::var("SUDO_USER").ok().filter(|name| is_account(name));
    SetupWish {
        plan,
        operator,
        ..SetupWish::default()
    }
}

/// A name that may stand in a hint: nobody is asked to paste anything else.
fn is_account(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty()
        && name.len() <= 32
        && name != "root"
        && !name.starts_with('-')
        && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_get_into_hints() {
        assert!(is_account("deploy") && is_account("a.b-c_d1"));
        for name in ["", "root", "-oProxyCommand=x", "a b", "a;b", "$(id)", "a\nb"] {
            assert!(!is_account(name), "{name}");
        }
    }
}
