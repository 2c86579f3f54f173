//! fail2ban: an address that tries passwords or keys again and again is shut out for an hour.

use std::time::Duration;

use hostkit_core::kind::Failure;
use hostkit_core::server::{Change, Comment, Machine, Order, Sections, UnitAct};

use super::ssh;
use crate::server::item::{Finding, Item, Site};
use crate::server::looks::{must, unit, want_file, want_unit};

/// `.local`, which is read after every `.conf` and after `jail.local`.
const FILE: &str = "/etc/fail2ban/jail.d/hostkit.local";
const UNIT: &str = "fail2ban.service";
const JAIL: &str = "sshd";
const ACTION: &str = "nftables-multiport";
/// Its jails come one by one after systemd says that it runs, and after it answers.
const LOOKS: usize = 60;
/// What it has not begun by then it will not begin.
const LONGEST_START: Duration = Duration::from_secs(120);
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

pub(super) struct Fail2ban;

impl Item for Fail2ban {
    fn name(&self) -> &'static str {
        "fail2ban"
    }

    fn title(&self) -> &'static str {
        "fail2ban for SSH"
    }

    fn why(&self) -> &'static str {
        "who guesses is shut out, and the log stays readable"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["packages"]
    }

    fn plan(&self, site: &Site<'_>) -> Result<Finding, Failure> {
        let mut finding = Finding {
            missing: site.machine.look(FILE)?.is_none(),
            ..Finding::default()
        };
        let is_due = want_file(site, FILE, text(&ssh::ports(site.machine)?)?, &mut finding)?;
        let runs = unit(site.machine, UNIT)?.is_active();
        want_unit(site, UNIT, true, &mut finding)?;
        let wrong = if runs && !is_due {
            what_is_wrong(site.machine)?
        } else {
            None
        };
        if let Some(wrong) = &wrong {
            finding.find(wrong.clone());
        }
        // Restarted, for a reload keeps jails of a backend that is no more.
        if runs && (is_due || wrong.is_some() || site.unfinished) {
            finding.change(Change::Unit(UnitAct::Restart, UNIT.to_owned()));
        }
        Ok(finding)
    }

    fn prove(&self, site: &Site<'_>) -> Result<(), Failure> {
        must(
            site.machine,
            &Order::new("fail2ban-client", &["--test"]),
            "have fail2ban read its new settings",
        )
        .map(drop)
    }

    fn settle(&self, site: &Site<'_>) -> Result<(), Failure> {
        must(
            site.machine,
            &Order::new("systemctl", &["try-restart", "--", UNIT]),
            "restart fail2ban",
        )
        .map(drop)
    }
}

fn text(ports: &[u16]) -> Result<String, Failure> {
    let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
    Sections::new(Comment("Who guesses is shut out."))
        .section("DEFAULT")
        // A bare Debian has the journal only, and no log files of sshd.
        .line("backend", " = ", "systemd")
        .line("banaction", " = ", ACTION)
        .line("banaction_allports", " = ", "nftables-allports")
        .section(JAIL)
        .line("enabled", " = ", "true")
        .line("port", " = ", &ports.join(","))
        .line("maxretry", " = ", "5")
        .line("findtime", " = ", "10m")
        .line("bantime", " = ", "1h")
        .text()
}

/// What the running fail2ban does otherwise than it should.
fn what_is_wrong(machine: &dyn Machine) -> Result<Option<String>, Failure> {
    let order = Order::new("fail2ban-client", &["get", JAIL, "actions"]);
    let mut said = machine.run(&order)?;
    for _ in 0..LOOKS {
        if said.is_fine() || !is_starting(machine)? {
            break;
        }
        machine.pause(BETWEEN_LOOKS);
        said = machine.run(&order)?;
    }
    if !said.is_fine() {
        return Ok(Some(format!("fail2ban runs without a jail `{JAIL}`")));
    }
    let bans = said.out.split([',', '\n']).any(|word| word.trim() == ACTION);
    Ok((!bans).then(|| format!("the jail `{JAIL}` does not ban by {ACTION}")))
}

/// Whether it was started a moment ago, and jails may be still to come.
fn is_starting(machine: &dyn Machine) -> Result<bool, Failure> {
    let order = Order::new(
        "systemctl",
        &["show", "--property=ActiveEnterTimestampMonotonic", "--", UNIT],
    );
    let said = must(machine, &order, "ask systemd of a unit")?;
    let since = said
        .out
        .trim()
        .rsplit('=')
        .next()
        .and_then(|text| text.parse().ok());
    let uptime = machine.read("/proc/uptime")?.unwrap_or_default();
    let now = uptime
        .split_whitespace()
        .next()
        .and_then(|text| text.parse().ok());
    let (Some(since), Some(now)) = (since.map(Duration::from_micros), now.map(Duration::from_secs_f64))
    else {
        return Ok(false);
    };
    Ok(now.saturating_sub(since) < LONGEST_START && unit(machine, UNIT)?.is_active())
}
