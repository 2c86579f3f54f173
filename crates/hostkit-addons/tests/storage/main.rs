//! A storage server as programs meet it: a real process, real SDKs, real signals.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod addon;
mod conformance;
mod copies;
mod crash;
mod disk;
mod elsewhere;
mod hostile;
mod hostile_copies;
mod house;
mod outside;
mod role;
mod sdks;
