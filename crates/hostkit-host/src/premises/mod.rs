//! What a project needs on its machine: on a server an account with a home, in local mode nothing but folders.

mod local;
mod server;

pub use local::LocalPremises;
pub use server::LinuxPremises;
