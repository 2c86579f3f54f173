//! How many files a unit may have open, where it does not say so itself.

use hostkit_core::kind::Failure;
use hostkit_core::server::{Change, Comment, Order, Sections};

use crate::server::item::{Finding, Item, Site};
use crate::server::looks::{must, want_file};

const FILE: &str = "/etc/systemd/system.conf.d/60-hostkit.conf";
const SOFT: u64 = 65_536;
const HARD: u64 = 524_288;

pub(super) struct OpenFiles;

impl Item for OpenFiles {
    fn name(&self) -> &'static str {
        "files"
    }

    fn title(&self) -> &'static str {
        "open files of a unit"
    }

    fn why(&self) -> &'static str {
        "the usual 1024 is used up by a thousand visitors of one program"
    }

    fn plan(&self, site: &Site<'_>) -> Result<Finding, Failure> {
        let mut finding = Finding {
            missing: site.machine.look(FILE)?.is_none(),
            ..Finding::default()
        };
        let text = Sections::new(Comment("Units that say nothing of open files get this many."))
            .section("Manager")
            .line("DefaultLimitNOFILE", "=", &format!("{SOFT}:{HARD}"))
            .text()?;
        let is_due = want_file(site, FILE, text, &mut finding)?;
        let order = Order::new("systemctl", &["show", "--property=DefaultLimitNOFILESoft"]);
        let said = must(site.machine, &order, "ask systemd of its limits")?;
        let found = said.out.trim().rsplit('=').next().unwrap_or_default().to_owned();
        let enough = found == "infinity" || found.parse::<u64>().is_ok_and(|number| number >= SOFT);
        if !enough && !is_due {
            finding.find(format!("the limit in force is {found}, not {SOFT}"));
        }
        if is_due || !enough || site.unfinished {
            finding.change(Change::ReloadSystemd);
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
