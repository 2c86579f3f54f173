//! The one place that talks to systemd: unit files by a serialiser ([`unit_file`]), variables for
//! `EnvironmentFile=` ([`environment_file`]), and the system manager itself ([`Systemd`], really [`Bus`]). Which units
//! there are and what stands in them is decided elsewhere.

mod bus;
pub mod environment_file;
pub mod sandbox;
mod status;
mod traits;
mod transient;
pub mod unit_file;
mod unit_name;

pub use bus::Bus;
pub use nix::sys::signal::Signal;
pub use status::{ActiveState, ListedUnit, LoadState, MainExit, UnitResult, UnitStatus};
pub use traits::{Job, Systemd, UnitChange, UnitChanges, UnitFiles, Units, Whom};
pub use transient::{Streams, TransientEnd, TransientRun, TransientUnit, UnitLimits};
pub use unit_name::{UnitKind, UnitName, UnitNameError};

pub use crate::guard::Ending;
