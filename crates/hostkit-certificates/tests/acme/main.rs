//! Certificates from a real authority, and from one that is not what it should be.

#![allow(clippy::unwrap_used, reason = "all of this is tests")]

mod fake;
mod site;

mod authorities;
mod orders;
