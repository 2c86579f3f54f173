//! The unit of a service: values in, values out.

use hostkit_core::kind::Failure;
use hostkit_core::services::{Service, ServiceName};
use hostkit_host::systemd::sandbox::Sandbox;
use hostkit_host::systemd::unit_file::{Section, UnitFile};
use hostkit_host::systemd::{UnitLimits, UnitName};

use super::Settings;
use super::folder::ServiceFolder;
use crate::systemd::unit::{AGAIN, slice_of, stop, unusable, utf8};

/// The most processes and threads of a service: PostgreSQL has one for each connection.
const TASKS: u64 = 512;
/// Whose ports are whose is in force before anything answers on one.
const PORTS: &str = "hostkit-ports.service";

/// `hostkit-shop.production.redis.service`, `hostkit-redis-rest.service`. The name of no instance has as few parts, and
/// no project is called like a role.
pub(super) fn name_of(name: &ServiceName) -> Result<UnitName, Failure> {
    UnitName::service(&name.to_string()).map_err(unusable)
}

/// A project's own services share with its programs, those of all projects are apart from them.
pub(super) fn slice(name: &ServiceName) -> Result<UnitName, Failure> {
    match &name.environment {
        Some(environment) => slice_of(environment),
        None => UnitName::slice(&["services"]).map_err(unusable),
    }
}

/// Below `/run`: the account's own folder, made by systemd.
pub(super) fn state_folder(name: &ServiceName) -> String {
    format!("hostkit/services/{name}")
}

/// What it and its commands may use.
pub(super) fn limits(service: &Service) -> UnitLimits {
    UnitLimits {
        memory: service.memory,
        tasks: Some(TASKS),
        ..UnitLimits::default()
    }
}

/// The walls around a service: those of projects, no netlink, and nothing to write to but its data and its log.
pub(super) fn sandbox(folder: &ServiceFolder) -> Sandbox {
    Sandbox {
        umask: Some(0o077),
        read_write: vec![folder.place().data, folder.log()],
        address_families: vec!["AF_INET", "AF_INET6", "AF_UNIX"],
        remove_ipc: true,
        ..Sandbox::for_projects()
    }
}

/// The unit file.
pub(super) fn file(
    service: &Service,
    folder: &ServiceFolder,
    settings: &Settings,
) -> Result<UnitFile, Failure> {
    let name = service.name.to_string();
    let account = service.name.account();
    let file = UnitFile::new()
        .section(Section::Unit)
        .text("Description", format!("HostKit service {name}"))
        .word("Wants", PORTS)
        .word("After", format!("network.target {PORTS}"))
        // A program that crashes is started again for ever; the pauses see to it that this costs little.
        .word("StartLimitIntervalSec", 0)
        .section(Section::Service)
        .word("Type", "notify")
        .word("NotifyAccess", "main")
        .text("User", account.as_str())
        .text("Group", account.as_str())
        .unit("Slice", &slice(&service.name)?)
        .text("WorkingDirectory", "/")
        .environment_file(folder.variables_file())
        .text("StandardInput", format!("file:{}", utf8(&folder.spec_file())?))
        .word("StandardOutput", "null")
        .word("StandardError", "null")
        .command(
            "ExecStart",
            &settings.program,
            &["launch".to_owned(), name.clone()],
        )
        .command("ExecStopPost", &settings.program, &["ended".to_owned(), name])
        .word("Restart", "always")
        .word("RestartSec", AGAIN)
        // `launch` waits out the pause before it says that it is ready.
        .word("TimeoutStartSec", "infinity");
    Ok(stop(file, &service.stop)
        .word("OOMPolicy", "stop")
        .text("RuntimeDirectory", state_folder(&service.name))
        .word("RuntimeDirectoryMode", "0700")
        .word("RuntimeDirectoryPreserve", "yes")
        .limits(&limits(service))
        .sandbox(&sandbox(folder))?
        .section(Section::Install)
        .word("WantedBy", "multi-user.target"))
}

#[cfg(test)]
mod tests {
    use hostkit_core::layout::Layout;
    use hostkit_core::manifest::StopRule;
    use hostkit_core::size::ByteSize;
    use hostkit_core::variables::Variables;
    use hostkit_host::shim::RestartRule;

    use super::*;

    fn text(name: &str) -> String {
        let name = ServiceName::try_from(name.to_owned()).unwrap();
        let service = Service {
            arguments: vec!["redis-server".into(), "--canary=7c1f".into()],
            variables: Variables::new(),
            files: Vec::new(),
            stop: StopRule::default(),
            memory: Some(ByteSize::mib(64)),
            never_root: false,
            name: name.clone(),
        };
        let settings = Settings {
            program: "/var/lib/hostkit/bin/hostkit".into(),
            restart: RestartRule::default(),
            caller: None,
        };
        let folder = ServiceFolder::new(&Layout::server(), &name);
        file(&service, &folder, &settings).unwrap().render().unwrap()
    }

    #[test]
    fn the_unit_of_a_service_is_as_decided() {
        let found = text("shop.production.redis");
        if std::env::var_os("HOSTKIT_BLESS").is_some() {
            let golden =
                std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/service_units/redis.service");
            std::fs::write(golden, &found).unwrap();
        }
        assert_eq!(found, include_str!("redis.service"));
        assert!(!found.contains("canary"));
    }

    #[test]
    fn what_serves_all_projects_is_apart_from_them() {
        let found = text("redis-rest");
        assert!(found.contains("\nSlice=hostkit-services.slice\n"), "{found}");
        assert!(found.contains("\nUser=hostkit-redis-rest\n"), "{found}");
    }
}
