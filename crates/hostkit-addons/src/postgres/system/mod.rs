//! The cluster that Debian's packages keep, on a server. Others may have databases in it: HostKit adds a role of its own,
//! a database of its own, and a block of rules for its own projects, and touches nothing else.
//!
//! Root gets in by the kernel's word for who calls (`peer`), as the role `hostkit`: no password lets it in. The files
//! of the cluster are the account `postgres`'s, and so are the folders they lie in; whatever is done to them is done as
//! that account, so that root follows nothing that it may have put there.

mod block;
mod filing;

use std::path::PathBuf;
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_host::system_program::{Outcome, SystemProgram};

use super::cluster::{SUPERUSER, own_role, prepare_own_database, rules_of_ours};
use super::databases::OWN_DATABASE;
use super::session::{Access, Place, Session};

pub(crate) use filing::Effect;

const RUNUSER: SystemProgram = SystemProgram::new("runuser", "util-linux");
const SYSTEMCTL: SystemProgram = SystemProgram::new("systemctl", "systemd");
const LIST_CLUSTERS: SystemProgram = SystemProgram::new("pg_lsclusters", "postgresql");
/// How long new rules may take to hold, and a server that was started to answer.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// A cluster that somebody else keeps running on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemCluster {
    /// The folder of `pg_hba.conf` and `pg_ident.conf`.
    pub configuration: PathBuf,
    /// The folder of its socket.
    pub sockets: PathBuf,
    /// Its port.
    pub port: u16,
    /// The account that it runs as, and that its files belong to.
    pub account: String,
    /// The unit that it runs in.
    pub unit: String,
}

impl SystemCluster {
    /// The cluster of this machine: the one called `main`, of the newest version from 15 on.
    pub async fn find() -> Result<Self, Failure> {
        let said = LIST_CLUSTERS.run(&["--no-header"], b"").await?;
        Self::choose(&String::from_utf8_lossy(&said.output)).ok_or_else(|| {
            Failure::new(
                Kind::Unavailable,
                "cannot use PostgreSQL: there is no cluster `main` of version 15 or newer on this machine",
            )
            .hint("apt install postgresql; `pg_lsclusters` lists the clusters there are")
        })
    }

