//! Settings of a storage server: a JSON file that only its owner may read, because it has the secret keys. Whoever runs
//! the server writes it ([`Settings::text`]); the server reads it at its start and again when it is told to (`SIGHUP`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::names::BucketName;
use crate::secret_file;

/// What a storage server is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where its index and its files lie. It exists, belongs to the server's account, and to nobody else.
    pub folder: PathBuf,
    /// Where it listens.
    pub listen: Listen,
    /// The region that it answers when asked. A client may sign for any.
    pub region: String,
    /// Host names below which the first label is a bucket (`BUCKET.NAME`), besides `/BUCKET/…` at any name.
    pub hosts: Vec<String>,
    /// What it leaves free on the disk, in bytes, for its index and for others.
    pub reserve: u64,
    /// Pairs of keys. All are valid: to change one, add the new one, and take the old one away later.
    pub keys: Vec<KeyPair>,
    /// The SHA-256, in hexadecimal digits, of the token of whoever runs the server: what is asked at
    /// [`super::STATE`]. None: nobody may.
    pub operator: Option<String>,
    /// Its buckets. One that is not here any more is not reached any more; its objects stay.
    pub buckets: Vec<BucketSettings>,
}

/// Where a server listens: this machine alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A loopback address. Port 0: the kernel chooses.
    Address(SocketAddr),
    /// A socket with a name, 0600.
    Socket(PathBuf),
}

/// A pair of keys: who has it may do everything with the buckets of this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The public half: 3 to 128 letters, digits, `-`, `_`.
    pub access: String,
    /// The secret half, at least 16 bytes.
    pub secret: Secret,
}

/// One bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketSettings {
    /// Its name.
    pub name: BucketName,
    /// Bytes that it may have. None: what the disk has.
    pub quota: Option<u64>,
    /// Objects whose keys begin with one of these are read by anybody. An empty one: all.
    pub public: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    folder: PathBuf,
    listen: String,
    region: String,
    #[serde(default)]
    hosts: Vec<String>,
    reserve: u64,
    keys: Vec<RawKeyPair>,
    #[serde(default)]
    operator: Option<String>,
    buckets: Vec<RawBucket>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKeyPair {
    access: String,
    secret: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBucket {
    name: String,
    #[serde(default)]
    quota: Option<u64>,
    #[serde(default)]
    public: Vec<String>,
}

impl Settings {
    /// Reads a file of settings. One that others may read or write is refused.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        Self::parse(secret_file::read(path)?.reveal()).map_err(|failure| {
            let message = format!("cannot read `{}`: {}", path.display(), failure.message);
            Failure { message, ..failure }
        })
    }

    /// Parses settings and checks the rules between them.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let raw: Raw = serde_json::from_str(text).map_err(|why| {
            // The words of serde have values in them, and one of these may be a key.
            invalid(format!(
                "it is not as expected in line {}, column {}",
                why.line(),
                why.column()
            ))
        })?;
        let settings = Settings {
            folder: raw.folder,
            listen: Listen::parse(&raw.listen)?,
            region: raw.region,
            hosts: raw.hosts,
            reserve: raw.reserve,
            keys: raw
                .keys
                .into_iter()
                .map(KeyPair::of_raw)
                .collect::<Result<_, _>>()?,
            operator: raw.operator,
            buckets: raw
                .buckets
                .into_iter()
                .map(BucketSettings::of_raw)
                .collect::<Result<_, _>>()?,
        };
        settings.check()?;
        Ok(settings)
    }

    /// The text of a file of settings. It has the secret keys.
    pub fn text(&self) -> String {
        let raw = Raw {
            folder: self.folder.clone(),
            listen: self.listen.text(),
            region: self.region.clone(),
            hosts: self.hosts.clone(),
            reserve: self.reserve,
            keys: self.keys.iter().map(KeyPair::to_raw).collect(),
            operator: self.operator.clone(),
            buckets: self.buckets.iter().map(BucketSettings::to_raw).collect(),
        };
        // A value of strings and numbers always has a text.
        serde_json::to_string_pretty(&raw).unwrap_or_default()
    }

    /// The SHA-256 of the text, in hexadecimal digits: who wrote settings learns by it that they are in force.
    pub fn digest(&self) -> String {
        sha256(self.text().as_bytes())
    }

    /// Whether a token is that of whoever runs the server.
    pub fn is_operator(&self, token: &str) -> bool {
        self.operator
            .as_ref()
            .is_some_and(|digest| *digest == sha256(token.as_bytes()))
    }

    /// The settings of a bucket.
    pub fn bucket(&self, name: &str) -> Option<&BucketSettings> {
        self.buckets.iter().find(|bucket| bucket.name.as_str() == name)
    }

    fn check(&self) -> Result<(), Failure> {
        if !self.folder.is_absolute() {
            return Err(invalid("`folder` does not begin with `/`"));
        }
        let is_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.region.is_empty() || !self.region.bytes().all(is_label) {
            return Err(invalid(
                "`region` is not one word of lower-case letters, digits and `-`",
            ));
        }
        if let Some(host) = self
            .hosts
            .iter()
            .find(|host| host.is_empty() || !host.bytes().all(|byte| is_label(byte) || byte == b'.'))
        {
            return Err(invalid(format!(
                "`{host}` is not a host name in lower case without a port"
            )));
        }
        let mut keys: Vec<&str> = self.keys.iter().map(|key| key.access.as_str()).collect();
        keys.sort_unstable();
        let mut buckets: Vec<&str> = self.buckets.iter().map(|bucket| bucket.name.as_str()).collect();
        buckets.sort_unstable();
        for names in [keys, buckets] {
            if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(invalid(format!("`{}` is there twice", twice[0])));
            }
        }
        Ok(())
    }
}

