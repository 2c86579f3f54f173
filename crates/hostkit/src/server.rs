//! `hostkit server setup` and `check` on the machine we are on.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::server::{CheckReport, Machine, Progress, SetupReport, SetupWish};
use hostkit_core::server_settings::{self, OpenPort, Protocol};
use hostkit_host::firewall::Nft;
use hostkit_host::server::{Subject, ThisMachine};

/// Makes this machine fit to be a server.
pub(crate) fn setup(wish: SetupWish, tell: &mut dyn FnMut(Progress<'_>)) -> anyhow::Result<SetupReport> {
    needs_root("set up", "setup")?;
    let machine = ThisMachine::here();
    // A plan changes nothing, and so stands in nobody's way.
    let _turn = if wish.plan {
        None
    } else {
        Some(machine.take_turn()?)
    };
    let subject = Subject {
        machine: &machine,
        firewall: &Nft,
    };
    let wish = with_declared(wish, &machine)?;
    let mut report = hostkit_host::server::setup(subject, &wish, tell)?;
    if report.is_fine() && !report.plan {
        report
            .next
            .push("`hostkit deploy` in the folder of an app puts it live".to_owned());
    }
    Ok(report)
}

/// Says how this machine is.
pub(crate) fn check(wish: SetupWish) -> anyhow::Result<CheckReport> {
    needs_root("check", "check")?;
    let machine = ThisMachine::here();
    let subject = Subject {
        machine: &machine,
        firewall: &Nft,
    };
    Ok(hostkit_host::server::check(
        subject,
        &with_declared(wish, &machine)?,
    )?)
}

/// The wish with what the settings of the server declare.
fn with_declared(mut wish: SetupWish, machine: &ThisMachine) -> Result<SetupWish, Failure> {
    let text = machine.read(server_settings::FILE)?.unwrap_or_default();
    let settings = server_settings::parse(&text)?;
    wish.languages = settings.languages;
    wish.open_ports = settings.open_ports;
    for port in [settings.http_port, settings.https_port] {
        wish.open_ports.push(OpenPort {
            port,
            protocol: Protocol::Tcp,
        });
    }
    Ok(wish)
}

fn needs_root(act: &str, verb: &str) -> Result<(), Failure> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err(
        Failure::new(Kind::Denied, format!("cannot {act} this machine: only root may"))
            .hint(format!("`sudo hostkit server {verb}`")),
    )
}
