//! Storage as an add-on: a server for each environment that has one, on a loopback port of its own, with one bucket, called
//! like the environment. Each credential is a pair of keys; what changes is told to a server that runs, and no request
//! notices.

mod copies;
mod keys;
mod operator;
mod server;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::addon::{AddonHealth, AddonId, AddonKind, AddonOrder, AddonState, Console};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::VariableName;
use hostkit_core::port_use::{Callers, PortUse, PortUser};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::storage::{BucketPolicy, BucketReport, BucketRules, PUBLIC_PATH};
use hostkit_core::traits::{Addon, Buckets, Services};
use hostkit_core::variables::Variables;
use hostkit_core::workload::InstanceState;
use tokio::time::{Instant, sleep};

pub use copies::StorageCopies;

use operator::NoState;

/// How long a server that was just started or told may take until it goes by its settings.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks at it.
const PAUSE: Duration = Duration::from_millis(20);
/// A server that ended so often while it was waited for does not start.
const STARTS: u32 = 2;
/// So many of its last lines explain why it does not run.
const LINES: usize = 10;

/// Tells where an environment is found from outside: `https://shop.example.com`.
pub type PublicAddresses = Arc<dyn Fn(&EnvironmentId) -> String + Send + Sync>;

/// What a variable tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Endpoint,
    Bucket,
    Region,
    AccessKey,
    SecretKey,
    PublicUrl,
}

/// The names that programs find, and those that were written for Cloudflare's R2.
pub(super) const VARIABLES: [(&str, Told); 11] = [
    ("S3_ENDPOINT", Told::Endpoint),
    ("S3_BUCKET", Told::Bucket),
    ("S3_REGION", Told::Region),
    ("S3_ACCESS_KEY_ID", Told::AccessKey),
    ("S3_SECRET_ACCESS_KEY", Told::SecretKey),
    ("S3_PUBLIC_URL", Told::PublicUrl),
    ("R2_ENDPOINT", Told::Endpoint),
    ("R2_BUCKET_NAME", Told::Bucket),
    ("R2_ACCESS_KEY_ID", Told::AccessKey),
    ("R2_SECRET_ACCESS_KEY", Told::SecretKey),
    ("R2_PUBLIC_URL", Told::PublicUrl),
];

/// Provides storage.
pub struct StorageAddon {
    services: Arc<dyn Services>,
    public: PublicAddresses,
}

impl StorageAddon {
    /// Servers kept by `services`; what is public in them is read below the addresses of `public`.
    pub fn new(services: Arc<dyn Services>, public: PublicAddresses) -> Self {
        StorageAddon { services, public }
    }

    /// Where what is public in the bucket of an environment is read.
    fn public_url(&self, environment: &EnvironmentId) -> String {
        format!("{}{PUBLIC_PATH}", (self.public)(environment))
    }

    /// Waits until the server goes by settings with this digest. One that ended is given a few starts: it may have been
    /// killed.
    async fn wait_until_in_force(&self, order: &AddonOrder, digest: &str) -> Result<(), Failure> {
        let (address, token) = (server::address(order)?, keys::operator(order));
        let name = server::name(&order.id);
        let restarts = async || {
            let found = self.services.observe(&name).await?;
            Ok::<_, Failure>(found.map_or(0, |state| state.restarts))
        };
        let deadline = Instant::now() + PATIENCE;
        let before = restarts().await?;
        loop {
            let why = match operator::ask(address, &token).await {
                Ok(state) if state.settings == digest => return Ok(()),
                Ok(_) => "it does not go by its new settings".to_owned(),
                // What answers on its port is not the server that was started.
                Err(why @ (NoState::Stranger | NoState::Refused(_) | NoState::Full(_))) => {
                    return Err(down(order, &why.to_string()));
                }
                Err(NoState::Silent(why)) => {
                    let is_hopeless = restarts().await? >= before + STARTS;
                    match self.why_it_ended(order).await? {
                        Some(why) if is_hopeless => return Err(down(order, &why)),
                        Some(why) => why,
                        None => why,
                    }
                }
            };
            if Instant::now() > deadline {
                return Err(down(order, &why));
            }
            sleep(PAUSE).await;
        }
    }

    /// Why the server is not there, where that is known: it ended by itself.
    async fn why_it_ended(&self, order: &AddonOrder) -> Result<Option<String>, Failure> {
        let name = server::name(&order.id);
        let Some(state) = self.services.observe(&name).await? else {
            return Ok(Some("its server was never started".into()));
        };
        if state.state == InstanceState::Running {
            return Ok(None);
        }
        let lines = self.services.last_lines(&name, LINES).await?;
        let said = lines.iter().rev().find(|line| line.contains("ERROR"));
        let exit = state.last_exit.map(|exit| exit.to_string());
        let exit = exit.unwrap_or_else(|| "it was stopped".into());
        Ok(Some(match said {
            Some(line) => format!("its server ended ({exit}): {}", line.trim()),
            None => format!("its server ended ({exit})"),
        }))
    }

