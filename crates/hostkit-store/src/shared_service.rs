//! Programs of add-ons that serve all projects: each has a port and a secret, the same for as long as the installation lives.

use hostkit_core::kind::Failure;
use hostkit_core::secret::Secret;
use hostkit_core::services::ServiceRole;
use rusqlite::{OptionalExtension, params};

use crate::Store;
use crate::addon::{free_port, new_secret};

/// What a program that serves all projects is found by and ruled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedService {
    /// Its port on loopback.
    pub port: u16,
    /// HostKit's own way in: 64 hexadecimal digits. No project learns it.
    pub operator: Secret,
}

/// What the secret is bound to. No variable's place and no add-on's begins so: no project's name has a blank.
fn place(role: ServiceRole) -> String {
    format!("shared service/{}/operator", role.as_str())
}

impl Store {
    /// What a program was given, or is given now: `preferred`, or the lowest port of add-ons, whichever is nobody's and
    /// `is_free` confirms (programs that are not HostKit's may hold ports). Idempotent.
    pub fn shared_service(
        &self,
        role: ServiceRole,
        preferred: Option<u16>,
        is_free: fn(u16) -> bool,
    ) -> std::result::Result<SharedService, Failure> {
        let (name, place) = (role.as_str(), place(role));
        self.write(&format!("choose where {name} is found"), |write| {
            let found: Option<(u16, Vec<u8>)> = write
                .sql
                .prepare_cached("SELECT port, operator FROM shared_service WHERE role = ?1")?
                .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            if let Some((port, sealed)) = found {
                let operator = self.sealer().unseal(&place, &sealed)?;
                return Ok(SharedService {
                    port,
                    operator: Secret::new(operator.as_str()),
                });
            }
            let port = free_port(&write.sql, preferred, is_free)?;
            let operator = new_secret()?;
            let sealed = self.sealer().seal(&place, operator.reveal())?;
            write
                .sql
                .prepare_cached("INSERT INTO shared_service (role, port, operator) VALUES (?1, ?2, ?3)")?
                .execute(params![name, port, sealed])?;
            Ok(SharedService { port, operator })
        })
    }
}

#[cfg(test)]
mod tests {
    use hostkit_core::addon::{AddonId, AddonKind, AddonSettings};
    use hostkit_core::kind::Kind;
    use hostkit_core::names::{EnvironmentName, ProjectName};
    use hostkit_core::project::EnvironmentId;

    use super::*;
    use crate::tests::Bench;

    #[test]
    fn a_shared_service_keeps_the_port_and_the_secret_it_was_given_first() {
        let bench = Bench::new();
        let store = &bench.store;
        let pooler = |is_free| store.shared_service(ServiceRole::PgBouncer, Some(6432), is_free);
        let refused = pooler(|_| false).unwrap_err();
        assert_eq!(refused.kind, Kind::Unavailable, "{refused}");
        let first = pooler(|_| true).unwrap();
        assert_eq!(first.port, 6432);
        // Whatever is free later: programs were told of it.
        assert_eq!(pooler(|_| false).unwrap(), first);
        let text = first.operator.reveal();
        assert!(text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()));
        for file in std::fs::read_dir(bench.layout().data()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
            assert!(!bytes.windows(64).any(|window| window == text.as_bytes()));
        }
    }

    #[test]
    fn no_addon_and_no_other_service_has_its_port() {
        let bench = Bench::new();
        let store = &bench.store;
        let last: fn(u16) -> bool = |port| port >= 19997 || port == 6432;
        let taken: fn(u16) -> bool = |port| port >= 19997;
        let server = store.shared_service(ServiceRole::Postgres, None, last).unwrap();
        let pooler = store
            .shared_service(ServiceRole::PgBouncer, Some(6432), taken)
            .unwrap();
        assert_ne!(server.operator, pooler.operator);
        let project = ProjectName::parse("shop").unwrap();
        store.create_project(&project).unwrap();
        let shop = EnvironmentId::new(project, EnvironmentName::production());
        let redis = AddonId::new(shop, AddonKind::Redis);
        let redis = store
            .add_addon(&redis, &AddonSettings::default(), Some(last), "cli")
            .unwrap();
        let mut ports = [server.port, pooler.port, redis.order.port.unwrap()];
        ports.sort_unstable();
        assert_eq!(ports, [19997, 19998, 19999]);
    }
}
