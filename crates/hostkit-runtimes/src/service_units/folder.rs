//! What there is of a service on the disk. The folder is root's: its account passes through it to what is its own.

use std::io;
use std::path::PathBuf;

use hostkit_core::layout::Layout;
use hostkit_core::services::{Service, ServiceName, ServicePlace};
use hostkit_host::accounts::Account;
use hostkit_host::files;
use hostkit_host::launch_role::LaunchSpec;

use super::unit;
use crate::shared::service_files::{self, give, show};
use crate::systemd::folder::open_to_all;

/// The folder of one service.
#[derive(Debug, Clone)]
pub(super) struct ServiceFolder {
    pub(super) path: PathBuf,
    /// Its account's own, made by systemd: how its program ended.
    pub(super) state: PathBuf,
    /// There while somebody asked for an end of the program.
    pub(super) asked: PathBuf,
    /// Above all of them.
    services: PathBuf,
    run: PathBuf,
}

impl ServiceFolder {
    pub(super) fn new(layout: &Layout, name: &ServiceName) -> Self {
        ServiceFolder {
            path: layout.service(name),
            state: PathBuf::from("/run").join(unit::state_folder(name)),
            asked: layout.run().join("asked").join(name.to_string()),
            services: layout.services(),
            run: layout.run(),
        }
    }

    pub(super) fn place(&self) -> ServicePlace {
        ServicePlace {
            data: self.path.join("data"),
            configuration: self.path.join("configuration"),
        }
    }

    /// What `launch` is told.
    pub(super) fn spec_file(&self) -> PathBuf {
        self.path.join("spec.json")
    }

    /// The variables of the program.
    pub(super) fn variables_file(&self) -> PathBuf {
        self.path.join("variables.env")
    }

    /// The unit file with which the program was last started.
    pub(super) fn unit_file(&self) -> PathBuf {
        self.path.join("unit")
    }

    /// There from before a file is changed that a running program must be told of until it was told.
    pub(super) fn reload_file(&self) -> PathBuf {
        self.path.join("reload")
    }

    /// Where the files of its log lie.
    pub(super) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Its log.
    pub(super) fn log_file(&self) -> PathBuf {
        self.log().join("service.log")
    }

    pub(super) fn spec(&self) -> Option<LaunchSpec> {
        serde_json::from_slice(&std::fs::read(self.spec_file()).ok()?).ok()
    }

    /// Makes the folders, and writes what the program reads.
    pub(super) fn write(&self, service: &Service, account: Account) -> io::Result<()> {
        // Below it is what its account looks at.
        open_to_all(&self.run)?;
        show(&self.services, 0, 0o711)?;
        show(&self.path, account.gid, 0o710)?;
        give(&self.log(), account)?;
        service_files::write(service, &self.place(), Some(account))
    }

    /// Says that an end of the program is one that was asked for.
    pub(super) fn mark_asked(&self) -> io::Result<()> {
        self.asked.parent().map_or(Ok(()), open_to_all)?;
        files::replace(&self.asked, b"", 0o644)
    }
}
