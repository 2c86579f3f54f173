//! The packages that the other items and the building of apps need.

use hostkit_core::kind::Failure;
use hostkit_core::server::{Change, Machine, Order};

use crate::server::item::{Finding, Item, Site};
use crate::server::looks::must;

/// What is installed.
const WANTED: &[&str] = &[
    "acl",
    "ca-certificates",
    "fail2ban",
    "git",
    "logrotate",
    "nftables",
    "openssh-server",
    "procps",
    // fail2ban reads the journal by it.
    "python3-systemd",
    "python3-venv",
    "sudo",
    "unattended-upgrades",
];

/// Any one of these keeps the clock; the first is installed where none is there.
const CLOCKS: &[&str] = &["systemd-timesyncd", "chrony", "ntpsec", "openntpd"];

pub(super) struct Packages;

impl Item for Packages {
    fn name(&self) -> &'static str {
        "packages"
    }

    fn title(&self) -> &'static str {
        "packages of the system"
    }

    fn why(&self) -> &'static str {
        "what the other items use, and what apps are fetched and built with"
    }

    fn plan(&self, site: &Site<'_>) -> Result<Finding, Failure> {
        let mut finding = Finding::default();
        let audit = must(
            site.machine,
            &Order::new("dpkg", &["--audit"]),
            "look at the packages",
        )?;
        if !audit.out.trim().is_empty() {
            finding.find("an installation of packages was interrupted");
            finding.change(Change::RepairPackages);
        }
        let installed = installed(site.machine, WANTED.iter().chain(CLOCKS).copied())?;
        let is_there = |name: &&str| installed.iter().any(|other| other == name);
        let mut absent: Vec<String> = WANTED
            .iter()
            .filter(|name| !is_there(name))
            .map(ToString::to_string)
            .collect();
        if !CLOCKS.iter().any(is_there) {
            absent.extend(CLOCKS.first().map(ToString::to_string));
        }
        finding.missing = !absent.is_empty();
        if !absent.is_empty() {
            finding.find(format!("not installed: {}", absent.join(", ")));
            finding.change(Change::Install(absent));
        }
        Ok(finding)
    }
}

/// Which packages are wholly installed, of some.
pub(super) fn installed(
    machine: &dyn Machine,
    names: impl Iterator<Item = &'static str>,
) -> Result<Vec<String>, Failure> {
    let order = Order::new(
        "dpkg-query",
        &["--show", "--showformat=${db:Status-Abbrev} ${Package}\\n", "--"],
    )
    .and(names);
    // It ends with 1 where one of them is unknown, and lists the others.
    let said = machine.run(&order)?;
    let lines = said.out.lines().filter_map(|line| line.split_once(' '));
    Ok(lines
        .filter(|(state, _)| state.starts_with("ii") || state.starts_with("hi"))
        .map(|(_, name)| name.trim().to_owned())
        .collect())
}
