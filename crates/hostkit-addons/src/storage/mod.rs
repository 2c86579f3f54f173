//! Object storage that speaks the S3 API, for one project: [`names`] that clients choose, the files that objects consist
//! of ([`contents`]), the [`index`] that says which, the [`s3`] service that does what was asked, the [`gate`] in front of
//! it. Why it is so: docs/decisions/007-object-storage.md.

pub mod addon;
pub mod backup;
pub mod contents;
pub mod error;
pub mod gate;
pub mod index;
pub mod names;
mod outside;
mod place;
pub mod s3;
pub mod server;
pub mod settings;
pub mod state;
pub mod tend;

pub use outside::OutsideStorage;

/// Answered with 200 as soon as a server answers at all. No bucket has this name.
pub const READY: &str = "/-/ready";

/// Where whoever runs a server asks which settings are in force and what the buckets hold ([`state::State`]).
pub const STATE: &str = "/-/state";

/// Where they set the rules of a bucket: `/-/rules/BUCKET`.
pub const RULES: &str = "/-/rules/";

/// Where they get a copy of all that it holds, as it is at that moment ([`backup`]).
pub const COPY: &str = "/-/copy";

/// Where they put such a copy, to be brought in beside what is there.
pub const RESTORE: &str = "/-/restore";
