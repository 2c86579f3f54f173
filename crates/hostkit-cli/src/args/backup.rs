//! Arguments of `backup`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use hostkit_core::backup::part::PartName;
use hostkit_core::backup::retention::Retention;
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::size::Span;
use jiff::Timestamp;

use super::Whose;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct BackupArgs {
    #[command(subcommand)]
    pub(crate) command: BackupCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Make a backup, read it back and restore it for trial
    Now {
        #[command(flatten)]
        whose: Whose,
    },
    /// List the backups of a project, also of one that is gone
    List {
        #[command(flatten)]
        whose: Whose,
    },
    /// Show one backup: its parts, and what was counted in each
    Show {
        #[command(flatten)]
        which: WhichBackup,
    },
    /// Read a backup back as it is now and restore it for trial; exit code 1 if it is not good
    Verify {
        #[command(flatten)]
        which: WhichBackup,
    },
    /// Restore a backup; what is there stays until all of the backup was seen to be good
    Restore {
        #[command(flatten)]
        which: WhichBackup,
        /// Another project or environment to restore it into, made where there is none, such as shop-copy or shop/staging
        #[arg(long, value_name = "PROJECT[/ENV]", value_parser = elsewhere)]
        to: Option<Elsewhere>,
        /// No backup, but databases as they were at this moment: 2026-11-29T12:00:00Z, or '5m ago'
        #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with_all = ["number", "kit"])]
        to_time: Option<Timestamp>,
        /// The recovery kit of the installation that made it: on a machine that has nothing else
        #[arg(long, value_name = "FILE")]
        kit: Option<PathBuf>,
        /// Do not back up what is there first
        #[arg(long)]
        no_backup: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Take a part of a backup out, decrypted: a dump, an RDB, a tar, JSON
    Download {
        #[command(flatten)]
        whose: Whose,
        /// The part, such as postgres or variables
        part: PartName,
        /// The number of the backup [default: the newest]
        #[arg(long, short, value_name = "NUMBER")]
        number: Option<u64>,
        /// The file to write, or - for stdout; a large database is several files (FILE-2, …)
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Show or choose when a project is backed up, and which backups stay
    Schedule {
        #[command(flatten)]
        whose: Whose,
        /// The hour of the day, in UTC: 0 to 23
        #[arg(long, value_name = "HOUR", value_parser = clap::value_parser!(u8).range(0..24), conflicts_with = "off")]
        daily: Option<u8>,
        /// Make none by itself
        #[arg(long)]
        off: bool,
        #[command(flatten)]
        keep: Keep,
    },
    /// Remove the backups that no rule keeps any more
    Prune {
        #[command(flatten)]
        whose: Whose,
        /// Only say which stay, why, and which would go
        #[arg(long)]
        plan: bool,
    },
    /// Keep a backup whatever the rules say, or let go of it
    Hold {
        #[command(flatten)]
        whose: Whose,
        /// The number of the backup
        number: u64,
        /// Let go of it
        #[arg(long)]
        release: bool,
    },
    /// Show what rules would keep in the course of time
    Plan {
        /// How long, in days, with a backup each day
        #[arg(long, value_name = "DAYS", default_value = "400d", value_parser = days)]
        simulate: u32,
        #[command(flatten)]
        keep: Keep,
    },
    /// Show or choose whether every change of databases is kept, to bring them back to any moment
    History {
        /// Keep them, or do so no more [default: show how it is]
        #[arg(value_enum)]
        switch: Option<Switch>,
        /// How many days can be gone back [default: 7]
        #[arg(long, value_name = "DAYS", value_parser = days)]
        days: Option<u32>,
        /// Do not ask before PostgreSQL is started anew
        #[arg(short, long)]
        yes: bool,
    },
    /// Show or choose where the backups of this installation are kept
    Target {
        #[command(subcommand)]
        command: TargetCommand,
    },
    /// Print the recovery kit, without which nobody can read the backups on another machine
    Kit {
        /// Show that you have it: type the key, or give the kit on stdin
        #[arg(long, conflicts_with = "adopt")]
        confirm: bool,
        /// Take over the backups that a kit is for, from its file or - for stdin
        #[arg(long, value_name = "FILE")]
        adopt: Option<PathBuf>,
    },
}

/// Whether something is so from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// It is
    On,
    /// It is not
    Off,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TargetCommand {
    /// Show where they are kept
    Show,
    /// Keep them in a folder, best on another disk
    Folder {
        /// The folder, absolute
        path: PathBuf,
    },
    /// Keep them in a bucket that speaks the S3 API; the secret key is read from HOSTKIT_S3_SECRET or asked for
    S3 {
        /// Its URL without the bucket
        #[arg(long, value_name = "URL")]
        endpoint: String,
        /// The bucket
        #[arg(long)]
        bucket: String,
        /// What the names of all files begin with
        #[arg(long, default_value = "")]
        prefix: String,
        /// The region that requests are signed for
        #[arg(long, default_value = "us-east-1")]
        region: String,
        /// The access key id
        #[arg(long, value_name = "ID")]
        access_key_id: String,
    },
}

/// Which backup is meant.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhichBackup {
    #[command(flatten)]
    pub(crate) whose: Whose,
    /// The number of the backup [default: the newest that can be restored]
    pub(crate) number: Option<u64>,
}

/// How many stay; rules that are not named are as they were.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which stay")]
pub(crate) struct Keep {
    /// The newest so many, whenever they were made
    #[arg(long, value_name = "COUNT")]
    pub(crate) keep_last: Option<u32>,
    /// The newest of so many hours
    #[arg(long, value_name = "COUNT")]
    pub(crate) keep_hourly: Option<u32>,
    /// The newest of so many days [default: 7]
    #[arg(long, value_name = "COUNT")]
    pub(crate) keep_daily: Option<u32>,
    /// The newest of so many weeks [default: 4]
    #[arg(long, value_name = "COUNT")]
    pub(crate) keep_weekly: Option<u32>,
    /// The newest of so many months [default: 3]
    #[arg(long, value_name = "COUNT")]
    pub(crate) keep_monthly: Option<u32>,
    /// The newest of so many years
    #[arg(long, value_name = "COUNT")]
    pub(crate) keep_yearly: Option<u32>,
}

impl Keep {
    /// Other rules with what was named.
    pub(crate) fn over(&self, before: Retention) -> Retention {
        Retention {
            last: self.keep_last.unwrap_or(before.last),
            hourly: self.keep_hourly.unwrap_or(before.hourly),
            daily: self.keep_daily.unwrap_or(before.daily),
            weekly: self.keep_weekly.unwrap_or(before.weekly),
            monthly: self.keep_monthly.unwrap_or(before.monthly),
            yearly: self.keep_yearly.unwrap_or(before.yearly),
        }
    }
}

/// A place to restore into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub(crate) project: ProjectName,
    /// The one of the backup where none is named.
    pub(crate) environment: Option<EnvironmentName>,
}

