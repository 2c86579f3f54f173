//! The items of a setup, one file each, in the order they are done.

mod databases;
mod fail2ban;
mod firewall;
mod journal;
mod kernel;
mod languages;
mod logs;
mod open_files;
mod packages;
mod ssh;
mod swap;
mod time;
mod updates;

use super::item::Item;

/// Every item. One that needs another comes after it.
pub(super) const ITEMS: &[&dyn Item] = &[
    &packages::Packages,
    &languages::Languages,
    &databases::Databases,
    &time::Time,
    &updates::Updates,
    &kernel::Kernel,
    &open_files::OpenFiles,
    &swap::Swap,
    &journal::Journal,
    &logs::Logs,
    &ssh::Ssh,
    &firewall::Firewall,
    &fail2ban::Fail2ban,
];
