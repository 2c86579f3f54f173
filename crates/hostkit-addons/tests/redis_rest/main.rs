//! The gateway in front of real Redis servers, as its users meet it: raw HTTP, and Upstash's own libraries, unchanged.

#![allow(clippy::unwrap_used, reason = "all of this is tests")]

mod house;
mod protocol;
mod role;
mod sdk;
mod share;
mod streams;
