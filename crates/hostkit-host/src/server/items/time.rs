//! Time sync: certificates, tokens and logs of a machine whose clock is wrong are worth nothing.

use hostkit_core::kind::Failure;

use crate::server::item::{Finding, Item, Site};
use crate::server::looks::{is_container, unit, want_unit};

/// Somebody's own choice of a clock.
const OTHERS: &[&str] = &[
    "chrony.service",
    "ntpsec.service",
    "openntpd.service",
    "ntp.service",
];

pub(super) struct Time;

impl Item for Time {
    fn name(&self) -> &'static str {
        "time"
    }

    fn title(&self) -> &'static str {
        "time sync"
    }

    fn why(&self) -> &'static str {
        "a wrong clock breaks certificates, tokens and logs"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["packages"]
    }

    fn plan(&self, site: &Site<'_>) -> Result<Finding, Failure> {
        let mut finding = Finding::default();
        for other in OTHERS {
            if unit(site.machine, other)?.is_active() {
                finding.notes.push(format!("{other} keeps the clock"));
                return Ok(finding);
            }
        }
        let container = is_container(site.machine)?;
        if container {
            finding
                .notes
                .push("a container has the clock of its host".to_owned());
        }
        want_unit(site, "systemd-timesyncd.service", !container, &mut finding)?;
        Ok(finding)
    }
}
