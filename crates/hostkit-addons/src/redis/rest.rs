//! The gateway that speaks Upstash's REST protocol: one service for the Redis servers of all projects. Its settings are the
//! only place that knows all of them: each add-on puts its own tokens in, and takes them out when it goes.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hostkit_core::addon::{AddonId, AddonOrder, Credential};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::StopRule;
use hostkit_core::project::{ADDON_PORTS, addon_ports_from};
use hostkit_core::secret::Secret;
use hostkit_core::services::{Service, ServiceName, ServiceRole, WhenChanged};
use hostkit_core::size::{ByteSize, Span};
use hostkit_core::traits::Services;
use hostkit_core::variables::Variables;
use hostkit_host::roles::SelfProgram;
use http_body_util::Empty;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::configuration::file;
use super::{derived, users};
use crate::redis_rest::{Access, Settings, token_hash};

/// What it reads.
const SETTINGS: &str = "settings.json";
/// The version that wrote its files: another one starts it anew.
const VERSION: &str = "version";
/// Requests of at most 10 MB, some of them at once.
const MEMORY: ByteSize = ByteSize::mib(512);
/// It gives what is under way five seconds itself.
const GRACE: Span = Span::secs(10);
/// How long it may take until it accepts a token that it was just told of.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one question whether it does may take.
const ANSWER: Duration = Duration::from_secs(5);
/// So many of its last lines explain why it does not.
const LINES: usize = 8;
/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(20);

/// The gateway, as the add-on sees it.
pub(super) struct RestGateway {
    services: Arc<dyn Services>,
    /// Whether it may have a port.
    port_is_free: fn(u16) -> bool,
    /// Held from reading its settings to their being in force: two add-ons that change never undo each other.
    turn: Mutex<()>,
}

impl RestGateway {
    pub(super) fn new(services: Arc<dyn Services>, port_is_free: fn(u16) -> bool) -> Self {
        RestGateway {
            services,
            port_is_free,
            turn: Mutex::default(),
        }
    }

