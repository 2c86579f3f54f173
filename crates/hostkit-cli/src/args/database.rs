//! Arguments of `db`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hostkit_api::backup::Removal;
use hostkit_core::names::{DatabaseLabel, EnvironmentName};

use super::Whose;
use crate::completion;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct DbArgs {
    #[command(subcommand)]
    pub(crate) command: DbCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// List the databases, with what each takes
    List {
        #[command(flatten)]
        whose: Whose,
    },
    /// Make a further database, reached with the same credentials
    Create {
        #[command(flatten)]
        whose: Whose,
        /// What it is called, such as tenant_a
        database: DatabaseLabel,
    },
    /// Take a further database away, with all that is in it
    Drop {
        #[command(flatten)]
        whose: Whose,
        /// Which
        #[arg(add = completion::databases())]
        database: DatabaseLabel,
        #[command(flatten)]
        losing: Losing,
    },
    /// Open psql as the project, or run it with arguments
    Psql {
        #[command(flatten)]
        whose: Whose,
        /// Arguments of psql, such as -c and a statement
        #[arg(last = true, value_name = "ARGUMENT")]
        arguments: Vec<String>,
    },
    /// Print the URL that programs are told, with its password
    Url {
        #[command(flatten)]
        which: WhichDatabase,
        /// The one past the pooler, for migrations and sessions
        #[arg(long)]
        direct: bool,
    },
    /// Show what is large, what nobody uses and what is slow
    Stats {
        #[command(flatten)]
        which: WhichDatabase,
    },
    /// Show what is being asked just now, again and again
    Top {
        #[command(flatten)]
        which: WhichDatabase,
    },
    /// List who is connected, and who waits for whom
    Connections {
        #[command(flatten)]
        which: WhichDatabase,
    },
    /// List the extensions a database has and may have, or add one
    Extensions {
        #[command(flatten)]
        which: WhichDatabase,
        /// Add this one
        #[arg(long, value_name = "EXTENSION")]
        add: Option<String>,
    },
    /// Write a copy of a database into a file
    Dump {
        #[command(flatten)]
        which: WhichDatabase,
        /// The file, which must not be there yet [default: stdout, where that is no terminal]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Replace a database by what a dump has; until all is restored the old one stays
    Restore {
        #[command(flatten)]
        which: WhichDatabase,
        /// A dump in the custom format of pg_dump, or - for stdin
        file: PathBuf,
        #[command(flatten)]
        losing: Losing,
    },
    /// Copy one database into another, which is made or replaced
    Clone {
        #[command(flatten)]
        whose: Whose,
        /// The database that is copied
        #[arg(add = completion::databases())]
        from: DatabaseLabel,
        /// The one that becomes a copy of it
        to: DatabaseLabel,
        /// The environment of the one that is copied [default: that of the copy]
        #[arg(long, value_name = "ENV")]
        from_env: Option<EnvironmentName>,
        #[command(flatten)]
        losing: Losing,
    },
    /// Keep the tenants in a table apart by row-level security, and try whether they are
    Protect {
        #[command(flatten)]
        which: WhichDatabase,
        /// The table
        table: String,
        /// The column that says whose a row is
        #[arg(long, short)]
        column: String,
        /// The schema of the table
        #[arg(long, default_value = "public")]
        schema: String,
        /// Change nothing, only try
        #[arg(long)]
        only_try: bool,
    },
}

/// Which database is meant.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhichDatabase {
    #[command(flatten)]
    pub(crate) whose: Whose,
    /// The database
    #[arg(long, short, value_name = "DATABASE", default_value = "db", add = completion::databases())]
    pub(crate) database: DatabaseLabel,
}

/// How data are lost.
#[derive(Debug, Args)]
pub(crate) struct Losing {
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Do not back up first what is there
    #[arg(long)]
    no_backup: bool,
}

impl Losing {
    /// As the API is asked.
    pub(crate) fn removal(&self) -> Removal {
        Removal {
            backup: self.no_backup.then_some(false),
        }
    }
}
