//! Fakes of everything the engine speaks to. Each keeps what it was asked in a [`Journal`] (shared, so that the order
//! across fakes can be checked) and takes its faults from [`Faults`], by the name of the method.

mod accounts;
mod addon;
mod archives;
mod backup_target;
mod builder;
mod certificates;
mod clock;
mod copies;
mod databases;
mod faults;
mod firewall;
mod history;
mod homes;
mod internet;
mod machine;
mod outside;
mod port_owners;
mod premises;
mod probe;
mod runtime;
mod sources;
mod ssh_keys;
mod sudoers;
pub mod systemd;
mod traffic;

pub use accounts::FakeAccounts;
pub use addon::FakeAddon;
pub use archives::FakeArchives;
pub use backup_target::FakeBackupTarget;
pub use builder::FakeBuilder;
pub use certificates::FakeCertificates;
pub use clock::FakeClock;
pub use copies::FakeCopies;
pub use databases::FakeDatabases;
pub use faults::{Faults, Journal};
pub use firewall::FakeFirewall;
pub use history::FakeHistory;
pub use homes::FakeHomes;
pub use internet::FakeInternet;
pub use machine::FakeMachine;
pub use outside::FakeOutside;
pub use port_owners::FakePortOwners;
pub use premises::FakePremises;
pub use probe::FakeProbe;
pub use runtime::{Behaviour, FakeRuntime};
pub use sources::FakeSources;
pub use ssh_keys::FakeSshKeys;
pub use sudoers::FakeSudoers;
pub use systemd::FakeSystemd;
pub use traffic::FakeTraffic;

#[cfg(test)]
mod tests;
