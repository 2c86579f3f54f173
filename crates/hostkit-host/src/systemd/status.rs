//! What systemd says of a unit.

use std::path::PathBuf;

use jiff::Timestamp;

use super::UnitName;
use crate::guard::Ending;

/// An enum of words systemd uses, with room for those a newer one may have.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A word this program does not know.
            Other(String),
        }

        impl $name {
            /// Reads systemd's word.
            pub fn from_word(word: &str) -> Self {
                match word {
                    $($word => $name::$variant,)*
                    other => $name::Other(other.to_owned()),
                }
            }

            /// Systemd's word.
            pub fn as_word(&self) -> &str {
                match self {
                    $($name::$variant => $word,)*
                    $name::Other(word) => word,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_word())
            }
        }
    };
}

words!(
    /// Whether systemd could read a unit.
    LoadState {
        /// It could.
        Loaded = "loaded",
        /// There is neither a file nor anything that runs.
        NotFound = "not-found",
        /// The file is wrong.
        BadSetting = "bad-setting",
        /// The file could not be read.
        Error = "error",
        /// Somebody forbade it (`systemctl mask`).
        Masked = "masked",
    }
);

words!(
    /// What a unit is at.
    ActiveState {
        /// It runs (a service), is there (a slice), listens (a socket).
        Active = "active",
        /// It reads its settings again.
        Reloading = "reloading",
        /// It does not run.
        Inactive = "inactive",
        /// It does not run, and ended badly.
        Failed = "failed",
        /// It starts, or waits to be started again.
        Activating = "activating",
        /// It stops.
        Deactivating = "deactivating",
    }
);

words!(
    /// How the last run of a service ended.
    UnitResult {
        /// Well, or it runs.
        Success = "success",
        /// With an exit code.
        ExitCode = "exit-code",
        /// By a signal.
        Signal = "signal",
        /// By a signal, with a core dump.
        CoreDump = "core-dump",
        /// The kernel killed a process of it for memory.
        OomKill = "oom-kill",
        /// It took longer than it may: to start, to stop or to run.
        Timeout = "timeout",
        /// It did not give a sign of life.
        Watchdog = "watchdog",
        /// It was started too often.
        StartLimitHit = "start-limit-hit",
        /// The machine could not give what it needs.
        Resources = "resources",
        /// It did not do what its type says.
        Protocol = "protocol",
        /// A condition of it says no.
        ExecCondition = "exec-condition",
    }
);

/// How and when a main process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MainExit {
    /// How: `Exited` or `Signalled`, never more than the process itself shows.
    pub ending: Ending,
    /// When.
    pub at: Timestamp,
}

/// How a unit is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitStatus {
    /// Its name; for an alias that of the unit it stands for.
    pub name: UnitName,
    /// Whether it could be read.
    pub load: LoadState,
    /// What it is at.
    pub active: ActiveState,
    /// The same, finer: `running`, `auto-restart`, `stop-sigterm`, `dead`.
    pub sub: String,
    /// How its last run ended.
    pub result: UnitResult,
    /// The main process, while there is one.
    pub main_pid: Option<u32>,
    /// When the main process was started, the one that runs or the last that ran.
    pub started_at: Option<Timestamp>,
    /// How the last main process ended; `None` while it runs.
    pub last_exit: Option<MainExit>,
    /// How often it was started again by itself.
    pub restarts: u32,
    /// The memory in use by all of its processes, in bytes.
    pub memory: Option<u64>,
    /// Its control group below the root of the hierarchy, while it has one: `/hostkit.slice/hostkit-shop.service`.
    pub control_group: Option<PathBuf>,
    /// Whether it is started with the machine.
    pub is_enabled: bool,
}

impl UnitStatus {
    /// Whether a program of it runs and is not about to end.
    pub fn is_running(&self) -> bool {
        matches!(self.active, ActiveState::Active | ActiveState::Reloading)
    }

    /// Whether the last run was ended by the kernel for memory. Only said when systemd knows it, which it does with
    /// control groups of version 2 alone.
    pub fn is_out_of_memory(&self) -> bool {
        self.result == UnitResult::OomKill
    }
}

/// A unit in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedUnit {
    /// Its name.
    pub name: UnitName,
    /// Whether the manager could read it; `None` where it has not looked yet.
    pub load: Option<LoadState>,
    /// What it is at.
    pub active: ActiveState,
    /// The same, finer.
    pub sub: String,
    /// Whether its file is there.
    pub has_file: bool,
}

impl ListedUnit {
    /// Whether something of it runs, starts, stops or is left over.
    pub fn is_there(&self) -> bool {
        self.active != ActiveState::Inactive
    }
}
