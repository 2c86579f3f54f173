//! Looks at the machine that several items need: files of ours, units, whether it is a container.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::server::{Before, Change, Machine, Order, Ran, UnitAct};

use super::item::{Finding, Site};

/// Plans that a file of ours says `text`, owned by root with mode 0644. Whether it is to be written.
pub(super) fn want_file(
    site: &Site<'_>,
    path: &str,
    text: String,
    finding: &mut Finding,
) -> Result<bool, Failure> {
    const MODE: u32 = 0o644;
    let before = match (site.machine.read(path)?, site.machine.look(path)?) {
        (Some(text), Some(found)) => Some(Before {
            text,
            mode: found.mode,
            uid: found.uid,
        }),
        _ => None,
    };
    match &before {
        None => finding.find(format!("{path} is not there")),
        Some(before) if before.text != text => finding.find(format!("{path} was changed")),
        Some(before) if before.mode != MODE || before.uid != 0 => finding.find(format!(
            "{path} is of account {} with mode {:04o}",
            before.uid, before.mode
        )),
        Some(_) => return Ok(false),
    }
    finding.change(Change::Write {
        path: path.to_owned(),
        mode: MODE,
        before,
        after: text,
    });
    Ok(true)
}

/// What systemd knows of a unit.
#[derive(Debug, Default)]
pub(super) struct Unit {
    /// `loaded`, `not-found`, `masked` …
    pub(super) load: String,
    /// `active`, `inactive`, `failed` …
    pub(super) active: String,
    /// `enabled`, `disabled`, `static`, `masked` …
    pub(super) file: String,
}

impl Unit {
    pub(super) fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "activating" | "reloading")
    }

    fn starts_at_boot(&self) -> bool {
        // Static, indirect, alias: nothing that could be enabled.
        !matches!(self.file.as_str(), "disabled" | "masked" | "masked-runtime" | "")
    }
}

/// Asks systemd of a unit.
pub(super) fn unit(machine: &dyn Machine, name: &str) -> Result<Unit, Failure> {
    let order = Order::new(
        "systemctl",
        &[
            "show",
            "--property=LoadState,ActiveState,UnitFileState",
            "--",
            name,
        ],
    );
    let said = must(machine, &order, "ask systemd of a unit")?;
    let mut unit = Unit::default();
    for line in said.out.lines() {
        match line.split_once('=') {
            Some(("LoadState", value)) => unit.load = value.to_owned(),
            Some(("ActiveState", value)) => unit.active = value.to_owned(),
            Some(("UnitFileState", value)) => unit.file = value.to_owned(),
            _ => {}
        }
    }
    Ok(unit)
}

/// Plans that a unit is started at boot and, where `runs` says so, runs now.
pub(super) fn want_unit(
    site: &Site<'_>,
    name: &str,
    runs: bool,
    finding: &mut Finding,
) -> Result<(), Failure> {
    let found = unit(site.machine, name)?;
    let masked = found.file.starts_with("masked") || found.load == "masked";
    if masked {
        finding.find(format!("{name} is masked"));
        finding.change(Change::Unit(UnitAct::Unmask, name.to_owned()));
    } else if !found.starts_at_boot() {
        finding.find(format!("{name} is not started at boot"));
    }
    let idle = runs && !found.is_active();
    if idle && !masked {
        finding.find(format!("{name} does not run"));
    }
    if masked || idle || !found.starts_at_boot() {
        finding.change(Change::Unit(UnitAct::EnableNow, name.to_owned()));
    }
    Ok(())
}

/// Whether this is a container: it has the kernel, the clock and the swap of its host.
pub(super) fn is_container(machine: &dyn Machine) -> Result<bool, Failure> {
    let order = Order::new("systemd-detect-virt", &["--container", "--quiet"]);
    Ok(machine.run(&order)?.is_fine())
}

/// Runs a program that must end well; `what` is the act for people, as in `reload ssh`.
pub(super) fn must(machine: &dyn Machine, order: &Order, what: &str) -> Result<Ran, Failure> {
    let ran = machine.run(order)?;
    if ran.is_fine() {
        return Ok(ran);
    }
    let why = if ran.is_not_installed() {
        format!("`{}` is not installed", order.program)
    } else {
        format!("`{}` ended with {}", order.line(), ran.code)
    };
    Err(Failure::new(Kind::Failed, format!("cannot {what}: {why}")).details(ran.last_words()))
}
