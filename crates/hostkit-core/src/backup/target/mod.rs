//! Where backups are kept, as somebody sets it up: a folder, or a bucket of any storage that speaks S3.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::kind::{Failure, Kind};
use crate::names::{BackupPath, HostName};
use crate::secret::Secret;
use crate::storage::keys::{is_access_key_id, is_region, is_secret_access_key};

/// Where backups are kept. `Debug` shows no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetSettings {
    /// A folder of this machine, which may be another disk that is mounted there. Its path is absolute.
    Folder(PathBuf),
    /// A bucket.
    S3(S3Settings),
}

/// A bucket and how it is reached. Every value is checked: build one with [`S3Settings::new`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    endpoint: String,
    bucket: String,
    prefix: Option<BackupPath>,
    region: String,
    access_key_id: String,
    secret_access_key: Secret,
}

/// How the settings are written down: with the secret, for whoever encrypts them.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Written {
    Folder {
        path: PathBuf,
    },
    S3 {
        endpoint: String,
        bucket: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<BackupPath>,
        region: String,
        access_key_id: String,
        secret_access_key: String,
    },
}

impl TargetSettings {
    /// A folder. Refuses a path that is not absolute.
    pub fn folder(path: &Path) -> Result<Self, Failure> {
        if path.is_absolute() {
            return Ok(TargetSettings::Folder(path.to_owned()));
        }
        Err(refused(
            "folder",
            &path.display().to_string(),
            "it is not an absolute path",
            "name it from `/` on, as in `/mnt/backups`",
        ))
    }

    /// Where it is, for people; no secret is in it.
    pub fn place(&self) -> String {
        match self {
            TargetSettings::Folder(path) => path.display().to_string(),
            TargetSettings::S3(s3) => s3.place(),
        }
    }

    /// The settings as text, with the secret: to be encrypted, and given to [`TargetSettings::parse`] again.
    pub fn text(&self) -> Secret {
        Secret::new(serde_json::to_string(&Written::from(self)).unwrap_or_default())
    }

    /// Reads what [`TargetSettings::text`] gave. Checks it again.
    pub fn parse(text: &Secret) -> Result<Self, Failure> {
        // What serde says of a text that it cannot read may quote it, and a secret is in it.
        let unreadable = |_| {
            Failure::new(
                Kind::Invalid,
                "cannot read the settings of the backup target: they are not what was written",
            )
        };
        let written: Written = serde_json::from_str(text.reveal()).map_err(unreadable)?;
        written.try_into()
    }
}

impl From<&TargetSettings> for Written {
    fn from(settings: &TargetSettings) -> Self {
        match settings {
            TargetSettings::Folder(path) => Written::Folder { path: path.clone() },
            TargetSettings::S3(s3) => Written::S3 {
                endpoint: s3.endpoint.clone(),
                bucket: s3.bucket.clone(),
                prefix: s3.prefix.clone(),
                region: s3.region.clone(),
                access_key_id: s3.access_key_id.clone(),
                secret_access_key: s3.secret_access_key.reveal().to_owned(),
            },
        }
    }
}

impl TryFrom<Written> for TargetSettings {
    type Error = Failure;
    fn try_from(written: Written) -> Result<Self, Failure> {
        match written {
            Written::Folder { path } => Self::folder(&path),
            Written::S3 {
                endpoint,
                bucket,
                prefix,
                region,
                access_key_id,
                secret_access_key,
            } => {
                let secret = Secret::new(secret_access_key);
                S3Settings::new(&endpoint, &bucket, prefix, &region, &access_key_id, secret)
                    .map(TargetSettings::S3)
            }
        }
    }
}

