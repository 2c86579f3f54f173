//! Accounts, rights, keys and the firewall on a real machine, as root: the suites on the real thing, and what the
//! rules are for: that each attempt fails with them and succeeds without.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

#[path = "machine_accounts/accounts.rs"]
mod accounts;
#[path = "machine_accounts/cgroup.rs"]
mod cgroup;
#[path = "machine_accounts/firewall.rs"]
mod firewall;
#[path = "machine_accounts/homes.rs"]
mod homes;
#[path = "machine_accounts/port_owners.rs"]
mod port_owners;
#[path = "machine_accounts/premises.rs"]
mod premises;
#[path = "machine_accounts/rights.rs"]
mod rights;
