//! Makes changes, one after the other, and takes back what is no file.

use std::time::Duration;

use hostkit_core::kind::Failure;
use hostkit_core::server::{Change, Machine, Order, UnitAct};

use super::item::Site;
use super::looks::must;
use super::{filter, swap_file};

/// How long an installation of packages may take on a slow line.
const INSTALLATION: Duration = Duration::from_secs(30 * 60);
/// How long a unit may take to start: fail2ban reads the whole journal first.
const START: Duration = Duration::from_secs(120);

/// Makes a change. Making it again does no harm.
pub(super) fn apply(site: &Site<'_>, change: &Change) -> Result<(), Failure> {
    let machine = site.machine;
    match change {
        Change::Write {
            path, mode, after, ..
        } => machine.write(path, after, *mode),
        Change::Folder { path, mode } => machine.make_folder(path, *mode),
        Change::RepairPackages => repair(machine),
        Change::Install(names) => install(machine, names),
        Change::Unit(act, unit) => unit_act(machine, *act, unit),
        Change::ReloadSystemd => must(
            machine,
            &Order::new("systemctl", &["daemon-reload"]).time(START),
            "have systemd read its files anew",
        )
        .map(drop),
        Change::Kernel { key, to, .. } => set_kernel(machine, key, to),
        Change::Swap { path, size } => swap_file::make(machine, path, *size),
        Change::Firewall { after, .. } => filter::let_in(site.firewall, after),
        Change::ReleaseFirewall => filter::release(site.firewall),
        Change::Ufw(port) => must(
            machine,
            &Order::new("ufw", &["allow"]).and([port.to_string()]),
            &format!("open {port} in ufw"),
        )
        .map(drop),
    }
}

/// Takes a change back, as far as it is no file (those are put back by the journal, after this). What cannot be taken
/// back stays; the failure that led here is the one to tell.
pub(super) fn take_back(site: &Site<'_>, change: &Change) {
    let machine = site.machine;
    let _ = match change {
        Change::Kernel { key, from, .. } => set_kernel(machine, key, from),
        Change::Swap { path, .. } => swap_file::remove(machine, path),
        Change::Firewall { before: None, .. } => filter::release(site.firewall),
        Change::Firewall {
            before: Some(ports), ..
        } => filter::let_in(site.firewall, ports),
        _ => Ok(()),
    };
}

/// Gets over an installation that was interrupted. What was unpacked is configured; a package that was cut off while it was
/// unpacked has to be installed anew, which `dpkg` leaves to apt.
fn repair(machine: &dyn Machine) -> Result<(), Failure> {
    let configure = ["--configure", "-a", "--force-confdef", "--force-confold"];
    let configured = machine.run(&Order::new("dpkg", &configure).time(INSTALLATION))?;
    let left = machine.run(&Order::new("dpkg", &["--audit"]))?;
    if configured.is_fine() && left.is_fine() && left.out.trim().is_empty() {
        return Ok(());
    }
    let order = apt(&["install", "--fix-broken", "--yes"]);
    must(machine, &order, "finish an installation of packages")
        .map(drop)
        .map_err(|failure| {
            failure.hint("see what `dpkg --audit` and `apt-get install --fix-broken` say, then `hostkit server setup` again")
        })
}

/// With what is known of packages already where the lists cannot be had: it may be enough.
fn install(machine: &dyn Machine, names: &[String]) -> Result<(), Failure> {
    let update = machine.run(&apt(&["update"]))?;
    let order = apt(&["install", "--yes", "--no-install-recommends", "--"]).and(names);
    must(machine, &order, &format!("install {}", names.join(", "))).map_err(|mut failure| {
        if !update.is_fine() {
            failure.details.extend(update.last_words());
        }
        failure
            .hint("see that `apt-get update` and `apt-get install` work, then `hostkit server setup` again")
    })?;
    Ok(())
}

fn apt(arguments: &[&str]) -> Order {
    // Others may be installing: unattended upgrades begin right after the first boot.
    let options = [
        "--quiet",
        "--option=DPkg::Lock::Timeout=600",
        "--option=Dpkg::Options::=--force-confdef",
        "--option=Dpkg::Options::=--force-confold",
    ];
    Order::new("apt-get", &options)
        .and(arguments.iter().copied())
        .time(INSTALLATION)
}

fn unit_act(machine: &dyn Machine, act: UnitAct, unit: &str) -> Result<(), Failure> {
    let arguments: &[&str] = match act {
        UnitAct::Unmask => &["unmask"],
        UnitAct::Mask => &["mask"],
        UnitAct::EnableNow => &["enable", "--now"],
        UnitAct::Reload => &["reload-or-restart"],
        UnitAct::TryReload => &["try-reload-or-restart"],
        UnitAct::Restart => &["restart"],
        UnitAct::Disable => &["disable"],
    };
    let order = Order::new("systemctl", arguments).and(["--", unit]).time(START);
    must(machine, &order, &format!("{} {unit}", act.word()))
        .map(drop)
        .map_err(|failure| failure.hint(format!("`journalctl -u {unit} -n 50` says why")))
}

fn set_kernel(machine: &dyn Machine, key: &str, value: &str) -> Result<(), Failure> {
    let order = Order::new("sysctl", &["--quiet", "--write"]).and([format!("{key}={value}")]);
    must(machine, &order, &format!("set `{key}`")).map(drop)
}
