//! Limits of the journal: it keeps over a boot what happened, and does not fill the disk.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::server::{Change, Comment, Order, Sections, UnitAct};

use crate::server::item::{Finding, Item, Site};
use crate::server::looks::{must, want_file};

const FILE: &str = "/etc/systemd/journald.conf.d/60-hostkit.conf";
const UNIT: &str = "systemd-journald.service";

const SETTINGS: &[(&str, &str)] = &[
    ("Storage", "persistent"),
    ("SystemMaxUse", "1G"),
    ("SystemKeepFree", "1G"),
    ("SystemMaxFileSize", "64M"),
    ("MaxRetentionSec", "1month"),
];

pub(super) struct Journal;

impl Item for Journal {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn title(&self) -> &'static str {
        "limits of the journal"
    }

    fn why(&self) -> &'static str {
        "what happened is known after a boot, and the disk is never full of it"
    }

    fn plan(&self, site: &Site<'_>) -> Result<Finding, Failure> {
        let mut finding = Finding {
            missing: site.machine.look(FILE)?.is_none(),
            ..Finding::default()
        };
        let mut text = Sections::new(Comment("The journal is kept, within limits.")).section("Journal");
        for (key, value) in SETTINGS {
            text = text.line(key, "=", value);
        }
        let is_due = want_file(site, FILE, text.text()?, &mut finding)?;
        if is_due || site.unfinished {
            finding.change(Change::Unit(UnitAct::Restart, UNIT.to_owned()));
        }
        if !is_due {
            let order = Order::new("systemd-analyze", &["cat-config", "--", "systemd/journald.conf"]);
            let said = must(site.machine, &order, "read the settings of the journal")?;
            for (key, wanted) in SETTINGS {
                if let Some((path, value)) = holding(&said.out, key).filter(|(_, value)| value != wanted) {
                    finding.find(format!("{key} is `{value}` by {path}"));
                    finding.refused = Some(
                        Failure::new(
                            Kind::Conflict,
                            format!("cannot set `{key}` of the journal: {path} is read after ours"),
                        )
                        .hint(format!("take the line with `{key}` out of {path}")),
                    );
                }
            }
        }
        Ok(finding)
    }

    fn settle(&self, site: &Site<'_>) -> Result<(), Failure> {
        must(
            site.machine,
            &Order::new("systemctl", &["restart", "--", UNIT]),
            "restart the journal",
        )
        .map(drop)
    }
}

/// Which file says last what a key is, in a listing where each file follows its own path as a comment.
fn holding(listing: &str, key: &str) -> Option<(String, String)> {
    let (mut path, mut found) = (String::new(), None);
    for line in listing.lines() {
        if let Some(name) = line.strip_prefix("# /") {
            path = format!("/{name}");
        } else if let Some((name, value)) = line.split_once('=')
            && name.trim() == key
        {
            found = Some((path.clone(), value.trim().to_owned()));
        }
    }
    found
}
