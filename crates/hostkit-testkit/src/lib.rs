//! What tests of HostKit share: hand-written fakes with fault settings, and conformance suites, one per trait.
//! A fake must pass as much of its trait's suite as something in memory can.

pub mod conformance;
pub mod fakes;
