//! What tests of HostKit share: hand-written fakes with fault settings, conformance suites, one per trait, machines to test
//! on, HTTP load, an authority for certificates, a database that somebody else keeps, and roads to such things. A fake must pass as much of its
//! trait's suite as something in memory can.

pub mod acme;
pub mod conformance;
pub mod elsewhere;
pub mod fakes;
pub mod http;
pub mod load;
pub mod machine;
pub mod road;
pub mod sdks;
pub mod small_disk;
pub mod tls;
