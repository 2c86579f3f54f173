//! Redis: a server for each environment that has one, on a loopback port of its own, with everything that is written in an
//! append-only file. Programs prove themselves as `PROJECT-NUMBER`, one user for each credential; taking a credential
//! away deletes its user, which ends the connections of just that one.

mod configuration;
mod connection;
mod copies;
mod derived;
mod outside;
mod rest;
mod users;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::addon::{AddonHealth, AddonId, AddonKind, AddonOrder, AddonState, Console};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::VariableName;
use hostkit_core::port_use::{Callers, PortUse, PortUser};
use hostkit_core::secret::Secret;
use hostkit_core::services::{ServiceName, ServiceRole};
use hostkit_core::traits::{Addon, Services};
use hostkit_core::variables::Variables;
use hostkit_core::workload::InstanceState;
use hostkit_host::stable_ports;
use tokio::time::{Instant, sleep};

pub use copies::RedisCopies;
pub use outside::OutsideRedis;

use connection::{Connected, NoConnection};
use rest::RestGateway;

/// How long a server that was just started may take to read its data; with more of it, it is ready later by itself.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks at a server that is starting.
const PAUSE: Duration = Duration::from_millis(20);
/// A server that ended so often while it was waited for does not start.
const STARTS: u32 = 2;
/// So many of its last lines explain why a server does not run.
const LINES: usize = 10;
/// What programs are told under, the newest credential each time; the names Celery reads are among them.
const VARIABLES: [&str; 3] = ["REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"];
/// Where the REST protocol is spoken, by the names that Upstash's libraries read, and the older ones of Vercel's.
const REST_URLS: [&str; 2] = ["UPSTASH_REDIS_REST_URL", "KV_REST_API_URL"];
/// The token that may what the credential may.
const REST_TOKENS: [&str; 2] = ["UPSTASH_REDIS_REST_TOKEN", "KV_REST_API_TOKEN"];
/// The token that may only read.
const READ_ONLY_TOKENS: [&str; 2] = [
    "UPSTASH_REDIS_REST_READ_ONLY_TOKEN",
    "KV_REST_API_READ_ONLY_TOKEN",
];

/// Provides Redis.
pub struct RedisAddon {
    services: Arc<dyn Services>,
    rest: RestGateway,
    system_path: String,
}

impl RedisAddon {
    /// Servers kept by `services`, whose program is looked for in `system_path`, folders as in PATH.
    pub fn new(services: Arc<dyn Services>, system_path: impl Into<String>) -> Self {
        RedisAddon {
            rest: RestGateway::new(services.clone(), stable_ports::choose),
            services,
            system_path: system_path.into(),
        }
    }

    /// The same with another rule which port the gateway to all servers may have.
    pub fn with_port_rule(mut self, port_is_free: fn(u16) -> bool) -> Self {
        self.rest = RestGateway::new(self.services.clone(), port_is_free);
        self
    }