impl S3Settings {
    /// Checks each value. An endpoint is `https://HOST[:PORT]`; `http://` is taken for this machine alone, since the
    /// requests of others could be read on the way.
    pub fn new(
        endpoint: &str,
        bucket: &str,
        prefix: Option<BackupPath>,
        region: &str,
        access_key_id: &str,
        secret_access_key: Secret,
    ) -> Result<Self, Failure> {
        let endpoint = check_endpoint(endpoint)?;
        if !is_bucket(bucket) {
            return Err(refused(
                "bucket",
                bucket,
                "it is not a name that S3 takes",
                "use 3 to 63 lowercase letters, digits, hyphens and dots",
            ));
        }
        if !is_region(region) {
            return Err(refused(
                "region",
                region,
                "it is not the name of one",
                "use what the storage calls its region, as in `eu-central-1`; `auto` where it has none",
            ));
        }
        if !is_access_key_id(access_key_id) {
            return Err(refused(
                "access key id",
                access_key_id,
                "it is none",
                "copy it from where the storage lists its keys",
            ));
        }
        if !is_secret_access_key(secret_access_key.reveal()) {
            return Err(Failure::new(
                Kind::Invalid,
                "cannot use the secret access key: it is empty, too long, or has spaces in it",
            )
            .hint("copy it from where the storage showed it"));
        }
        Ok(S3Settings {
            endpoint,
            bucket: bucket.to_owned(),
            prefix,
            region: region.to_owned(),
            access_key_id: access_key_id.to_owned(),
            secret_access_key,
        })
    }

    /// `https://s3.example.com`, without a slash at its end.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What stands before the names of all files, with a slash between.
    pub fn prefix(&self) -> Option<&BackupPath> {
        self.prefix.as_ref()
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The public half of the key pair.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The other half.
    pub fn secret_access_key(&self) -> &Secret {
        &self.secret_access_key
    }

    /// Whether it is spoken to without TLS, which is so on this machine alone.
    pub fn is_plain(&self) -> bool {
        self.endpoint.starts_with("http://")
    }

    /// Where it is, for people: endpoint, bucket and prefix.
    pub fn place(&self) -> String {
        let prefix = self.prefix.as_ref().map(|prefix| format!("/{prefix}"));
        format!("{}/{}{}", self.endpoint, self.bucket, prefix.unwrap_or_default())
    }
}

fn refused(what: &str, value: &str, why: &str, hint: &str) -> Failure {
    let value: String = value
        .chars()
        .take(64)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    Failure::new(
        Kind::Invalid,
        format!("cannot use `{value}` as the {what} of a backup target: {why}"),
    )
    .hint(hint)
}

fn check_endpoint(text: &str) -> Result<String, Failure> {
    let hint = "write it as in `https://s3.eu-central-1.amazonaws.com` or `http://127.0.0.1:9000`";
    // Not quoted: somebody may have written a key into it.
    let not_one = |why: &str| {
        Failure::new(
            Kind::Invalid,
            format!("cannot use the endpoint of a backup target: {why}"),
        )
        .hint(hint)
    };
    let (is_plain, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err(not_one("it begins with neither `https://` nor `http://`")),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest
                .split_once(']')
                .ok_or_else(|| not_one("its address does not end"))?;
            (host, port)
        }
        None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
        return Err(not_one(
            "more stands after its host than a port; bucket and keys are said apart",
        ));
    }
    let address = host.parse::<IpAddr>().ok();
    let is_bracketed = rest.starts_with('[');
    let is_host = match address {
        Some(address) => address.is_ipv6() == is_bracketed,
        None => !is_bracketed && HostName::parse(host).is_ok(),
    };
    if !is_host {
        return Err(not_one("its host is neither a name in lower case nor an address"));
    }
    let is_here = host == "localhost" || address.is_some_and(|address| address.is_loopback());
    if is_plain && !is_here {
        return Err(not_one(
            "`http://` is taken for this machine alone: others could read what is sent",
        ));
    }
    Ok(text.strip_suffix('/').unwrap_or(text).to_owned())
}

fn is_bucket(text: &str) -> bool {
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    (3..=63).contains(&bytes.len())
        && edge(bytes[0])
        && edge(bytes[bytes.len() - 1])
        && bytes
            .iter()
            .all(|&byte| edge(byte) || byte == b'-' || byte == b'.')
        && !text.contains("..")
        && text.parse::<std::net::Ipv4Addr>().is_err()
}
