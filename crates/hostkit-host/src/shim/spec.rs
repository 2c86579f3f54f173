//! The two files of a program below a shim: an instance, or a service.

use std::net::SocketAddr;
use std::path::PathBuf;

use hostkit_core::manifest::StopRule;
use hostkit_core::names::ReleaseName;
use hostkit_core::size::{ByteSize, Span};
use hostkit_core::workload::{BACKOFF, CRASH_LOOP_AFTER, Exit, InstanceState, STABLE_AFTER};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::launch::Launch;
use crate::processes::ProcessMark;

/// What a program below a shim is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShimSpec {
    /// Its name, an [`hostkit_core::workload::InstanceId`] or a [`hostkit_core::services::ServiceName`].
    pub id: String,
    /// The release it runs; none for a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseName>,
    /// What is started.
    pub launch: Launch,
    /// Where it was told to listen.
    pub address: Option<SocketAddr>,
    /// How it is stopped.
    pub stop: StopRule,
    /// The most memory it may use, with all its children.
    pub memory: Option<ByteSize>,
    /// The file its output goes to.
    pub log: PathBuf,
    /// When it is started again.
    pub restart: RestartRule,
}

/// When a program that ended by itself is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartRule {
    /// The first pause; it doubles with every crash.
    pub first: Span,
    /// The longest pause.
    pub longest: Span,
    /// So many crashes make a crash loop.
    pub crash_loop_after: u32,
    /// Having run this long, earlier crashes are forgotten.
    pub stable_after: Span,
}

impl Default for RestartRule {
    fn default() -> Self {
        RestartRule {
            first: BACKOFF.0,
            longest: BACKOFF.1,
            crash_loop_after: CRASH_LOOP_AFTER,
            stable_after: STABLE_AFTER,
        }
    }
}

impl RestartRule {
    /// The pause after the n-th crash in a row.
    pub fn pause(&self, crashes: u32) -> std::time::Duration {
        let doublings = crashes.saturating_sub(1).min(30);
        self.first.0.saturating_mul(1 << doublings).min(self.longest.0)
    }
}

/// How an instance is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShimState {
    /// The shim that wrote this; void when it is gone.
    pub shim: ProcessMark,
    /// The program, while there is one.
    pub program: Option<ProcessMark>,
    /// How it is.
    pub state: InstanceState,
    /// How often the program was started, for whatever reason.
    pub starts: u64,
    /// How often it was started again after it ended by itself.
    pub restarts: u32,
    /// When it was last started.
    pub started_at: Option<Timestamp>,
    /// How it last ended.
    pub last_exit: Option<Exit>,
}
