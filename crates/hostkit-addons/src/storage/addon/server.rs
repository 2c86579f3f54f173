//! The server of an add-on: its settings as a file, its program our own.

use std::net::{Ipv4Addr, SocketAddr};

use hostkit_core::addon::{AddonId, AddonOrder};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::StopRule;
use hostkit_core::names::RelativePath;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::services::{Service, ServiceFile, ServiceName, ServiceRole, WhenChanged};
use hostkit_core::size::{ByteSize, Span};
use hostkit_core::traits::Services;
use hostkit_core::variables::Variables;
use hostkit_host::roles::SelfProgram;

use super::keys;
use crate::storage::names::BucketName;
use crate::storage::settings::{BucketSettings, Listen, Settings, sha256};

/// The region that programs are told, as Cloudflare's R2 has it. For `us-east-1` some libraries sign URLs in an old way,
/// which is refused.
pub(super) const REGION: &str = "auto";

/// What the server reads.
const SETTINGS: &str = "settings.json";
/// What of it needs a new start: the program, and where it listens.
const START: &str = "start";
/// What is left free on the disk, for the index and for others.
const RESERVE: ByteSize = ByteSize::mib(256);
/// Many requests at once, each with some buffers.
const MEMORY: ByteSize = ByteSize::mib(512);
/// It gives what is under way half a minute itself.
const GRACE: Span = Span::secs(35);

/// The name of an environment's server.
pub(super) fn name(id: &AddonId) -> ServiceName {
    ServiceName {
        environment: Some(id.environment.clone()),
        role: ServiceRole::Storage,
    }
}

/// The bucket of an environment: `shop`, `shop--staging`. No name has two hyphens in a row, so no two environments have the
/// same.
pub(super) fn bucket(id: &EnvironmentId) -> Result<BucketName, Failure> {
    let text = match id.environment.is_production() {
        true => id.project.to_string(),
        false => format!("{}--{}", id.project, id.environment),
    };
    BucketName::parse(&text).ok_or_else(|| {
        Failure::new(
            Kind::Invalid,
            format!("cannot make a bucket for `{id}`: `{text}` is longer than the 63 bytes that S3 allows"),
        )
        .hint("choose a shorter name for the environment")
    })
}

/// Where the server of an order listens.
pub(super) fn address(order: &AddonOrder) -> Result<SocketAddr, Failure> {
    let port = order.port.ok_or_else(|| {
        Failure::new(
            Kind::Internal,
            format!("cannot start {}: it has no port", order.id),
        )
    })?;
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// What the server of an order goes by.
pub(super) fn settings(order: &AddonOrder, services: &dyn Services) -> Result<Settings, Failure> {
    Ok(Settings {
        folder: services.place(&name(&order.id)).data,
        listen: Listen::Address(address(order)?),
        region: REGION.to_owned(),
        hosts: Vec::new(),
        reserve: RESERVE.0,
        keys: order.credentials.iter().map(keys::pair).collect(),
        operator: Some(sha256(keys::operator(order).reveal().as_bytes())),
        buckets: vec![BucketSettings {
            name: bucket(&order.id.environment)?,
            quota: order.settings.quota.map(|quota| quota.0),
            public: order.settings.public.clone(),
        }],
    })
}

/// The server that goes by these settings.
pub(super) fn service(
    order: &AddonOrder,
    settings: &Settings,
    services: &dyn Services,
) -> Result<Service, Failure> {
    let name = name(&order.id);
    let file = services.place(&name).configuration.join(SETTINGS);
    let start = format!("{} {}\n", env!("CARGO_PKG_VERSION"), address(order)?);
    Ok(Service {
        name,
        arguments: vec![
            SelfProgram::current().path().to_string_lossy().into_owned(),
            "storage-server".to_owned(),
            file.to_string_lossy().into_owned(),
        ],
        variables: Variables::new(),
        files: vec![
            read(SETTINGS, settings.text(), WhenChanged::Reload)?,
            read(START, start, WhenChanged::Restart)?,
        ],
        stop: StopRule {
            grace: GRACE,
            ..StopRule::default()
        },
        memory: Some(MEMORY),
        never_root: false,
    })
}

fn read(path: &str, content: String, changed: WhenChanged) -> Result<ServiceFile, Failure> {
    let path = RelativePath::parse(path).map_err(|why| {
        let message = format!("cannot describe a storage server: {why}");
        Failure::new(Kind::Internal, message)
    })?;
    Ok(ServiceFile {
        path,
        content: Secret::new(content),
        changed,
    })
}

#[cfg(test)]
mod tests {
    use hostkit_core::names::{EnvironmentName, ProjectName};

    use super::*;

    #[test]
    fn no_two_environments_have_the_same_bucket() {
        let of = |project: &str, environment: &str| {
            let project = ProjectName::parse(project).unwrap();
            let environment = EnvironmentName::parse(environment).unwrap();
            bucket(&EnvironmentId::new(project, environment))
                .unwrap()
                .to_string()
        };
        assert_eq!(of("shop", "production"), "shop");
        assert_eq!(of("shop", "staging"), "shop--staging");
        assert_ne!(of("shop-staging", "production"), of("shop", "staging"));
    }
}
