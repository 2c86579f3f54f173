//! A Redis that somebody else keeps, by its address: `redis://` or `rediss://`, Upstash's REST protocol, or both. What
//! programs are told is what was given; nothing is made there.

mod address;
mod ask;

use hostkit_core::addon::{AddonKind, AddonOrder, Console};
use hostkit_core::kind::Failure;
use hostkit_core::names::VariableName;
use hostkit_core::reach::{Reach, is_this_machine};
use hostkit_core::secret::Secret;
use hostkit_core::variables::Variables;

use super::{READ_ONLY_TOKENS, REST_TOKENS, REST_URLS, VARIABLES, all_names, variable};
use crate::outside::{Elsewhere, Found};
use crate::proof::Proof;
use address::Given;

/// What Celery wants to be told of encrypted connections, where nothing is said of it.
const VERIFIED: &str = "ssl_cert_reqs=required";

/// Uses servers that somebody else keeps.
pub struct OutsideRedis {
    reach: Reach,
}

impl OutsideRedis {
    /// Goes as far as `reach`.
    pub fn new(reach: Reach) -> Self {
        OutsideRedis { reach }
    }
}

#[async_trait::async_trait]
impl Elsewhere for OutsideRedis {
    fn kind(&self) -> AddonKind {
        AddonKind::Redis
    }

    async fn look(&self, order: &AddonOrder) -> Result<Found, Failure> {
        let given = Given::of(order, self.reach)?;
        let version = match &given.server {
            Some(server) => ask::server(server, self.reach).await?,
            None => None,
        };
        if let Some(rest) = &given.rest {
            ask::rest(rest, self.reach).await?;
        }
        let mut warnings = Vec::new();
        let listens = given.server.iter().map(|server| &server.listens);
        let mut all = listens.chain(given.rest.iter().map(|rest| &rest.listens));
        if all.any(|listens| listens.proof == Proof::None && !is_this_machine(&listens.host)) {
            warnings.push("nothing is encrypted on the way to it".to_owned());
        }
        Ok(Found { version, warnings })
    }

    fn variable_names(&self) -> Vec<VariableName> {
        all_names()
    }

    fn variables(&self, order: &AddonOrder) -> Variables {
        let mut variables = Variables::new();
        let Ok(given) = Given::of(order, self.reach) else {
            return variables;
        };
        let mut tell = |names: &[&str], value: &Secret| {
            let names = names.iter().filter_map(|name| variable(name));
            variables.extend(names.map(|name| (name, value.clone())));
        };
        if let Some(server) = &given.server {
            tell(&VARIABLES[..1], &server.url);
            tell(&VARIABLES[1..], &for_celery(&server.url));
        }
        if let Some(rest) = &given.rest {
            tell(&REST_URLS, &rest.url);
            tell(&REST_TOKENS, &rest.token);
            if let Some(token) = &rest.read_only {
                tell(&READ_ONLY_TOKENS, token);
            }
        }
        variables
    }

    fn passwords(&self, order: &AddonOrder) -> Vec<Secret> {
        let Ok(given) = Given::of(order, self.reach) else {
            return Vec::new();
        };
        let server = given
            .server
            .into_iter()
            .flat_map(|server| [server.password, server.written]);
        let rest = given
            .rest
            .into_iter()
            .flat_map(|rest| [Some(rest.token), rest.read_only]);
        server.chain(rest).flatten().collect()
    }

    fn console(&self, order: &AddonOrder, arguments: &[String]) -> Option<Console> {
        let server = Given::of(order, self.reach).ok()?.server?;
        let mut words = vec!["redis-cli".to_owned()];
        let mut add = |name: &str, value: String| words.extend([name.to_owned(), value]);
        add("-h", server.listens.host.clone());
        add("-p", server.listens.port.to_string());
        add("-n", server.database.to_string());
        if let Some(user) = server.user {
            add("--user", user);
        }
        match &server.listens.proof {
            Proof::None => {}
            Proof::System => add("--sni", server.listens.host.clone()),
            Proof::Authority(file) => add("--cacert", file.display().to_string()),
        }
        if server.listens.proof != Proof::None {
            words.push("--tls".to_owned());
        }
        words.extend_from_slice(arguments);
        let password = server.password.into_iter();
        Some(Console {
            arguments: words,
            variables: password
                .filter_map(|password| Some((variable("REDISCLI_AUTH")?, password)))
                .collect(),
        })
    }
}

/// Celery refuses an encrypted address that does not say whether the other side has to prove who it is.
fn for_celery(url: &Secret) -> Secret {
    let text = url.reveal();
    if !text.starts_with("rediss://") || text.contains("ssl_cert_reqs=") {
        return url.clone();
    }
    let before = if text.contains('?') { '&' } else { '?' };
    Secret::new(format!("{text}{before}{VERIFIED}"))
}
