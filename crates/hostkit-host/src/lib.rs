//! The only crate that touches the machine: files, processes, running of programs, the two small roles of our own
//! binary that stand between us and them (`guard` for one command, `shim` for one instance), health checks, time.

mod account_by_number;
pub mod accounts;
pub mod acl;
pub mod archives;
pub mod beneath;
pub mod cgroup;
pub mod change;
pub mod clock;
pub mod command;
pub mod daemon_notice;
pub mod dns_program;
pub mod file_ops;
pub mod files;
pub mod firewall;
pub mod folder_watch;
pub mod front_door;
pub mod guard;
pub mod homes;
pub mod internet;
pub mod isolation;
pub mod launch;
pub mod launch_role;
pub mod launcher;
pub mod lines;
pub mod log_file;
mod machine_memory;
mod own_files;
pub mod port_owners;
pub mod premises;
pub mod probe;
pub mod processes;
pub mod role_process;
pub mod roles;
pub mod server;
pub mod shim;
pub mod ssh_keys;
pub mod stable_ports;
pub mod sudoers;
pub mod system_program;
pub mod systemd;
pub mod terminal;
pub mod trust;
mod visit;

pub use account_by_number::account_by_number;
pub use machine_memory::machine_memory;
