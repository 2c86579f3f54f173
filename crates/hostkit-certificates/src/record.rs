//! What is known of a name besides its certificate, as it is kept beside it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is known of a name besides its certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    /// When the authority would like it renewed.
    pub(crate) window: Option<Window>,
    /// When the authority is asked for that again.
    pub(crate) window_next: Option<Timestamp>,
    /// How often it could not be obtained since it could.
    pub(crate) failures: u32,
    /// Why not, the last time.
    pub(crate) last_error: Option<String>,
    /// When it is tried again.
    pub(crate) next_try: Option<Timestamp>,
    /// For whoever looks into the folder: who issued the certificate.
    pub(crate) issuer: Option<String>,
    /// For whoever looks into the folder: from when on it is valid.
    pub(crate) not_before: Option<Timestamp>,
    /// For whoever looks into the folder: until when it is valid.
    pub(crate) not_after: Option<Timestamp>,
}

/// When an authority would like a certificate renewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// From then on.
    pub(crate) start: Timestamp,
    /// Until then.
    pub(crate) end: Timestamp,
}
