//! Unattended upgrades: what is mended by Debian is mended here within a day, without a restart of the machine.

use hostkit_core::kind::Failure;
use hostkit_core::server::{Change, Comment, Order, apt_settings};

use crate::server::item::{Finding, Item, Site};
use crate::server::journal;
use crate::server::looks::{must, want_file, want_unit};

/// Read after the distribution's own `20auto-upgrades` and `50unattended-upgrades`.
const FILE: &str = "/etc/apt/apt.conf.d/60hostkit";

const SETTINGS: &[(&str, &str)] = &[
    ("APT::Periodic::Enable", "1"),
    ("APT::Periodic::Update-Package-Lists", "1"),
    ("APT::Periodic::Unattended-Upgrade", "1"),
    ("APT::Periodic::AutocleanInterval", "7"),
    // Ends at a package's border when the machine is shut down in the middle of it.
    ("Unattended-Upgrade::MinimalSteps", "true"),
    ("Unattended-Upgrade::Remove-Unused-Kernel-Packages", "true"),
    // When a machine is restarted, its operator says.
    ("Unattended-Upgrade::Automatic-Reboot", "false"),
];

const TIMERS: &[&str] = &["apt-daily.timer", "apt-daily-upgrade.timer"];

pub(super) struct Updates;

impl Item for Updates {
    fn name(&self) -> &'static str {
        "updates"
    }

    fn title(&self) -> &'static str {
        "unattended upgrades"
    }

    fn why(&self) -> &'static str {
        "security fixes are installed within a day, by nobody's hand"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["packages"]
    }

    fn plan(&self, site: &Site<'_>) -> Result<Finding, Failure> {
        let mut finding = Finding::default();
        let text = apt_settings(
            Comment("Updates of the distribution install themselves; the machine is not restarted for them."),
            SETTINGS,
        )?;
        finding.missing = site.machine.look(FILE)?.is_none();
        let ours_is_due = want_file(site, FILE, text, &mut finding)?;
        // What holds, whichever file says it.
        let dump = must(
            site.machine,
            &Order::new("apt-config", &["dump"]),
            "read the settings of apt",
        )?;
        for (key, wanted) in SETTINGS {
            let start = format!("{key} ");
            let found = dump.out.lines().find_map(|line| line.strip_prefix(&start));
            let found = found.unwrap_or_default().trim_end_matches(';').trim_matches('"');
            if found != *wanted && !ours_is_due {
                finding.find(format!("{key} is `{found}`: a file after {FILE} says so"));
                finding.refused = Some(overruled(key));
            }
        }
        for timer in TIMERS {
            want_unit(site, timer, true, &mut finding)?;
        }
        Ok(finding)
    }

    fn try_out(&self, site: &Site<'_>, changes: &[Change]) -> Result<(), Failure> {
        for change in changes {
            let Change::Write { after, .. } = change else {
                continue;
            };
            let candidate = format!("{}/apt.candidate", journal::FOLDER);
            site.machine.write(&candidate, after, 0o600)?;
            let order = Order::new("apt-config", &["--config-file", &candidate, "dump"]);
            let read = must(site.machine, &order, "have apt read its new settings");
            site.machine.remove(&candidate)?;
            read?;
        }
        Ok(())
    }
}

fn overruled(key: &str) -> Failure {
    Failure::new(
        hostkit_core::kind::Kind::Conflict,
        format!("cannot set `{key}` of apt: another file is read after ours"),
    )
    .hint(format!(
        "`grep -r {key} /etc/apt/apt.conf.d /etc/apt/apt.conf` shows which; take the line out there"
    ))
}
