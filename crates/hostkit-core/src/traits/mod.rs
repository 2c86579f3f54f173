//! What HostKit asks of its parts. The engine sees nothing else of them.

pub mod addon;
pub mod archives;
pub mod backup_target;
pub mod builder;
pub mod certificates;
pub mod clock;
pub mod dns_hook;
pub mod files;
pub mod front_door;
pub mod internet;
pub mod operator_keys;
pub mod port_owners;
pub mod premises;
pub mod probe;
pub mod runtime;
pub mod services;
pub mod sources;
pub mod traffic;

pub use addon::Addon;
pub use archives::{Archive, Archives};
pub use backup_target::{BackupTarget, Pieces, StoredFile};
pub use builder::{BuildJob, BuildLog, Builder, Detected};
pub use certificates::CertificateBook;
pub use clock::Clock;
pub use dns_hook::DnsHook;
pub use files::Files;
pub use front_door::{FrontDoor, Visit};
pub use internet::Internet;
pub use operator_keys::{OperatorKey, OperatorKeys};
pub use port_owners::PortOwners;
pub use premises::{Audience, Premises};
pub use probe::{Health, HealthProbe};
pub use runtime::{Changes, Exec, ExecOutput, ExecStreams, ExecWrite, LogLines, OneOff, Runtime};
pub use services::Services;
pub use sources::Sources;
pub use traffic::Traffic;