    /// A server whose objects are gone would begin with none, and nobody would notice.
    fn refuse_lost(&self, order: &AddonOrder) -> Result<(), Failure> {
        let place = self.services.place(&server::name(&order.id));
        let lost = match (place.configuration.exists(), place.data.exists()) {
            (true, false) => place.data,
            _ => return Ok(()),
        };
        let message = format!(
            "cannot start the storage of `{}`: its objects in `{}` are gone",
            order.id.environment,
            lost.display()
        );
        Err(Failure::new(Kind::Conflict, message).hint(
            "put the folder back; to begin with no objects, make an empty folder there, with the owner of the one beside it",
        ))
    }
}

#[async_trait::async_trait]
impl Addon for StorageAddon {
    fn kind(&self) -> AddonKind {
        AddonKind::Storage
    }

    fn needs_port(&self) -> bool {
        true
    }

    async fn ensure(&self, order: &AddonOrder) -> Result<(), Failure> {
        self.refuse_lost(order)?;
        let settings = server::settings(order, &*self.services)?;
        let server = server::service(order, &settings, &*self.services)?;
        self.services.ensure(&server).await?;
        self.wait_until_in_force(order, &settings.digest()).await
    }

    async fn observe(&self, order: &AddonOrder) -> Result<AddonState, Failure> {
        let found = self.services.observe(&server::name(&order.id)).await?;
        let digest = server::settings(order, &*self.services)?.digest();
        let asked = operator::ask(server::address(order)?, &keys::operator(order)).await;
        let version = asked.is_ok().then(|| env!("CARGO_PKG_VERSION").to_owned());
        let health = match asked {
            Ok(state) if state.settings == digest => AddonHealth::Ready,
            Ok(_) => AddonHealth::Down("it does not go by its settings".into()),
            Err(why @ (NoState::Stranger | NoState::Refused(_) | NoState::Full(_))) => {
                AddonHealth::Down(why.to_string())
            }
            Err(NoState::Silent(why)) => AddonHealth::Down(self.why_it_ended(order).await?.unwrap_or(why)),
        };
        Ok(AddonState {
            health,
            memory: found.and_then(|state| state.memory),
            version,
            warnings: Vec::new(),
        })
    }

    async fn remove(&self, id: &AddonId) -> Result<(), Failure> {
        self.services.remove(&server::name(id)).await
    }

    fn variable_names(&self) -> Vec<VariableName> {
        VARIABLES.iter().filter_map(|(name, _)| variable(name)).collect()
    }

    fn variables(&self, order: &AddonOrder) -> Variables {
        let environment = &order.id.environment;
        let described = (
            server::bucket(environment),
            server::address(order),
            order.credentials.first().map(keys::pair),
        );
        // The order is complete, and a bucket could be made for it.
        let (Ok(bucket), Ok(address), Some(pair)) = described else {
            return Variables::new();
        };
        let value = |told: Told| match told {
            Told::Endpoint => Secret::new(format!("http://{address}")),
            Told::Bucket => Secret::new(bucket.as_str()),
            Told::Region => Secret::new(server::REGION),
            Told::AccessKey => Secret::new(pair.access.as_str()),
            Told::SecretKey => pair.secret.clone(),
            Told::PublicUrl => Secret::new(self.public_url(environment)),
        };
        VARIABLES
            .iter()
            .filter_map(|(name, told)| Some((variable(name)?, value(*told))))
            .collect()
    }

    fn ports(&self, order: &AddonOrder) -> BTreeMap<u16, PortUse> {
        let own = PortUse {
            answers: PortUser::Service(server::name(&order.id)),
            callers: Callers::These([PortUser::Project(order.id.environment.project.clone())].into()),
        };
        order.port.map(|port| (port, own)).into_iter().collect()
    }

    fn console(&self, _order: &AddonOrder, _arguments: &[String]) -> Option<Console> {
        None
    }

    fn buckets(&self) -> Option<&dyn Buckets> {
        Some(self)
    }
}

#[async_trait::async_trait]
impl Buckets for StorageAddon {
    async fn report(&self, order: &AddonOrder) -> Result<BucketReport, Failure> {
        let bucket = server::bucket(&order.id.environment)?;
        let state = operator::ask(server::address(order)?, &keys::operator(order)).await;
        let state = state.map_err(|why| down(order, &why.to_string()))?;
        let found = state.buckets.into_iter().find(|one| one.name == bucket.as_str());
        let found = found.ok_or_else(|| down(order, "it has no bucket"))?;
        Ok(BucketReport {
            bucket: found.name,
            public_url: self.public_url(&order.id.environment),
            objects: found.objects,
            bytes: found.bytes,
            policy: BucketPolicy {
                quota: order.settings.quota,
                public: order.settings.public.clone(),
                rules: found.rules,
            },
            outside: false,
        })
    }

    async fn set_rules(&self, order: &AddonOrder, rules: &BucketRules) -> Result<(), Failure> {
        let bucket = server::bucket(&order.id.environment)?;
        let (address, token) = (server::address(order)?, keys::operator(order));
        let set = operator::set_rules(address, &token, &bucket, rules).await;
        set.map_err(|why| down(order, &why.to_string()))
    }
}

pub(super) fn variable(name: &str) -> Option<VariableName> {
    VariableName::parse(name).ok()
}

fn down(order: &AddonOrder, why: &str) -> Failure {
    Failure::new(
        Kind::Unavailable,
        format!("cannot use the storage of `{}`: {why}", order.id.environment),
    )
    .hint(format!(
        "see how it is with `hostkit addon list {}`",
        order.id.environment.project
    ))
}
