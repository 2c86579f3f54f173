//! `/etc/hostkit/server.toml`, checked: what the operator says about a server. Every key is optional, and so is the
//! file; what is wrong with it is said all at once, each problem with its place, as for `hostkit.toml`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::Deserialize;
use toml::de::DeTable;

use crate::certificate::AcmeSettings;
use crate::kind::Failure;
use crate::manifest::check::View;
use crate::manifest::keys::{HOST, Key, Shape, Text, keys};
use crate::manifest::problems::Collector;
use crate::manifest::raw;
use crate::manifest::rules::shown;
use crate::names::HostName;
use crate::project::{INSTANCE_PORTS, STABLE_PORTS};
use crate::size::{ByteSize, Processors};

mod tls;

#[cfg(test)]
mod tests;

/// Where the file lies.
pub const FILE: &str = "/etc/hostkit/server.toml";
/// The front door's port where the file names none.
pub const HTTP_PORT: u16 = 80;
/// Where the front door speaks TLS where the file says nothing.
pub const HTTPS_PORT: u16 = 443;
/// The API's port on loopback where the file names none: below those of projects.
pub const API_PORT: u16 = 7700;

/// The most memory an instance may use by itself where the file says nothing: enough for a usual web application.
const INSTANCE_MEMORY: ByteSize = ByteSize::mib(1024);
/// How many processes and threads an instance may have where the file says nothing: enough for a server with a pool of
/// threads, not for a fork bomb.
const INSTANCE_TASKS: u32 = 512;

/// The least that is of use as a cache on disk: a few of the largest answers.
pub const LEAST_CACHE_DISK: ByteSize = ByteSize::mib(64);

/// What one project may have of the front door where the file says nothing: half of its connections.
const PROJECT_REQUESTS: u64 = 10_000;
/// How many of its requests may wait.
const PROJECT_WAITING: u32 = 1000;

/// What is said about a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Environments answer below this name, as `shop.apps.example.com`; `localhost` where none is named.
    pub base_domain: HostName,
    /// The front door's port.
    pub http_port: u16,
    /// The front door's port for TLS.
    pub https_port: u16,
    /// The API's port on loopback.
    pub api_port: u16,
    /// Who is written to about this machine.
    pub admin_mail: Option<MailAddress>,
    /// Ports of other programs that the firewall lets in, next to SSH and the front door.
    pub open_ports: Vec<OpenPort>,
    /// The addresses that names of domains lead to; those of the network interfaces where none is named.
    pub public_addresses: Vec<IpAddr>,
    /// The languages that a setup of the server sees to.
    pub languages: Vec<Language>,
    /// The most memory one instance may use where its project does not say; see [`Self::instance_memory_on`].
    pub instance_memory: Option<ByteSize>,
    /// The most processor time one instance may use where its project does not say; none where nothing is said here.
    pub instance_cpus: Option<Processors>,
    /// The most processes and threads one instance may have.
    pub instance_tasks: u32,
    /// The most requests and WebSockets that may be under way on one instance; as many as a project may have where
    /// nothing is said here.
    pub instance_requests: Option<u64>,
    /// The most requests and WebSockets of one project that may be under way at once.
    pub project_requests: u64,
    /// The most requests of one project that may wait for an instance.
    pub project_waiting: u32,
    /// How much the front door may use.
    pub front_door: FrontDoorSettings,
    /// The authority that certificates are ordered from; none are ordered where none is named.
    pub acme: Option<AcmeSettings>,
}

/// How much the front door may use, and how much it writes down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontDoorSettings {
    /// The most memory that answers take which are kept to be used again.
    pub cache_memory: ByteSize,
    /// The most that such answers take of the disk; none are written where it is zero.
    pub cache_disk: ByteSize,
    /// The most connections of visitors at once.
    pub connections: u32,
    /// Of so many requests that went well one is written into the request log.
    pub log_one_of: NonZeroU32,
}

