//! What makes a machine fit to be a server: the rules behind `hostkit server setup` and `hostkit server check`, and
//! what the two tell. Pure: whoever touches the machine does it through [`Machine`].

mod accounts;
mod authorized_keys;
mod change;
mod config_text;
mod distribution;
mod kernel;
mod machine;
mod report;
mod sshd;
mod swap;

pub use accounts::{Account, Shadow, may_become_root, parse_accounts, parse_shadow};
pub use authorized_keys::{Algorithms, usable_keys};
pub use change::{Before, Change, UnitAct};
pub use config_text::{Comment, Sections, apt_settings, comment_lines, sshd_settings, sysctl_settings};
pub use distribution::Distribution;
pub use kernel::{Demand, KERNEL, KernelSetting};
pub use machine::{Found, FoundKind, Machine, Order, Ran};
pub use report::{
    ChangeReport, CheckReport, CheckedItem, ItemState, Progress, SetupItem, SetupOutcome, SetupReport,
    SetupWish,
};
pub use sshd::{Effective, SSHD_MAIN, SshdFiles, matches_any, strictest_root_login};
pub use swap::{SwapSize, swap_size};

#[cfg(test)]
mod tests;