    /// Where it is, once it was there.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.settings().map(|settings| settings.listen)
    }

    /// Has it accept the tokens of all credentials of an add-on, and no others of it. Returns when it does.
    pub(super) async fn accept(&self, order: &AddonOrder) -> Result<(), Failure> {
        let _turn = self.turn.lock().await;
        let mut settings = match self.settings() {
            Some(settings) => settings,
            None => Settings {
                listen: self.free_address()?,
                accesses: Vec::new(),
            },
        };
        let owner = owner(&order.id);
        settings.accesses.retain(|access| access.owner != owner);
        let port = order.port.unwrap_or_default();
        let accesses = order
            .credentials
            .iter()
            .flat_map(|one| accesses(order, one, port));
        settings.accesses.extend(accesses);
        // In one order, whoever comes first: settings that say the same are the same file.
        settings
            .accesses
            .sort_by(|one, other| one.token.cmp(&other.token));
        self.services.ensure(&self.service(&settings)?).await?;
        let newest = order.credentials.first();
        match newest.map(|credential| derived::standard_token(&credential.secret)) {
            Some(token) => self.wait(settings.listen, &token).await,
            None => Ok(()),
        }
    }

    /// Has it forget an add-on. With the last one, it goes.
    pub(super) async fn forget(&self, id: &AddonId) -> Result<(), Failure> {
        let _turn = self.turn.lock().await;
        let Some(mut settings) = self.settings() else {
            // Also one that runs by settings that cannot be read any more: it may know the add-on.
            return self.services.remove(&name()).await;
        };
        let (before, owner) = (settings.accesses.len(), owner(id));
        settings.accesses.retain(|access| access.owner != owner);
        if settings.accesses.is_empty() {
            return self.services.remove(&name()).await;
        }
        if settings.accesses.len() < before {
            self.services.ensure(&self.service(&settings)?).await?;
        }
        Ok(())
    }

    /// Waits until it answers with a token: it may be starting, or still reading its settings.
    async fn wait(&self, address: SocketAddr, token: &Secret) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let why = match timeout(ANSWER, ask(address, token)).await {
                Ok(Ok(StatusCode::OK)) => return Ok(()),
                Ok(Ok(status)) => format!("it answers {status}"),
                Ok(Err(why)) => why.to_string(),
                Err(_) => "it does not answer in time".to_owned(),
            };
            if Instant::now() > deadline {
                let lines = self.services.last_lines(&name(), LINES).await;
                let message = format!("cannot use Redis over REST: {why}");
                return Err(Failure::new(Kind::Unavailable, message).details(lines.unwrap_or_default()));
            }
            sleep(PAUSE).await;
        }
    }

    fn free_address(&self) -> Result<SocketAddr, Failure> {
        let mut chance = [0; 2];
        // Without it the first that is free is as good.
        let _ = getrandom::fill(&mut chance);
        let mut ports = addon_ports_from(u16::from_ne_bytes(chance));
        let port = ports.find(|port| (self.port_is_free)(*port));
        let port = port.ok_or_else(|| {
            let range = format!("{} to {}", ADDON_PORTS.start(), ADDON_PORTS.end());
            Failure::new(
                Kind::Unavailable,
                format!("cannot start the gateway to Redis: no port from {range} is free"),
            )
        })?;
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// What it is told now. Settings of another version are none: each add-on puts its own in again.
    fn settings(&self) -> Option<Settings> {
        let path = self.services.place(&name()).configuration.join(SETTINGS);
        if !path.exists() {
            return None;
        }
        let read = Settings::load(&path);
        read.inspect_err(|why| tracing::warn!(%why, "the gateway begins anew"))
            .ok()
    }

    fn service(&self, settings: &Settings) -> Result<Service, Failure> {
        let place = self.services.place(&name());
        let cannot = |why: serde_json::Error| {
            Failure::new(
                Kind::Internal,
                format!("cannot write the settings of the gateway: {why}"),
            )
        };
        let text = serde_json::to_string_pretty(settings).map_err(cannot)?;
        let program = SelfProgram::current();
        Ok(Service {
            name: name(),
            arguments: vec![
                program.path().to_string_lossy().into_owned(),
                "redis-rest".to_owned(),
                place.configuration.join(SETTINGS).to_string_lossy().into_owned(),
            ],
            variables: Variables::new(),
            files: vec![
                file(SETTINGS, text, WhenChanged::Reload)?,
                file(
                    VERSION,
                    env!("CARGO_PKG_VERSION").to_owned(),
                    WhenChanged::Restart,
                )?,
            ],
            stop: StopRule {
                grace: GRACE,
                ..StopRule::default()
            },
            memory: Some(MEMORY),
            never_root: false,
        })
    }
}

/// The name of the gateway.
pub(super) fn name() -> ServiceName {
    ServiceName {
        environment: None,
        role: ServiceRole::RedisRest,
    }
}

fn owner(id: &AddonId) -> String {
    id.environment.to_string()
}

fn accesses(order: &AddonOrder, credential: &Credential, port: u16) -> [Access; 2] {
    let access = |token: Secret, user: String, password: &Secret| Access {
        owner: owner(&order.id),
        token: token_hash(token.reveal()),
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        user,
        password: password.reveal().to_owned(),
    };
    let secret = &credential.secret;
    [
        access(
            derived::standard_token(secret),
            users::name(order, credential),
            secret,
        ),
        access(
            derived::read_only_token(secret),
            users::reader_name(order, credential),
            &derived::reader_password(secret),
        ),
    ]
}

async fn ask(
    address: SocketAddr,
    token: &Secret,
) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    // Ends with the sender.
    tokio::spawn(connection);
    let request = Request::get("/ping")
        .header("host", "localhost")
        .header("authorization", format!("Bearer {}", token.reveal()))
        .body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?.status())
}
