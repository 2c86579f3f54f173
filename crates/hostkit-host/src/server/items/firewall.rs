//! The firewall: SSH, 80, 443 and what was declared; nothing else comes in. Where ufw is active it stays the one place
//! that decides, and is told of our ports; else it is our own table, loaded at boot by a unit of its own.
//!
//! A unit of its own, not a line in `/etc/nftables.conf`: that file is the operator's, it begins by throwing away every
//! table (Docker's, fail2ban's), and `nftables.service` is switched off on a bare Debian.

use std::collections::BTreeSet;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::server::{Change, Comment, Machine, Order, Sections, UnitAct, comment_lines};
use hostkit_core::server_settings::{OpenPort, Protocol};

use super::ssh;
use crate::firewall::Seen;
use crate::server::filter;
use crate::server::item::{Finding, Item, Site};
use crate::server::looks::{must, unit, want_file, want_unit};

const RULES: &str = "/etc/hostkit/firewall.nft";
const UNIT: &str = "hostkit-firewall.service";
/// What the front door serves on.
const WEB: [u16; 2] = [80, 443];

pub(super) struct Firewall;

impl Item for Firewall {
    fn name(&self) -> &'static str {
        "firewall"
    }

    fn title(&self) -> &'static str {
        "firewall"
    }

    fn why(&self) -> &'static str {
        "what was not meant for the internet is not reached from it"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["packages"]
    }

    fn plan(&self, site: &Site<'_>) -> Result<Finding, Failure> {
        let ssh = ssh::ports(site.machine)?;
        let mut wanted: BTreeSet<OpenPort> = ssh.iter().chain(&WEB).map(|&port| tcp(port)).collect();
        wanted.extend(&site.wish.open_ports);
        let wanted: Vec<OpenPort> = wanted.into_iter().collect();
        if unit(site.machine, "firewalld.service")?.is_active() {
            return Ok(held_by_firewalld(&wanted));
        }
        match ufw_rules(site.machine)? {
            Some(rules) => plan_ufw(site, &wanted, &ssh, &rules),
            None => plan_table(site, wanted),
        }
    }

    fn try_out(&self, site: &Site<'_>, changes: &[Change]) -> Result<(), Failure> {
        for change in changes {
            if let Change::Write { path, after, .. } = change
                && path == RULES
            {
                let order = Order::new("nft", &["--check", "--file", "-"]).input(after.clone());
                must(site.machine, &order, "have the packet filter read its new rules")?;
            }
        }
        Ok(())
    }

    fn settle(&self, site: &Site<'_>) -> Result<(), Failure> {
        must(
            site.machine,
            &Order::new("systemctl", &["daemon-reload"]),
            "have systemd read its files anew",
        )
        .map(drop)
    }
}

fn plan_table(site: &Site<'_>, wanted: Vec<OpenPort>) -> Result<Finding, Failure> {
    let mut finding = Finding::default();
    let inbound = filter::inbound(&wanted);
    let comment = comment_lines(Comment(
        "What the network may reach. Loaded at boot by hostkit-firewall.service.",
    ));
    let rules_are_due = want_file(
        site,
        RULES,
        format!("{comment}\n{}", inbound.script()),
        &mut finding,
    )?;
    let unit_is_due = want_file(
        site,
        &format!("/etc/systemd/system/{UNIT}"),
        unit_text()?,
        &mut finding,
    )?;
    if unit_is_due || site.unfinished {
        finding.change(Change::ReloadSystemd);
    }
    // Without `nft` there is no table; the packages come first.
    let installed = site.machine.look("/usr/sbin/nft")?.is_some();
    let seen = if installed {
        filter::observe(site.firewall)?.inbound
    } else {
        Seen::Missing
    };
    let before = match seen {
        Seen::Intact(found) if found == inbound => None,
        Seen::Intact(found) => Some(Some(filter::ports(&found))),
        Seen::Missing => Some(None),
        Seen::Drifted => Some(None),
    };
    if let Some(before) = before {
        finding.missing = before.is_none() && rules_are_due;
        finding.find(match &before {
            None => "no firewall of ours, or one that somebody changed, is in force".to_owned(),
            Some(ports) => format!("it lets in {}", words(ports)),
        });
        finding.change(Change::Firewall {
            before,
            after: wanted,
        });
    }
    // It is in force already; the unit is for the next boot.
    want_unit(site, UNIT, true, &mut finding)?;
    Ok(finding)
}

