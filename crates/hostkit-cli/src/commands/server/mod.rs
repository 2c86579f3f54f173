//! `server`: the machine itself, changed and looked at by the binary around the command line.

mod check;
mod setup;

use hostkit_core::server::SetupWish;

use crate::args::ServerCommand;
use crate::local::Hooks;
use crate::session::Session;
use crate::stop::Stop;

use super::daemon::refuse_remote;

pub(crate) fn run(session: &Session<'_>, command: &ServerCommand, hooks: &Hooks) -> Result<(), Stop> {
    match command {
        ServerCommand::Setup { plan } => {
            refuse_remote(session, "server setup")?;
            setup::run(session, wish(*plan), hooks)
        }
        ServerCommand::Check => {
            refuse_remote(session, "server check")?;
            check::run(session, wish(false), hooks)
        }
    }
}

fn wish(plan: bool) -> SetupWish {
    // Who types `sudo` is who must still get in afterwards.
    let operator = std::env::var("SUDO_USER").ok().filter(|name| is_account(name));
    SetupWish {
        plan,
        open_ports: Vec::new(),
        operator,
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
