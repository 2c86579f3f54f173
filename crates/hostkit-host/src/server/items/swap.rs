//! Swap, where there is none: a file of 4 GiB, less on a small disk.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::server::{Change, Comment, Order, Sections, SwapSize, UnitAct, swap_size};

use crate::server::item::{Finding, Item, Site};
use crate::server::looks::{is_container, must, unit, want_file};

const FILE: &str = "/var/lib/hostkit/swapfile";
/// Named by the path of the file, as systemd demands. A unit, so that `/etc/fstab` stays its owner's.
const UNIT: &str = "var-lib-hostkit-swapfile.swap";

pub(super) struct Swap;

impl Item for Swap {
    fn name(&self) -> &'static str {
        "swap"
    }

    fn title(&self) -> &'static str {
        "swap"
    }

    fn why(&self) -> &'static str {
        "a build that needs much memory for a moment ends nothing else"
    }

    fn plan(&self, site: &Site<'_>) -> Result<Finding, Failure> {
        let mut finding = Finding::default();
        if is_container(site.machine)? {
            finding.not_applicable = Some("a container has the swap of its host".to_owned());
            return Ok(finding);
        }
        let used: Vec<String> = site
            .machine
            .read("/proc/swaps")?
            .unwrap_or_default()
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
            .collect();
        if used.iter().any(|path| path != FILE) {
            finding.notes.push(format!("in use: {}", used.join(", ")));
            return Ok(finding);
        }
        finding.missing = used.is_empty();
        let there = site.machine.look(FILE)?.is_some();
        if !there {
            let size = match swap_size(site.machine.free_space(FILE)?) {
                SwapSize::Full(size) => size,
                SwapSize::Reduced(size) => {
                    finding.notes.push(format!("{size} only: the disk is small"));
                    size
                }
                SwapSize::NoRoom => {
                    finding.find("there is no swap");
                    finding.refused = Some(
                        Failure::new(Kind::Conflict, "cannot make swap: the disk has no room for it")
                            .hint("free at least 1.5 GiB of disk, then `hostkit server setup` again"),
                    );
                    return Ok(finding);
                }
            };
            finding.find("there is no swap");
            let path = FILE.to_owned();
            finding.change(Change::Swap { path, size });
        }
        let text = Sections::new(Comment("Swap for moments of need."))
            .section("Unit")
            .line("Description", "=", "Swap file of HostKit")
            .section("Swap")
            .line("What", "=", FILE)
            .section("Install")
            .line("WantedBy", "=", "swap.target")
            .text()?;
        let is_due = want_file(site, &format!("/etc/systemd/system/{UNIT}"), text, &mut finding)?;
        if is_due || site.unfinished {
            finding.change(Change::ReloadSystemd);
        }
        let idle = used.is_empty();
        if idle && there {
            finding.find(format!("{FILE} is not in use"));
        }
        if idle || unit(site.machine, UNIT)?.file != "enabled" {
            finding.change(Change::Unit(UnitAct::EnableNow, UNIT.to_owned()));
        }
        Ok(finding)
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
