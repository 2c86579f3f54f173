//! Images in other sizes: a process that lives for one image, has no rights, and is killed at its bounds. What it is
//! told and what it answers is in [`hostkit_core::image`]; the front door starts it.
//!
//! [`run`] is the process. It shuts itself in ([`sandbox`]) before it reads the first byte of an image; [`picture`]
//! decodes and resizes, [`encode`] writes.

mod encode;
mod picture;
mod role;
mod sandbox;

pub use picture::make;
pub use role::run;