    /// Chooses by what `pg_lsclusters` prints: version, name, port, status, owner, data, log.
    fn choose(listed: &str) -> Option<Self> {
        let cluster = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [version, "main", port, _, owner, ..] = words[..] else {
                return None;
            };
            let (major, port): (u16, u16) = (version.parse().ok()?, port.parse().ok()?);
            (major >= 15).then(|| {
                let found = SystemCluster {
                    configuration: PathBuf::from(format!("/etc/postgresql/{version}/main")),
                    sockets: PathBuf::from("/var/run/postgresql"),
                    port,
                    account: owner.to_owned(),
                    unit: format!("postgresql@{version}-main.service"),
                };
                (major, found)
            })
        };
        let found = listed
            .lines()
            .filter_map(cluster)
            .max_by_key(|(major, _)| *major)?;
        Some(found.1)
    }

    /// How HostKit gets in, once [`SystemCluster::ensure`] was there.
    pub fn access(&self) -> Access {
        Access {
            place: Place::Socket(self.sockets.clone()),
            port: self.port,
            user: SUPERUSER.to_owned(),
            password: None,
            home: OWN_DATABASE.to_owned(),
        }
    }

    /// Makes it so that HostKit gets in and projects are kept to their own databases. Idempotent; who is connected notices
    /// nothing.
    pub async fn ensure(&self) -> Result<(), Failure> {
        if let Ok(session) = self.access().try_connect("postgres").await
            && self.has_blocks().await?
        {
            return prepare_own_database(&self.access(), &session).await;
        }
        // Before the role of projects is there, no rule for it can let anybody in; the rules come first all the same.
        self.write("pg_ident.conf", &block::identities()).await?;
        self.write("pg_hba.conf", &block::admission(&rules_of_ours()))
            .await?;
        let statements = format!("{}\nSELECT pg_reload_conf();\n", own_role());
        let (sockets, port) = (self.sockets.display().to_string(), self.port.to_string());
        let words = [
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--output=/dev/null",
            "--dbname=postgres",
            "--host",
            &sockets,
            "--port",
            &port,
        ];
        self.run("let HostKit into PostgreSQL", &words, statements.as_bytes())
            .await?;
        let session = self
            .get_in("it does not take the new rules of `pg_hba.conf`")
            .await?;
        prepare_own_database(&self.access(), &session).await
    }

    /// Starts it anew: who is connected is cut off, and refused until it is there again.
    pub(crate) async fn start_anew(&self) -> Result<(), Failure> {
        let said = SYSTEMCTL.run(&["restart", "--", &self.unit], b"").await?;
        if !said.is_success() {
            let why = format!("cannot start PostgreSQL anew: {}", said.why());
            let hint = format!("`journalctl -u {}` says more", self.unit);
            return Err(Failure::new(Kind::Unavailable, why).hint(hint));
        }
        self.get_in("it was started anew and does not answer")
            .await
            .map(drop)
    }

    /// Waits until HostKit is let in; `why` is what is told where it is not.
    async fn get_in(&self, why: &str) -> Result<Session, Failure> {
        let gets_in = async {
            loop {
                match self.access().try_connect("postgres").await {
                    Ok(session) => return session,
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        };
        tokio::time::timeout(LONGEST_WAIT, gets_in).await.map_err(|_| {
            Failure::new(Kind::Unavailable, format!("cannot get into PostgreSQL: {why}"))
                .hint("its log says why: journalctl -u 'postgresql@*', or /var/log/postgresql")
        })
    }

    async fn has_blocks(&self) -> Result<bool, Failure> {
        let identities = self.read("pg_ident.conf").await?;
        let admission = self.read("pg_hba.conf").await?;
        Ok(block::put(&identities, &block::identities()) == identities
            && block::put(&admission, &block::admission(&rules_of_ours())) == admission)
    }

    async fn read(&self, name: &str) -> Result<String, Failure> {
        let path = self.configuration.join(name).display().to_string();
        let said = self
            .run(&format!("read `{path}`"), &["cat", "--", &path], b"")
            .await?;
        String::from_utf8(said.output)
            .map_err(|_| Failure::new(Kind::Failed, format!("cannot read `{path}`: it is not text")))
    }

    /// Puts our block into a file; everything else in it stays as it is. Written as a whole, and not at all where nothing
    /// would change.
    async fn write(&self, name: &str, ours: &str) -> Result<(), Failure> {
        let before = self.read(name).await?;
        let after = block::put(&before, ours);
        if after == before {
            return Ok(());
        }
        let path = self.configuration.join(name).display().to_string();
        let beside = format!("{path}.hostkit");
        let act = format!("write `{path}`");
        // With the mode that the file has.
        self.run(&act, &["cp", "--preserve=mode", "--", &path, &beside], b"")
            .await?;
        self.run(
            &act,
            &["dd", "status=none", "conv=fsync", &format!("of={beside}")],
            after.as_bytes(),
        )
        .await?;
        self.run(&act, &["mv", "-T", "--", &beside, &path], b"")
            .await
            .map(drop)
    }

    /// Runs a program as the cluster's account.
    async fn run(&self, act: &str, words: &[&str], input: &[u8]) -> Result<Outcome, Failure> {
        let mut arguments = vec!["-u", &self.account, "--"];
        arguments.extend_from_slice(words);
        let said = RUNUSER.run(&arguments, input).await?;
        if said.is_success() {
            return Ok(said);
        }
        Err(Failure::new(
            Kind::Unavailable,
            format!("cannot {act}: {}", said.why()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_main_cluster_is_chosen() {
        let listed = "\
13  main    5434 online postgres /var/lib/postgresql/13/main /var/log/postgresql/postgresql-13-main.log
15  main    5432 down   postgres /var/lib/postgresql/15/main /var/log/postgresql/postgresql-15-main.log
15  other   5433 online postgres /var/lib/postgresql/15/other /var/log/x.log
16  main    5435 online postgres /var/lib/postgresql/16/main /var/log/x.log
";
        let found = SystemCluster::choose(listed).unwrap();
        assert_eq!((found.port, found.account.as_str()), (5435, "postgres"));
        assert_eq!(found.unit, "postgresql@16-main.service");
        assert_eq!(found.configuration, PathBuf::from("/etc/postgresql/16/main"));
        assert_eq!(
            SystemCluster::choose("13 main 5432 online postgres /a /b\n"),
            None
        );
        assert_eq!(SystemCluster::choose(""), None);
    }
}
