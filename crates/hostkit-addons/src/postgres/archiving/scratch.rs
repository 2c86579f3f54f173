//! A scratch cluster: a base backup with the log that came after it, brought to one moment and no further. It is a service of
//! its own beside the one that is in use, and has nothing to do with it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt, stream};
use hostkit_core::backup::history::LogPiece;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{Dump, Log, Pieces, Services};
use hostkit_host::beneath::Folder;
use hostkit_host::command::{Guard, Job, Limits, Wiring};
use hostkit_host::launch::Priority;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::postgres::cluster::Cluster;
use crate::postgres::copies::{acting_as, fed, last_lines};
use crate::postgres::programs::Programs;
use crate::postgres::session::Access;

/// The most bytes of what a base backup says of itself.
const LONGEST_LABEL: u64 = 64 * 1024;

/// What is recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// For whom: each has at most one scratch cluster.
    pub environment: EnvironmentId,
    /// The moment: what was committed until then is there, what was later is not.
    pub to: Timestamp,
    /// A port on 127.0.0.1 that is nobody's.
    pub port: u16,
    /// The account that it runs as, where that is not our own.
    pub account: Option<String>,
}

/// A cluster as it was at a moment. It runs until it is removed.
pub struct Scratch {
    services: Arc<dyn Services>,
    cluster: Cluster,
    programs: Programs,
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
        let cluster = cluster.scratch(recovery);
        let name = cluster.service_name();
        services.remove(&name).await?;
        let hands = Hands {
            guard,
            account: recovery.account.as_deref(),
        };
        match fill(&**services, &cluster, &hands, (base, log), recovery.to).await {
            Ok(programs) => Ok(Scratch {
                services: services.clone(),
                cluster,
                programs,
            }),
            Err(failure) => {
                services.remove(&name).await?;
                Err(failure)
            }
        }
    }

    /// How HostKit gets in, with the password that the cluster had then.
    pub fn access(&self) -> Access {
        self.cluster.access(&*self.services)
    }

    /// The programs of its version.
    pub(super) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Stops it and takes its data away.
    pub async fn remove(self) -> Result<(), Failure> {
        self.services.remove(&self.cluster.service_name()).await
    }
}

async fn fill(
    services: &dyn Services,
    cluster: &Cluster,
    hands: &Hands<'_>,
    (base, log): (Dump, Log),
    to: Timestamp,
) -> Result<Programs, Failure> {
    let data = cluster.make_folder(services).await?;
    let folder = data.display().to_string();
    hands
        .feed(
            "tar",
            &["--extract", "--no-same-owner", "--directory", &folder],
            base,
        )
        .await?;
    let first = begins_with(&read(&data, "backup_label", LONGEST_LABEL)?, to)?;
    let major = read(&data, "PG_VERSION", LONGEST_LABEL)?;
    let major = major
        .trim()
        .parse()
        .map_err(|why| cannot(&format!("of which version it is: {why}")))?;
    let programs = Programs::of_major(&data, major)?;
    bring(hands, &data, &first, log).await?;
    let signal = data.join("recovery.signal").display().to_string();
    let nothing = Box::pin(stream::empty());
    hands.feed("touch", &["--", &signal], nothing).await?;
    cluster.start_scratch(services, &programs).await?;
    Ok(programs)
}

/// Who writes what a scratch cluster is made of: whom its files belong to, so that what an archive brought leads nobody else
/// anywhere.
struct Hands<'a> {
    guard: &'a Guard,
    account: Option<&'a str>,
}

impl Hands<'_> {
    /// Runs a program of the system to its end, with what it reads.
    async fn feed(&self, program: &str, arguments: &[&str], input: Dump) -> Result<(), Failure> {
        let mut words = self.account.map(acting_as).unwrap_or_default();
        words.push(format!("/bin/{program}"));
        words.extend(arguments.iter().map(|&word| word.to_owned()));
        let job = Job {
            program: words.remove(0),
            arguments: words,
            environment: BTreeMap::from([
                ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
                ("LC_ALL".to_owned(), "C.UTF-8".to_owned()),
            ]),
            directory: PathBuf::from("/"),
            limits: Limits {
                time: None,
                memory: None,
                priority: Priority::Background,
            },
        };
        let running = self.guard.start(&job, Wiring::PipesWithInput).await?;
        let (ending, said) = fed(running, input).await?;
        match ending.is_success() {
            true => Ok(()),
            false => Err(cannot(&format!("`{program}` failed")).details(last_lines(&said))),
        }
    }
}

/// A small file of what was unpacked. A link there is not followed, and a pipe not waited for.
fn read(data: &Path, name: &str, most: u64) -> Result<String, Failure> {
    let (Some(above), Some(folder)) = (data.parent(), data.file_name().and_then(OsStr::to_str)) else {
        return Err(cannot(&"its folder has no name"));
    };
    let content = match Folder::open(above)?.folder(folder)? {
        Some(folder) => folder.read_file(name, most)?,
        None => None,
    };
    let content = content.and_then(|bytes| String::from_utf8(bytes).ok());
    content.ok_or_else(|| {
        cannot(&format!(
            "what was unpacked is no base backup: it has no `{name}`"
        ))
    })
}

/// The piece that the log begins with, by what the base backup says; one that is too young for the moment is refused.
fn begins_with(label: &str, to: Timestamp) -> Result<LogPiece, Failure> {
    let began = began_at(label).ok_or_else(|| cannot(&"the base backup does not say when it began"))?;
    // The server notices it only where something was committed in between.
    if to < began {
        let message = format!("cannot recover to {to}: the base backup was made after it");
        return Err(Failure::new(Kind::NotFound, message).hint("use an earlier base backup"));
    }
    first_piece(label).ok_or_else(|| cannot(&"the base backup does not say where its log begins"))
}

/// Puts what came after the base backup where the server looks for its log.
async fn bring(hands: &Hands<'_>, data: &Path, first: &LogPiece, mut log: Log) -> Result<(), Failure> {
    while let Some(next) = log.next().await {
        let (piece, content) = next?;
        if piece >= *first {
            write(hands, &data.join("pg_wal").join(piece.as_str()), &piece, content).await?;
        }
    }
    Ok(())
}

async fn write(hands: &Hands<'_>, path: &Path, piece: &LogPiece, content: Pieces) -> Result<(), Failure> {
    let bytes = Arc::new(AtomicU64::new(0));
    let (counted, name) = (bytes.clone(), piece.clone());
    let content = content.map(move |part| {
        let part = part.map_err(|why| {
            let why = format!("cannot recover a cluster: `{name}` of its log: {why}");
            Failure::new(Kind::Unavailable, why)
        })?;
        counted.fetch_add(part.len() as u64, Ordering::Relaxed);
        Ok(part)
    });
    let place = format!("of={}", path.display());
    hands
        .feed("dd", &["bs=1M", "status=none", &place], Box::pin(content))
        .await?;
    match bytes.load(Ordering::Relaxed) {
        LogPiece::BYTES => Ok(()),
        bytes => Err(cannot(&format!("`{piece}` of its log has {bytes} bytes"))),
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