impl Default for FrontDoorSettings {
    fn default() -> Self {
        FrontDoorSettings {
            cache_memory: ByteSize::mib(64),
            cache_disk: ByteSize(0),
            connections: 20_000,
            log_one_of: NonZeroU32::MIN,
        }
    }
}

impl ServerSettings {
    /// The most memory one instance may use where its project does not say, on a machine with so much. Half of it at
    /// the most, so that one program alone never takes the others with it.
    pub fn instance_memory_on(&self, machine: ByteSize) -> ByteSize {
        let usual = || INSTANCE_MEMORY.min(ByteSize(machine.0 / 2));
        self.instance_memory.unwrap_or_else(usual)
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        ServerSettings {
            base_domain: HostName::parse("localhost")
                .unwrap_or_else(|_| unreachable!("localhost is a host name")),
            http_port: HTTP_PORT,
            https_port: HTTPS_PORT,
            api_port: API_PORT,
            admin_mail: None,
            open_ports: Vec::new(),
            public_addresses: Vec::new(),
            languages: vec![Language::Python],
            instance_memory: None,
            instance_cpus: None,
            instance_tasks: INSTANCE_TASKS,
            instance_requests: None,
            project_requests: PROJECT_REQUESTS,
            project_waiting: PROJECT_WAITING,
            front_door: FrontDoorSettings::default(),
            acme: None,
        }
    }
}

/// Reads the file's text.
pub fn parse(text: &str) -> Result<ServerSettings, Failure> {
    raw::read(text, KEYS, build).map_err(|problems| {
        problems
            .into_failure(FILE)
            .hint(format!("correct `{FILE}` and try again; it explains every key"))
    })
}

const DOMAIN: Text = Text { ..HOST };
const MAIL: Text = Text {
    pattern: None,
    check: |text| MailAddress::from_str(text).map(drop),
};
const ADDRESS: Text = Text {
    pattern: None,
    check: |text| {
        let found: Result<IpAddr, _> = text.parse();
        found.map(drop).map_err(|_| {
            format!(
                "`{}` is not an address such as `203.0.113.7` or `2001:db8::7`",
                shown(text)
            )
        })
    },
};
const OPEN_PORT: Text = Text {
    pattern: Some("^[0-9]{1,5}(/(tcp|udp))?$"),
    check: |text| OpenPort::from_str(text).map(drop),
};

/// The whole file.
const KEYS: &[Key] = keys! {
    "base_domain" Shape::Text(&DOMAIN), = "\"localhost\"", "Projects answer below this name: `shop` at `shop.apps.example.com`.";
    "http_port" Shape::Whole(1, 65535), = "80", "The front door's port.";
    "https_port" Shape::Whole(1, 65535), = "443", "The front door's port for TLS.";
    "api_port" Shape::Whole(1, 65535), = "7700", "The API's port on loopback.";
    "admin_mail" Shape::Text(&MAIL), , "Who is written to about this machine.";
    "open_ports" Shape::List(&Shape::Text(&OPEN_PORT)), , "Ports of other programs that the firewall lets in, next to SSH and the front door.";
    "public_addresses" Shape::List(&Shape::Text(&ADDRESS)), , "The addresses by which the internet reaches this server, for `hostkit domain check`: those of its network interfaces.";
    "languages" Shape::List(&Shape::OneOf(LANGUAGES)), = "[\"python\"]", "The languages of projects that `hostkit server setup` installs what they need for.";
    "instance_memory" Shape::Size(16 << 20), , "The most memory one instance may use where its hostkit.toml does not say: 1 GB, and no more than half of what the machine has.";
    "instance_cpus" Shape::Processors, , "The most processor time one instance may use where its hostkit.toml does not say, as a number of processors: no limit.";
    "instance_tasks" Shape::Whole(16, 65536), = "512", "The most processes and threads one instance may have.";
    "instance_requests" Shape::Whole(1, 1_000_000), , "The most requests and WebSockets under way on one instance; more wait: `project_requests`.";
    "project_requests" Shape::Whole(1, 1_000_000), = "10000", "The most requests and WebSockets of one project under way at once; more are answered 503.";
    "project_waiting" Shape::Whole(0, 1_000_000), = "1000", "The most requests of one project that wait for an instance, or for room on one; more are answered 503.";
    "cache_memory" Shape::Size(1 << 20), = "\"64MB\"", "The most memory that the front door keeps answers in, of all projects together.";
    "cache_disk" Shape::Size(0), = "\"0\"", "The most disk that the front door keeps answers on, of all projects together: those that its memory has no room for, and all after a start of it. At least 64 MB, or `\"0\"` for none.";
    "connections" Shape::Whole(100, 1_000_000), = "20000", "The most connections of visitors at once; more are closed at once.";
    "request_log_one_of" Shape::Whole(1, 1_000_000), = "1", "Of so many requests that went well one is written into the request log; errors and slow ones always are.";
    "tls" Shape::Table(tls::KEYS), , "Where certificates come from.";
};