    /// Waits until the server lets us in. One that ended is given a few starts: it may have been killed.
    async fn wait_until_ready(&self, order: &AddonOrder) -> Result<Connected, Failure> {
        let name = service_name(&order.id);
        let restarts = async || {
            Ok(self
                .services
                .observe(&name)
                .await?
                .map_or(0, |state| state.restarts))
        };
        let deadline = Instant::now() + PATIENCE;
        let before = restarts().await?;
        loop {
            let why = match Connected::as_operator(order).await {
                Ok(connected) => return Ok(connected),
                // What answers on its port is not the server that was started.
                Err(NoConnection::Refused(why)) => return Err(down(order, &why)),
                Err(NoConnection::Starting) => "it still reads its data".to_owned(),
                Err(NoConnection::Silent(why)) => {
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
        let name = service_name(&order.id);
        let Some(state) = self.services.observe(&name).await? else {
            return Ok(Some("its server was never started".into()));
        };
        if state.state == InstanceState::Running {
            return Ok(None);
        }
        let lines = self.services.last_lines(&name, LINES).await?;
        let said = lines.iter().rev().find(|line| line.contains(" # "));
        let exit = state.last_exit.map(|exit| exit.to_string());
        let exit = exit.unwrap_or_else(|| "it was stopped".into());
        Ok(Some(match said {
            Some(line) => format!("its server ended ({exit}): {}", line.trim()),
            None => format!("its server ended ({exit})"),
        }))
    }

    /// A server whose data are gone would begin with none, and nobody would notice.
    fn refuse_lost(&self, order: &AddonOrder) -> Result<(), Failure> {
        let place = self.services.place(&service_name(&order.id));
        if (order.made || place.configuration.exists()) && !place.data.exists() {
            let message = format!(
                "cannot start the Redis of `{}`: its data in `{}` are gone",
                order.id.environment,
                place.data.display()
            );
            return Err(Failure::new(Kind::Conflict, message).hint(
                "put the folder back; to begin with no data, make an empty folder there, with the owner of the one beside it",
            ));
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Addon for RedisAddon {
    fn kind(&self) -> AddonKind {
        AddonKind::Redis
    }

    fn needs_port(&self) -> bool {
        true
    }

    async fn ensure(&self, order: &AddonOrder) -> Result<(), Failure> {
        self.refuse_lost(order)?;
        let name = service_name(&order.id);
        let service = configuration::service(order, name, &*self.services, &self.system_path)?;
        self.services.ensure(&service).await?;
        let mut connected = self.wait_until_ready(order).await?;
        users::bring_about(&mut connected, order)
            .await
            .map_err(|why| down(order, &why.to_string()))?;
        Connected::as_project(order)
            .await
            .map_err(|why| down(order, &why.to_string()))?;
        self.rest.accept(order).await
    }

    async fn observe(&self, order: &AddonOrder) -> Result<AddonState, Failure> {
        let name = service_name(&order.id);
        let state = self.services.observe(&name).await?;
        let memory = state.and_then(|state| state.memory);
        let version = match Connected::as_operator(order).await {
            Ok(mut connected) => connected.version().await.ok(),
            Err(_) => None,
        };
        let health = match Connected::as_project(order).await {
            Ok(_) => AddonHealth::Ready,
            Err(NoConnection::Starting) => AddonHealth::Starting,
            Err(NoConnection::Refused(why)) => AddonHealth::Down(why),
            Err(NoConnection::Silent(why)) => {
                AddonHealth::Down(self.why_it_ended(order).await?.unwrap_or(why))
            }
        };
        Ok(AddonState {
            health,
            memory,
            version,
            warnings: Vec::new(),
        })
    }

    async fn remove(&self, id: &AddonId) -> Result<(), Failure> {
        self.rest.forget(id).await?;
        self.services.remove(&service_name(id)).await
    }

    fn variable_names(&self) -> Vec<VariableName> {
        all_names()
    }

    fn variables(&self, order: &AddonOrder) -> Variables {
        let Some((user, secret)) = users::newest(order) else {
            return Variables::new();
        };
        let port = order.port.unwrap_or_default();
        let url = format!("redis://{user}:{}@127.0.0.1:{port}/0", secret.reveal());
        let mut variables = Variables::new();
        let mut tell = |names: &[&str], value: Secret| {
            let names = names.iter().filter_map(|name| variable(name));
            variables.extend(names.map(|name| (name, value.clone())));
        };
        tell(&VARIABLES, Secret::new(url));
        if let Some(address) = self.rest.address() {
            tell(&REST_URLS, Secret::new(format!("http://{address}")));
            tell(&REST_TOKENS, derived::standard_token(secret));
            tell(&READ_ONLY_TOKENS, derived::read_only_token(secret));
        }
        variables
    }

    fn ports(&self, order: &AddonOrder) -> BTreeMap<u16, PortUse> {
        let gateway = PortUser::Service(rest::name());
        let project = order.id.environment.project.clone();
        let own = PortUse {
            answers: PortUser::Service(service_name(&order.id)),
            callers: Callers::These([PortUser::Project(project), gateway.clone()].into()),
        };
        // Who may what there is a matter of tokens.
        let all = PortUse {
            answers: gateway,
            callers: Callers::Everybody,
        };
        let gateway = self.rest.address().map(|address| (address.port(), all));
        order
            .port
            .map(|port| (port, own))
            .into_iter()
            .chain(gateway)
            .collect()
    }

    fn console(&self, order: &AddonOrder, arguments: &[String]) -> Option<Console> {
        let (user, secret) = users::newest(order)?;
        let port = order.port?.to_string();
        let mut words = ["redis-cli", "-h", "127.0.0.1", "-p", &port, "--user", &user]
            .map(str::to_owned)
            .to_vec();
        words.extend_from_slice(arguments);
        let password = variable("REDISCLI_AUTH")?;
        Some(Console {
            arguments: words,
            variables: [(password, secret.clone())].into(),
        })
    }
}

/// What programs are told under.
fn all_names() -> Vec<VariableName> {
    [&VARIABLES[..], &REST_URLS, &REST_TOKENS, &READ_ONLY_TOKENS]
        .concat()
        .into_iter()
        .filter_map(variable)
        .collect()
}

fn variable(name: &str) -> Option<VariableName> {
    VariableName::parse(name).ok()
}

fn service_name(id: &AddonId) -> ServiceName {
    ServiceName {
        environment: Some(id.environment.clone()),
        role: ServiceRole::Redis,
    }
}

fn down(order: &AddonOrder, why: &str) -> Failure {
    Failure::new(
        Kind::Unavailable,
        format!("cannot use the Redis of `{}`: {why}", order.id.environment),
    )
    .hint(format!(
        "see how it is with `hostkit addon list {}`",
        order.id.environment.project
    ))
}
