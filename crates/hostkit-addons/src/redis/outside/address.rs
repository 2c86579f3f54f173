//! Addresses of Redis servers elsewhere.

use hostkit_core::addon::AddonOrder;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::reach::Reach;
use hostkit_core::secret::Secret;
use url::Url;

use crate::given;
use crate::outside;
use crate::proof::Proof;
use crate::stream::Listens;

/// Under which names those who keep servers give their addresses.
const URLS: [&str; 3] = ["REDIS_URL", "UPSTASH_REDIS_URL", "KV_URL"];
const REST_URLS: [&str; 2] = ["UPSTASH_REDIS_REST_URL", "KV_REST_API_URL"];
const TOKENS: [&str; 2] = ["UPSTASH_REDIS_REST_TOKEN", "KV_REST_API_TOKEN"];
const READ_ONLY: [&str; 2] = [
    "UPSTASH_REDIS_REST_READ_ONLY_TOKEN",
    "KV_REST_API_READ_ONLY_TOKEN",
];

/// What was given: at least one of both.
#[derive(Debug)]
pub(super) struct Given {
    /// Redis itself.
    pub(super) server: Option<Server>,
    /// Upstash's REST protocol.
    pub(super) rest: Option<Rest>,
}

/// A server, by its URL.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) url: Secret,
    pub(super) listens: Listens,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    /// The password as it stands in the URL.
    pub(super) written: Option<Secret>,
    pub(super) database: u32,
}

/// A place where Upstash's REST protocol is spoken.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) url: Secret,
    pub(super) listens: Listens,
    pub(super) token: Secret,
    pub(super) read_only: Option<Secret>,
}

impl Given {
    pub(super) fn of(order: &AddonOrder, reach: Reach) -> Result<Self, Failure> {
        Given::parse(outside::address(order)?, reach)
    }

    fn parse(text: &Secret, reach: Reach) -> Result<Self, Failure> {
        let given = given::Given::parse(text)?;
        let url = match &given {
            given::Given::Url(url) => Some(url),
            lines => lines.value(&URLS),
        };
        let rest = match (given.value(&REST_URLS), given.value(&TOKENS)) {
            (None, None) => None,
            (Some(url), Some(token)) => Some(Rest::parse(url, token, given.value(&READ_ONLY))?),
            _ => {
                return Err(refused(
                    "an address for REST and its token go together, and one of them is missing",
                ));
            }
        };
        let server = url.map(|url| Server::parse(url, reach)).transpose()?;
        match server.is_none() && rest.is_none() {
            true => Err(refused(
                "none of its lines is `REDIS_URL=…` or `UPSTASH_REDIS_REST_URL=…`",
            )),
            false => Ok(Given { server, rest }),
        }
    }
}

impl Server {
    fn parse(url: &Secret, reach: Reach) -> Result<Self, Failure> {
        let parsed = Url::parse(url.reveal()).map_err(|_| refused("it is not a URL"))?;
        let is_encrypted = match parsed.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(refused("it does not begin with `redis://` or `rediss://`")),
        };
        let authority = parsed.query_pairs().find(|(name, _)| name == "ssl_ca_certs");
        let proof = match (is_encrypted, authority) {
            (false, _) => Proof::None,
            (true, None) => Proof::System,
            (true, Some(_)) if reach != Reach::All => {
                return Err(refused("on a server, `ssl_ca_certs` is not read").hint(
                    "have the machine trust the authority: its certificate into /usr/local/share/ca-certificates, then `update-ca-certificates`",
                ));
            }
            (true, Some((_, file))) => Proof::Authority(file.into_owned().into()),
        };
        let path = parsed.path().trim_matches('/');
        let database = match path {
            "" => 0,
            number => number
                .parse()
                .map_err(|_| refused("behind the host it names no number of a database"))?,
        };
        let user = plain(parsed.username())?;
        let written = parsed.password().map(Secret::new);
        Ok(Server {
            url: url.clone(),
            listens: listens(&parsed, 6379, proof)?,
            user: Some(user).filter(|user| !user.is_empty()),
            password: parsed.password().map(plain).transpose()?.map(Secret::new),
            written,
            database,
        })
    }
}

impl Rest {
    fn parse(url: &Secret, token: &Secret, read_only: Option<&Secret>) -> Result<Self, Failure> {
        let parsed = Url::parse(url.reveal()).map_err(|_| refused("the address for REST is not a URL"))?;
        let (port, proof) = match parsed.scheme() {
            "https" => (443, Proof::System),
            "http" => (80, Proof::None),
            _ => return Err(refused("the address for REST does not begin with `https://`")),
        };
        if !parsed.username().is_empty() || parsed.path() != "/" || parsed.query().is_some() {
            return Err(refused("the address for REST is more than `https://HOST`"));
        }
        let is_token = |token: &Secret| token.reveal().bytes().all(|byte| byte.is_ascii_graphic());
        if !is_token(token) || !read_only.is_none_or(is_token) {
            return Err(refused("a token has other characters than a header takes"));
        }
        Ok(Rest {
            url: url.clone(),
            listens: listens(&parsed, port, proof)?,
            token: token.clone(),
            read_only: read_only.cloned(),
        })
    }
}

fn listens(url: &Url, port: u16, proof: Proof) -> Result<Listens, Failure> {
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| refused("it names no host"))?;
    Ok(Listens {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(port),
        proof,
    })
}

fn plain(text: &str) -> Result<String, Failure> {
    outside::plain(text).map_err(refused)
}

/// Never with the text: there are passwords in it.
fn refused(why: &str) -> Failure {
    Failure::new(
        Kind::Invalid,
        format!("cannot use this address of a Redis: {why}"),
    )
    .hint("write it as rediss://USER:PASSWORD@HOST:PORT, or as the lines that Upstash shows")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, reach: Reach) -> Result<Given, Failure> {
        Given::parse(&Secret::new(text), reach)
    }

    #[test]
    fn addresses_are_read() {
        let given = parsed(
            "rediss://default:p%2Fw@eu1.example.com:6380/2",
            Reach::OtherMachines,
        )
        .unwrap();
        let server = given.server.unwrap();
        assert_eq!((server.user.as_deref(), server.database), (Some("default"), 2));
        assert_eq!(server.password.unwrap().reveal(), "p/w");
        assert_eq!((server.listens.port, server.listens.proof), (6380, Proof::System));
        let both = "REDIS_URL=redis://h\nUPSTASH_REDIS_REST_URL=\"https://u.example.com\"\nUPSTASH_REDIS_REST_TOKEN=AX==\n";
        let given = parsed(both, Reach::All).unwrap();
        assert_eq!(given.server.unwrap().listens.port, 6379);
        let rest = given.rest.unwrap();
        assert_eq!((rest.listens.port, rest.token.reveal()), (443, "AX=="));
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_said_again() {
        for bad in [
            "secret",
            "http://secret@h",
            "redis://:secret@h/db",
            "redis:///0?secret",
            "rediss://:secret%ff@h",
            "rediss://:secret@h?ssl_ca_certs=/etc/shadow",
            "OTHER=secret",
            "UPSTASH_REDIS_REST_TOKEN=secret",
            "UPSTASH_REDIS_REST_URL=https://h/secret\nUPSTASH_REDIS_REST_TOKEN=secret",
            "UPSTASH_REDIS_REST_URL=https://h\nUPSTASH_REDIS_REST_TOKEN=sec ret",
        ] {
            let failure = parsed(bad, Reach::OtherMachines).unwrap_err();
            assert_eq!(failure.kind, Kind::Invalid, "{bad}");
            assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
        }
    }
}
