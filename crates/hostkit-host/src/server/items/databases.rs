//! What add-ons of projects run: PostgreSQL, PgBouncer and Redis. Debian's packages start a server each. PostgreSQL's is the
//! one that projects share; the other two would be nobody's, and are kept from being started. Where they were there before
//! us they are somebody's, and stay as they are.

use hostkit_core::kind::Failure;
use hostkit_core::server::{Change, Comment, Order, Sections, UnitAct, comment_lines};

use super::packages::installed;
use crate::server::item::{Finding, Item, Site};
use crate::server::looks::{must, want_file, want_unit};

const POSTGRES: &str = "postgresql";
const POSTGRES_UNIT: &str = "postgresql.service";
/// Debian leaves a server that was killed where it is; those who stop it in order still stop it.
const RESTART: &str = "/etc/systemd/system/postgresql@.service.d/60-hostkit.conf";
/// What Debian makes new clusters with. The one of a machine that has PostgreSQL already is not touched.
const NEW_CLUSTERS: &str = "/etc/postgresql-common/createcluster.d/60-hostkit.conf";
/// As many as the server of local mode has: each project whose programs ask holds at least one.
const CONNECTIONS: &str = "max_connections = 300\n";
/// Packages whose program alone is wanted, and the unit that each would start.
const PROGRAMS_ALONE: [(&str, &str); 2] = [
    ("pgbouncer", "pgbouncer.service"),
    ("redis-server", "redis-server.service"),
];

pub(super) struct Databases;

impl Item for Databases {
    fn name(&self) -> &'static str {
        "databases"
    }

    fn title(&self) -> &'static str {
        "programs of add-ons"
    }

    fn why(&self) -> &'static str {
        "projects get a database of PostgreSQL and a Redis of their own"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["packages"]
    }

    fn plan(&self, site: &Site<'_>) -> Result<Finding, Failure> {
        let mut finding = Finding::default();
        let names = PROGRAMS_ALONE
            .iter()
            .map(|(package, _)| *package)
            .chain([POSTGRES]);
        let there = installed(site.machine, names.clone())?;
        let is_there = |name: &str| there.iter().any(|other| other == name);
        for (_, unit) in PROGRAMS_ALONE.iter().filter(|(package, _)| !is_there(package)) {
            finding.change(Change::Unit(UnitAct::Mask, (*unit).to_owned()));
        }
        let absent: Vec<String> = names.filter(|name| !is_there(name)).map(str::to_owned).collect();
        let text = comment_lines(Comment(
            "Room for the databases of many projects, in a cluster that is new.",
        ));
        want_file(site, NEW_CLUSTERS, text + CONNECTIONS, &mut finding)?;
        if !absent.is_empty() {
            finding.missing = true;
            finding.find(format!("not installed: {}", absent.join(", ")));
            finding.change(Change::Install(absent));
        }
        let text = Sections::new(Comment(
            "A server that was killed is started again: projects wait for it.",
        ))
        .section("Service")
        .line("Restart", "=", "on-failure")
        .line("RestartSec", "=", "3s");
        if want_file(site, RESTART, text.text()?, &mut finding)? || site.unfinished {
            finding.change(Change::ReloadSystemd);
        }
        if is_there(POSTGRES) {
            want_unit(site, POSTGRES_UNIT, true, &mut finding)?;
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