fn build(root: &DeTable<'_>, problems: &mut Collector<'_>) -> ServerSettings {
    let root = View(Some(root));
    let defaults = ServerSettings::default();
    let base_domain = root.parsed("base_domain").unwrap_or(defaults.base_domain);
    let settings = ServerSettings {
        acme: tls::build(root.table("tls"), &base_domain, problems),
        base_domain,
        http_port: root.whole("http_port").unwrap_or(defaults.http_port),
        https_port: root.whole("https_port").unwrap_or(defaults.https_port),
        api_port: root.whole("api_port").unwrap_or(defaults.api_port),
        admin_mail: root.parsed("admin_mail"),
        open_ports: Vec::new(),
        public_addresses: addresses(&root, problems),
        languages: match root.has("languages") {
            true => root
                .list("languages")
                .into_iter()
                .map(|(_, language)| language)
                .collect(),
            false => defaults.languages,
        },
        instance_memory: root.size("instance_memory"),
        instance_cpus: root.processors("instance_cpus"),
        instance_tasks: root.whole("instance_tasks").unwrap_or(defaults.instance_tasks),
        instance_requests: root.whole("instance_requests"),
        project_requests: root
            .whole("project_requests")
            .unwrap_or(defaults.project_requests),
        project_waiting: root.whole("project_waiting").unwrap_or(defaults.project_waiting),
        front_door: front_door(&root, problems),
    };
    let ports = [
        ("http_port", settings.http_port),
        ("https_port", settings.https_port),
        ("api_port", settings.api_port),
    ];
    for (key, port) in ports {
        let range = [STABLE_PORTS, INSTANCE_PORTS]
            .into_iter()
            .find(|range| range.contains(&port));
        if let Some(range) = range {
            let (first, last) = (range.start(), range.end());
            let message = format!("`{key}` cannot be {port}: {first} to {last} are for projects");
            problems.add(root.place(key), key, message, None);
        }
    }
    if settings.http_port == settings.api_port {
        let key = match root.whole::<u16>("api_port") {
            Some(_) => "api_port",
            None => "http_port",
        };
        let message = format!("front door and API cannot both have port {}", settings.api_port);
        problems.add(root.place(key), key, message, None);
    }
    let taken = [("http_port", settings.http_port), ("api_port", settings.api_port)];
    if let Some((other, port)) = taken.into_iter().find(|(_, port)| *port == settings.https_port) {
        let key = match root.whole::<u16>("https_port") {
            Some(_) => "https_port",
            None => other,
        };
        let message = format!("`https_port` and `{other}` cannot both be {port}");
        problems.add(root.place(key), key, message, None);
    }
    let mut seen = BTreeSet::new();
    let mut open_ports = Vec::new();
    for (place, port) in root.list::<OpenPort>("open_ports") {
        if seen.insert(port) {
            open_ports.push(port);
        } else {
            problems.add(
                place,
                "open_ports",
                format!("`open_ports` names {port} twice"),
                None,
            );
        }
    }
    ServerSettings {
        open_ports,
        ..settings
    }
}