/// As hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn invalid(why: impl Into<String>) -> Failure {
    Failure::new(Kind::Invalid, why.into())
}

impl Listen {
    fn parse(text: &str) -> Result<Self, Failure> {
        if text.starts_with('/') {
            return Ok(Listen::Socket(text.into()));
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Listen::Address(address)),
            _ => Err(invalid(format!(
                "`listen` is neither a loopback address and a port nor a path: `{text}`"
            ))),
        }
    }

    fn text(&self) -> String {
        match self {
            Listen::Address(address) => address.to_string(),
            Listen::Socket(path) => path.display().to_string(),
        }
    }
}

impl KeyPair {
    fn of_raw(raw: RawKeyPair) -> Result<Self, Failure> {
        let secret = Secret::new(raw.secret);
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !(3..=128).contains(&raw.access.len()) || !raw.access.bytes().all(is_word) {
            return Err(invalid(
                "an access key is not 3 to 128 letters, digits, `-` and `_`",
            ));
        }
        if secret.reveal().len() < 16 {
            return Err(invalid(format!(
                "the secret of `{}` is shorter than 16 bytes",
                raw.access
            )));
        }
        Ok(KeyPair {
            access: raw.access,
            secret,
        })
    }

    fn to_raw(&self) -> RawKeyPair {
        RawKeyPair {
            access: self.access.clone(),
            secret: self.secret.reveal().to_owned(),
        }
    }
}

impl BucketSettings {
    fn of_raw(raw: RawBucket) -> Result<Self, Failure> {
        Ok(BucketSettings {
            name: BucketName::parse(&raw.name)
                .ok_or_else(|| invalid(format!("`{}` is not a name for a bucket", raw.name)))?,
            quota: raw.quota,
            public: raw.public,
        })
    }

    fn to_raw(&self) -> RawBucket {
        RawBucket {
            name: self.name.as_str().to_owned(),
            quota: self.quota,
            public: self.public.clone(),
        }
    }

    /// Whether anybody may read an object.
    pub fn is_public(&self, key: &str) -> bool {
        self.public.iter().any(|prefix| key.starts_with(prefix.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a-secret-of-the-tests-0123456789";

    fn some() -> Settings {
        Settings {
            folder: "/var/lib/shop".into(),
            listen: Listen::Address("127.0.0.1:9000".parse().unwrap()),
            region: "local".to_owned(),
            hosts: vec!["s3.localhost".to_owned()],
            reserve: 1 << 26,
            keys: vec![KeyPair {
                access: "SHOP1".to_owned(),
                secret: Secret::new(SECRET),
            }],
            operator: Some(sha256(b"token")),
            buckets: vec![BucketSettings {
                name: BucketName::parse("shop").unwrap(),
                quota: Some(5),
                public: vec!["public/".to_owned()],
            }],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Settings::parse(&some().text()).unwrap(), some());
        assert!(!format!("{:?}", some()).contains(SECRET));
        assert!(some().is_operator("token") && !some().is_operator("") && !some().is_operator("other"));
        assert!(some().buckets[0].is_public("public/a") && !some().buckets[0].is_public("publi"));
    }

    #[test]
    fn what_could_not_work_is_refused_and_no_secret_is_in_the_words() {
        let good = some().text();
        for (from, to) in [
            ("127.0.0.1:9000", "0.0.0.0:9000"),
            ("127.0.0.1:9000", "nonsense"),
            ("/var/lib/shop", "shop"),
            ("\"name\": \"shop\"", "\"name\": \"../shop\""),
            (SECRET, "short"),
            ("SHOP1", "SHOP/1"),
            ("\"local\"", "\"a b\""),
            ("s3.localhost", "s3.localhost:80"),
            ("\"quota\": 5", "\"quota\": \"a-secret-of-the-tests\""),
            ("\"quota\"", "\"limit\""),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(good, bad, "{from}");
            let why = Settings::parse(&bad).unwrap_err();
            assert!(!why.message.contains("a-secret"), "{}", why.message);
        }
        let mut twice = some();
        twice.keys.push(twice.keys[0].clone());
        assert!(Settings::parse(&twice.text()).is_err());
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), some().text()).unwrap();
        assert_eq!(Settings::load(file.path()).unwrap(), some());
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let why = Settings::load(file.path()).unwrap_err();
        assert!(why.message.contains("others may read"), "{}", why.message);
    }
}
