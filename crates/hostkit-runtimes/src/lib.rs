//! Where instances run. The catalogue: [`process::ProcessRuntime`], child processes of one machine's one account;
//! [`systemd::SystemdRuntime`], units of a server with an account for each project.
//! Where services of add-ons run: [`services::ProcessServices`], [`service_units::SystemdServices`].

pub mod process;
pub mod service_units;
pub mod services;
pub mod shared;
pub mod systemd;
