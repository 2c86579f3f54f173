//! Where instances run. The catalogue: [`process::ProcessRuntime`], child processes of one machine's one account;
//! [`systemd::SystemdRuntime`], units of a server with an account for each project.

pub mod process;
pub mod shared;
pub mod systemd;