fn front_door(root: &View<'_>, problems: &mut Collector<'_>) -> FrontDoorSettings {
    let defaults = FrontDoorSettings::default();
    let cache_disk = root.size("cache_disk").unwrap_or(defaults.cache_disk);
    if cache_disk.0 > 0 && cache_disk < LEAST_CACHE_DISK {
        let message = format!(
            "`cache_disk` cannot be {cache_disk}: it is at least {LEAST_CACHE_DISK}, or \"0\" for none"
        );
        problems.add(root.place("cache_disk"), "cache_disk", message, None);
    }
    let one_of = root.whole("request_log_one_of").and_then(NonZeroU32::new);
    FrontDoorSettings {
        cache_memory: root.size("cache_memory").unwrap_or(defaults.cache_memory),
        cache_disk,
        connections: root.whole("connections").unwrap_or(defaults.connections),
        log_one_of: one_of.unwrap_or(defaults.log_one_of),
    }
}

/// The addresses, each once.
fn addresses(root: &View<'_>, problems: &mut Collector<'_>) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for (place, address) in root.list::<IpAddr>("public_addresses") {
        if addresses.contains(&address) {
            let message = format!("`public_addresses` names {address} twice");
            problems.add(place, "public_addresses", message, None);
        } else {
            addresses.push(address);
        }
    }
    addresses
}

/// A port that the firewall lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpenPort {
    /// Its number.
    pub port: u16,
    /// Of which protocol.
    pub protocol: Protocol,
}

/// What a port is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP
    Tcp,
    /// UDP
    Udp,
}

impl FromStr for OpenPort {
    type Err = String;

    /// `8443`, `8443/tcp`, `51820/udp`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (number, protocol) = match text.split_once('/') {
            None => (text, Some(Protocol::Tcp)),
            Some((number, "tcp")) => (number, Some(Protocol::Tcp)),
            Some((number, "udp")) => (number, Some(Protocol::Udp)),
            Some((number, _)) => (number, None),
        };
        // `parse` would take a plus sign.
        let digits = number.bytes().all(|b| b.is_ascii_digit());
        let port = number.parse().ok().filter(|port| digits && *port != 0);
        port.zip(protocol)
            .map(|(port, protocol)| OpenPort { port, protocol })
            .ok_or_else(|| {
                format!(
                    "`{}` is not a port such as `8443`, `8443/tcp` or `51820/udp`",
                    shown(text)
                )
            })
    }
}

impl std::fmt::Display for OpenPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(f, "{}/{protocol}", self.port)
    }
}

/// A language whose projects are built and run by what is installed on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// Node.js and npm
    Node,
    /// Python and its virtual environments
    Python,
}

/// As they are written.
const LANGUAGES: &[&str] = &["node", "python"];

impl Language {
    /// Every one.
    pub const ALL: [Language; 2] = [Language::Node, Language::Python];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Language::Node => "node",
            Language::Python => "python",
        }
    }
}

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Language::ALL
            .into_iter()
            .find(|language| language.as_str() == text);
        found.ok_or_else(|| format!("`{}` is not one of {}", shown(text), LANGUAGES.join(", ")))
    }
}

/// An address mail can be sent to: one that fits unquoted into any file and on any command line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct MailAddress(String);

impl MailAddress {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MailAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for MailAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        let fits = text.len() <= 254
            && text.split_once('@').is_some_and(|(local, host)| {
                (1..=64).contains(&local.len())
                    && local.chars().all(is_plain)
                    && local.starts_with(|c: char| c.is_ascii_alphanumeric())
                    && HostName::parse(&host.to_ascii_lowercase()).is_ok()
            });
        match fits {
            true => Ok(MailAddress(text.to_owned())),
            false => Err(format!(
                "`{}` is not a mail address such as `ops@example.com`",
                shown(text)
            )),
        }
    }
}