fn elsewhere(text: &str) -> Result<Elsewhere, String> {
    let (project, environment) = match text.split_once('/') {
        Some((project, environment)) => (project, Some(environment)),
        None => (text, None),
    };
    let environment = environment.filter(|name| !name.is_empty());
    Ok(Elsewhere {
        project: project.parse().map_err(|why| format!("{why}"))?,
        environment: environment
            .map(str::parse)
            .transpose()
            .map_err(|why| format!("{why}"))?,
    })
}

/// `2026-11-29T12:00:00Z`, or with another zone's offset; `5m ago`.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Some(span) = text.trim().strip_suffix("ago") {
        let Span(span) = Span::parse(span.trim()).map_err(|why| format!("{why}"))?;
        return Timestamp::now()
            .checked_sub(span)
            .map_err(|_| "that was too long ago".to_owned());
    }
    text.parse().map_err(|_| {
        "use a date and a time with its zone, such as 2026-11-29T12:00:00Z or 2026-11-29T13:00:00+01:00, or '5m ago'"
            .to_owned()
    })
}

/// `400d`, or `400`.
fn days(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('d').unwrap_or(text);
    match number.parse() {
        Ok(days) if (1..=36_500).contains(&days) => Ok(days),
        _ => Err("use a number of days from 1 to 36500, such as 400d".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_needs_its_zone() {
        let at = |text: &str| moment(text).unwrap().to_string();
        assert_eq!(at("2026-11-29T12:00:00Z"), "2026-11-29T12:00:00Z");
        assert_eq!(at("2026-11-29T13:00:00+01:00"), "2026-11-29T12:00:00Z");
        let ago = Timestamp::now().duration_since(moment("5m ago").unwrap());
        assert!((299..330).contains(&ago.as_secs()), "{ago}");
        for bad in [
            "2026-11-29T12:00:00",
            "2026-11-29",
            "12:00",
            "yesterday",
            "5 ago",
            "ago",
            "",
        ] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }
}