fn unit_text() -> Result<String, Failure> {
    Sections::new(Comment(
        "Loads the firewall before there is a network to keep out.",
    ))
    .section("Unit")
    .line("Description", "=", "Firewall of HostKit")
    .line("DefaultDependencies", "=", "no")
    .line("Wants", "=", "network-pre.target")
    .line("Before", "=", "network-pre.target shutdown.target")
    .line("Conflicts", "=", "shutdown.target")
    // It throws away every table when it starts, stops or reloads: ours is loaded again behind it.
    .line("After", "=", "local-fs.target nftables.service")
    .line("PartOf", "=", "nftables.service")
    .line("ReloadPropagatedFrom", "=", "nftables.service")
    .section("Service")
    .line("Type", "=", "oneshot")
    .line("RemainAfterExit", "=", "yes")
    .line("ExecStart", "=", &format!("/usr/sbin/nft --file {RULES}"))
    .line("ExecReload", "=", &format!("/usr/sbin/nft --file {RULES}"))
    .section("Install")
    .line("WantedBy", "=", "sysinit.target")
    .text()
}

/// What `ufw status` lists, where ufw is active.
fn ufw_rules(machine: &dyn Machine) -> Result<Option<String>, Failure> {
    let status = machine.run(&Order::new("ufw", &["status"]))?;
    let active = status.out.lines().any(|line| line.trim() == "Status: active");
    Ok((status.is_fine() && active).then_some(status.out))
}

fn plan_ufw(site: &Site<'_>, wanted: &[OpenPort], ssh: &[u16], rules: &str) -> Result<Finding, Failure> {
    let mut finding = Finding::default();
    finding.notes.push("ufw is active and decides".to_owned());
    for port in wanted {
        let spoken_of = ufw_ports(rules, |action| action != "DENY" && action != "REJECT");
        // Who said who may reach SSH is not overruled.
        let is_ssh = ssh.contains(&port.port);
        let any = ufw_ports(rules, |_| true);
        if spoken_of.contains(port) || (is_ssh && any.contains(port)) {
            continue;
        }
        finding.find(format!("ufw does not let in {port}"));
        finding.change(Change::Ufw(*port));
    }
    let ours = filter::observe(site.firewall)?.inbound;
    if ours != Seen::Missing {
        finding.find("our own rules for the network are in force beside those of ufw");
        finding.change(Change::ReleaseFirewall);
    }
    if unit(site.machine, UNIT)?.file == "enabled" {
        finding.change(Change::Unit(UnitAct::Disable, UNIT.to_owned()));
    }
    Ok(finding)
}

/// The ports of the rules of ufw whose action will do.
fn ufw_ports(rules: &str, fine: impl Fn(&str) -> bool) -> BTreeSet<OpenPort> {
    let mut ports = BTreeSet::new();
    for line in rules.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(at) = words
            .iter()
            .position(|word| matches!(*word, "ALLOW" | "LIMIT" | "DENY" | "REJECT"))
        else {
            continue;
        };
        if !fine(words[at]) {
            continue;
        }
        match words[..at].first().copied().unwrap_or_default() {
            "OpenSSH" => {
                ports.insert(tcp(22));
            }
            list => {
                let (numbers, protocol) = list.split_once('/').map_or((list, "tcp"), |(n, p)| (n, p));
                let each = numbers
                    .split(',')
                    .map(|number| format!("{number}/{protocol}").parse::<OpenPort>());
                ports.extend(each.flatten());
            }
        }
    }
    ports
}

fn held_by_firewalld(wanted: &[OpenPort]) -> Finding {
    let ports: Vec<String> = wanted.iter().map(|port| format!("--add-port={port}")).collect();
    Finding {
        findings: vec!["firewalld is active and decides what comes in".to_owned()],
        refused: Some(
            Failure::new(Kind::Conflict, "cannot set up the firewall: firewalld holds it").hint(format!(
                "either `firewall-cmd --permanent {} && firewall-cmd --reload`, or `systemctl disable --now firewalld` and `hostkit server setup` again",
                ports.join(" ")
            )),
        ),
        ..Finding::default()
    }
}

fn words(ports: &[OpenPort]) -> String {
    let words: Vec<String> = ports.iter().map(ToString::to_string).collect();
    words.join(", ")
}

fn tcp(port: u16) -> OpenPort {
    OpenPort {
        port,
        protocol: Protocol::Tcp,
    }
}
