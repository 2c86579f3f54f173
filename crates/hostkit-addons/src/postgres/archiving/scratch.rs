//! A scratch cluster: a base backup with the log that came after it, brought to one moment and no further. It is a service of
//! its own beside the one that is in use, and has nothing to do with it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use hostkit_core::backup::history::LogPiece;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{Dump, Log, Pieces, Services};
use hostkit_host::command::{Guard, Job, Limits, Wiring};
use hostkit_host::launch::Priority;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::postgres::cluster::Cluster;
use crate::postgres::copies::{fed, last_lines};
use crate::postgres::programs::Programs;
use crate::postgres::session::Access;

/// What is recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// For whom: each has at most one scratch cluster.
    pub environment: EnvironmentId,
    /// The moment: what was committed until then is there, what was later is not.
    pub to: Timestamp,
    /// A port on 127.0.0.1 that is nobody's.
    pub port: u16,
}

/// A cluster as it was at a moment. It runs until it is removed.
pub struct Scratch {
    services: Arc<dyn Services>,
    cluster: Cluster,
}

impl Scratch {
    /// Makes one of a base backup of `cluster` and the pieces of its log from then on; earlier ones are passed over. One that
    /// is there is removed first. After a failure nothing is left.
    pub async fn recover(
        services: &Arc<dyn Services>,
        guard: &Guard,
        cluster: &Cluster,
        (base, log): (Dump, Log),
        recovery: &Recovery,
    ) -> Result<Self, Failure> {
        let scratch = Scratch {
            services: services.clone(),
            cluster: cluster.scratch(recovery),
        };
        scratch.services.remove(&scratch.cluster.service_name()).await?;
        match scratch.fill(guard, base, log, recovery.to).await {
            Ok(()) => Ok(scratch),
            Err(failure) => {
                scratch.remove().await?;
                Err(failure)
            }
        }
    }

    /// How HostKit gets in, with the password that the cluster had then.
    pub fn access(&self) -> Access {
        self.cluster.access(&*self.services)
    }

    /// The programs of its version.
    pub(super) fn programs(&self) -> Result<Programs, Failure> {
        Programs::for_data(&self.cluster.own_data(&*self.services))
    }

    /// Stops it and takes its data away.
    pub async fn remove(self) -> Result<(), Failure> {
        self.services.remove(&self.cluster.service_name()).await
    }

    async fn fill(&self, guard: &Guard, base: Dump, log: Log, to: Timestamp) -> Result<(), Failure> {
        let data = self.cluster.make_folder(&*self.services).await?;
        unpack(guard, base, &data).await?;
        let first = begins_with(&data, to)?;
        bring(&data, &first, log).await?;
        fs::write(data.join("recovery.signal"), "").map_err(|why| cannot(&why))?;
        self.cluster.start_scratch(&*self.services).await
    }
}

/// Unpacks the archive of a base backup. Files become whose they are that unpacks them, which is whom the server runs as.
async fn unpack(guard: &Guard, base: Dump, data: &Path) -> Result<(), Failure> {
    let arguments = ["--extract", "--no-same-owner", "--directory"];
    let mut arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
    arguments.push(data.display().to_string());
    let job = Job {
        program: "/bin/tar".to_owned(),
        arguments,
        environment: BTreeMap::from([("LC_ALL".to_owned(), "C.UTF-8".to_owned())]),
        directory: PathBuf::from("/"),
        limits: Limits {
            time: None,
            memory: None,
            priority: Priority::Background,
        },
    };
    let running = guard.start(&job, Wiring::PipesWithInput).await?;
    let (ending, said) = fed(running, base).await?;
    match ending.is_success() {
        true => Ok(()),
        false => Err(cannot(&"its base backup cannot be unpacked").details(last_lines(&said))),
    }
}

/// The piece that the log begins with, by what the base backup says; one that is too young for the moment is refused.
fn begins_with(data: &Path, to: Timestamp) -> Result<LogPiece, Failure> {
    let label = fs::read_to_string(data.join("backup_label"))
        .map_err(|why| cannot(&format!("what was unpacked is no base backup: {why}")))?;
    let began = began_at(&label).ok_or_else(|| cannot(&"the base backup does not say when it began"))?;
    // The server notices it only where something was committed in between.
    if to < began {
        let message = format!("cannot recover to {to}: the base backup was made after it");
        return Err(Failure::new(Kind::NotFound, message).hint("use an earlier base backup"));
    }
    first_piece(&label).ok_or_else(|| cannot(&"the base backup does not say where its log begins"))
}

/// Puts what came after the base backup where the server looks for its log.
async fn bring(data: &Path, first: &LogPiece, mut log: Log) -> Result<(), Failure> {
    while let Some(next) = log.next().await {
        let (piece, content) = next?;
        if piece >= *first {
            write(&data.join("pg_wal").join(piece.as_str()), &piece, content).await?;
        }
    }
    Ok(())
}

async fn write(path: &Path, piece: &LogPiece, mut content: Pieces) -> Result<(), Failure> {
    let broken = |why: std::io::Error| {
        Failure::new(
            Kind::Unavailable,
            format!("cannot recover a cluster: `{piece}` of its log: {why}"),
        )
    };
    let mut file = fs::File::create(path).map_err(broken)?;
    let mut bytes = 0;
    while let Some(part) = content.next().await {
        let part = part.map_err(broken)?;
        bytes += part.len() as u64;
        file.write_all(&part).map_err(broken)?;
    }
    match bytes {
        LogPiece::BYTES => Ok(()),
        _ => Err(cannot(&format!("`{piece}` of its log has {bytes} bytes"))),
    }
}

/// `START WAL LOCATION: 0/2000028 (file 000000010000000000000002)`.
fn first_piece(label: &str) -> Option<LogPiece> {
    let line = label
        .lines()
        .find(|line| line.starts_with("START WAL LOCATION:"))?;
    let (_, file) = line.split_once("(file ")?;
    LogPiece::parse(file.strip_suffix(')')?).ok()
}

/// `START TIME: 2026-11-29 14:22:00 UTC`, of which the fraction is cut off: the end of that second.
fn began_at(label: &str) -> Option<Timestamp> {
    let line = label.lines().find_map(|line| line.strip_prefix("START TIME: "))?;
    let time = DateTime::strptime("%Y-%m-%d %H:%M:%S UTC", line).ok()?;
    let time = time.to_zoned(TimeZone::UTC).ok()?.timestamp();
    time.checked_add(SignedDuration::from_secs(1)).ok()
}

fn cannot(why: &dyn std::fmt::Display) -> Failure {
    Failure::new(Kind::Failed, format!("cannot recover a cluster: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_backup_says_where_its_log_begins() {
        let label =
            "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\nCHECKPOINT LOCATION: 0/2000060\n";
        assert_eq!(first_piece(label).unwrap().as_str(), "000000010000000000000002");
        let began = began_at("START TIME: 2026-11-29 14:22:00 UTC\nLABEL: x\n").unwrap();
        assert_eq!(began.to_string(), "2026-11-29T14:22:01Z");
        assert_eq!(began_at("START TIME: now"), None);
        for bad in [
            "",
            "START WAL LOCATION: 0/2",
            "START WAL LOCATION: 0/2 (file ../../x)",
        ] {
            assert_eq!(first_piece(bad), None, "{bad}");
        }
    }
}
