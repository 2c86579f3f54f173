//! Addresses of buckets elsewhere: `s3://KEY:SECRET@HOST/BUCKET?region=REGION`, or the lines that `.env` has of one.

use hostkit_core::addon::AddonOrder;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;
use hostkit_core::storage::keys::{is_access_key_id, is_region, is_secret_access_key};
use hostkit_core::storage::signature::Keys;
use url::Url;

use crate::given;
use crate::outside;
use crate::proof::Proof;
use crate::storage::names::BucketName;
use crate::stream::Listens;

/// Under which names those who keep buckets, and programs, have what gets in.
const ENDPOINTS: [&str; 5] = [
    "S3_ENDPOINT",
    "R2_ENDPOINT",
    "S3_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
];
const BUCKETS: [&str; 5] = [
    "S3_BUCKET",
    "R2_BUCKET_NAME",
    "S3_BUCKET_NAME",
    "R2_BUCKET",
    "AWS_S3_BUCKET",
];
const REGIONS: [&str; 3] = ["S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"];
const ACCESS_KEYS: [&str; 3] = ["S3_ACCESS_KEY_ID", "R2_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"];
const SECRET_KEYS: [&str; 3] = [
    "S3_SECRET_ACCESS_KEY",
    "R2_SECRET_ACCESS_KEY",
    "AWS_SECRET_ACCESS_KEY",
];
const PUBLIC_URLS: [&str; 2] = ["S3_PUBLIC_URL", "R2_PUBLIC_URL"];

/// Where requests are signed for some region, and any will do.
const ANY_REGION: &str = "us-east-1";

/// A bucket elsewhere.
#[derive(Debug)]
pub(super) struct Given {
    /// `https://HOST`, as clients take it.
    pub(super) endpoint: String,
    /// What stands in the header `host`.
    pub(super) authority: String,
    pub(super) listens: Listens,
    pub(super) bucket: BucketName,
    pub(super) keys: Keys,
    /// Where visitors read what is public, where that was given.
    pub(super) public_url: Option<String>,
    /// The secret key as it stands in a URL.
    pub(super) written: Option<Secret>,
}

impl Given {
    /// Reads what was given; the order is one of a bucket elsewhere.
    pub(super) fn of(order: &AddonOrder) -> Result<Self, Failure> {
        Given::parse(outside::address(order)?)
    }

    fn parse(text: &Secret) -> Result<Self, Failure> {
        match given::Given::parse(text)? {
            given::Given::Url(url) => Given::from_url(&url),
            lines => Given::from_lines(&lines),
        }
    }

    fn from_url(url: &Secret) -> Result<Self, Failure> {
        let parsed = Url::parse(url.reveal()).map_err(|_| refused("it is not a URL"))?;
        if parsed.scheme() != "s3" {
            return Err(refused("it does not begin with `s3://`"));
        }
        let host = parsed.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| refused("it names no host"))?;
        let port = parsed.port().map(|port| format!(":{port}"));
        let parameter = |name: &str| {
            let mut all = parsed.query_pairs();
            all.find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        let written = parsed.password().map(Secret::new);
        let secret = parsed.password().map(plain).transpose()?;
        Parts {
            endpoint: Some(format!("https://{host}{}", port.unwrap_or_default())),
            bucket: plain(parsed.path().trim_matches('/'))?,
            region: parameter("region"),
            access: plain(parsed.username())?,
            secret: Secret::new(secret.unwrap_or_default()),
            public_url: parameter("public"),
        }
        .checked(written)
    }

    fn from_lines(lines: &given::Given) -> Result<Self, Failure> {
        let value = |names: &[&str]| lines.value(names).map(|value| value.reveal().to_owned());
        let needed = |names: &[&str]| {
            value(names).ok_or_else(|| refused(&format!("none of its lines is `{}=…`", names[0])))
        };
        Parts {
            endpoint: value(&ENDPOINTS),
            bucket: needed(&BUCKETS)?,
            region: value(&REGIONS),
            access: needed(&ACCESS_KEYS)?,
            secret: Secret::new(needed(&SECRET_KEYS)?),
            public_url: value(&PUBLIC_URLS),
        }
        .checked(None)
    }
}

/// What an address consists of, before it is looked at.
struct Parts {
    endpoint: Option<String>,
    bucket: String,
    region: Option<String>,
    access: String,
    secret: Secret,
    public_url: Option<String>,
}

impl Parts {
    fn checked(self, written: Option<Secret>) -> Result<Given, Failure> {
        if self.region.as_deref().is_some_and(|region| !is_region(region)) {
            return Err(refused("its region is none"));
        }
        let endpoint = match (self.endpoint, &self.region) {
            (Some(endpoint), _) => endpoint,
            (None, Some(region)) => format!("https://s3.{region}.amazonaws.com"),
            (None, None) => return Err(refused("it names neither an endpoint nor a region of Amazon's")),
        };
        // Some pages show it with the bucket behind.
        let endpoint = endpoint.trim_end_matches('/');
        let endpoint = endpoint
            .strip_suffix(&format!("/{}", self.bucket))
            .filter(|rest| !rest.ends_with('/'))
            .unwrap_or(endpoint);
        let parsed = Url::parse(endpoint).map_err(|_| refused("its endpoint is not a URL"))?;
        let (port, is_encrypted) = match parsed.scheme() {
            "https" => (443, true),
            "http" => (80, false),
            _ => return Err(refused("its endpoint does not begin with `https://`")),
        };
        let is_bare = parsed.path() == "/" && parsed.query().is_none() && parsed.fragment().is_none();
        if !is_bare || !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(refused("its endpoint is more than `https://HOST`"));
        }
        let host = parsed.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| refused("it names no host"))?;
        let proof = match is_encrypted {
            true => Proof::System,
            false => Proof::None,
        };
        let bucket = BucketName::parse(&self.bucket)
            .ok_or_else(|| refused("its bucket is not named as S3 names them"))?;
        if !is_access_key_id(&self.access) {
            return Err(refused("its access key id is none"));
        }
        if !is_secret_access_key(self.secret.reveal()) {
            return Err(refused("its secret access key is none"));
        }
        if let Some(url) = &self.public_url {
            let is_url = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
            if !is_url {
                return Err(refused("its public address is not a URL"));
            }
        }
        Ok(Given {
            authority: match parsed.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            },
            listens: Listens {
                host: host.trim_matches(['[', ']']).to_owned(),
                port: parsed.port().unwrap_or(port),
                proof,
            },
            keys: Keys {
                access: self.access,
                secret: self.secret,
                region: self.region.unwrap_or_else(|| region_of(host)),
            },
            endpoint: parsed.as_str().trim_end_matches('/').to_owned(),
            bucket,
            public_url: self.public_url.map(|url| url.trim_end_matches('/').to_owned()),
            written,
        })
    }
}

/// The region that a host tells.
fn region_of(host: &str) -> String {
    if host.ends_with(".r2.cloudflarestorage.com") {
        return "auto".to_owned();
    }
    let amazon = host
        .strip_prefix("s3.")
        .and_then(|rest| rest.strip_suffix(".amazonaws.com"));
    let told = amazon.filter(|region| is_region(region));
    told.unwrap_or(ANY_REGION).to_owned()
}

fn plain(text: &str) -> Result<String, Failure> {
    outside::plain(text).map_err(refused)
}

/// Never with the text: there is a key in it.
fn refused(why: &str) -> Failure {
    Failure::new(
        Kind::Invalid,
        format!("cannot use this address of a bucket: {why}"),
    )
    .hint("write it as s3://KEY:SECRET@HOST/BUCKET?region=REGION, special characters as %XX, or as lines S3_ENDPOINT=…, S3_BUCKET=…, S3_ACCESS_KEY_ID=…, S3_SECRET_ACCESS_KEY=…, S3_REGION=…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Given, Failure> {
        Given::parse(&Secret::new(text))
    }

    #[test]
    fn addresses_are_read() {
        let given = parsed("s3://AKIA1:a%2Fb+c@s3.eu-central-1.amazonaws.com/shop-files").unwrap();
        assert_eq!(given.endpoint, "https://s3.eu-central-1.amazonaws.com");
        assert_eq!(
            (given.keys.secret.reveal(), given.keys.region.as_str()),
            ("a/b+c", "eu-central-1")
        );
        assert_eq!(given.written.unwrap().reveal(), "a%2Fb+c");
        let given = parsed(
            "export R2_ENDPOINT=\"https://abc.r2.cloudflarestorage.com/files\"\nR2_BUCKET_NAME=files\nR2_ACCESS_KEY_ID=k\n\
             R2_SECRET_ACCESS_KEY=s\nR2_PUBLIC_URL=https://files.example.com/\nOTHER=x\n",
        )
        .unwrap();
        assert_eq!(given.endpoint, "https://abc.r2.cloudflarestorage.com");
        assert_eq!((given.keys.region.as_str(), given.listens.port), ("auto", 443));
        assert_eq!(given.public_url.as_deref(), Some("https://files.example.com"));
        let given = parsed(
            "S3_ENDPOINT=http://10.0.0.5:9000\nS3_BUCKET=files\nAWS_ACCESS_KEY_ID=k\nAWS_SECRET_ACCESS_KEY=s",
        )
        .unwrap();
        assert_eq!(
            (given.authority.as_str(), given.listens.port),
            ("10.0.0.5:9000", 9000)
        );
        assert_eq!(
            (given.listens.proof, given.keys.region.as_str()),
            (Proof::None, "us-east-1")
        );
        let given =
            parsed("AWS_REGION=eu-west-1\nAWS_S3_BUCKET=files\nAWS_ACCESS_KEY_ID=k\nAWS_SECRET_ACCESS_KEY=s");
        assert_eq!(given.unwrap().endpoint, "https://s3.eu-west-1.amazonaws.com");
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_said_again() {
        let lines = |endpoint: &str| {
            format!(
                "S3_ENDPOINT={endpoint}\nS3_BUCKET=files\nS3_ACCESS_KEY_ID=k\nS3_SECRET_ACCESS_KEY=canary"
            )
        };
        for bad in [
            "canary",
            "https://k:canary@h/files",
            "s3://k:canary@/files",
            "s3://k:canary@h/",
            "s3://k:canary@h/a/canary",
            "s3://k:canary@h/Files",
            "s3://k@h/files?canary",
            "s3://:canary@h/files",
            "s3://k:canary%ff@h/files",
            "s3://k:canary%0a@h/files",
            "s3://k%0d%0ax:canary@h/files",
            "s3://k:canary@h/files?region=a%0d%0ab",
            "s3://k:canary@h/files?public=javascript:canary",
            "S3_BUCKET=files\nS3_ACCESS_KEY_ID=k\nS3_SECRET_ACCESS_KEY=canary",
            "S3_ENDPOINT=https://h\nS3_BUCKET=files\nS3_SECRET_ACCESS_KEY=canary",
            &lines("ftp://h"),
            &lines("https://h/path"),
            &lines("https://h/?canary"),
            &lines("https://u:canary@h"),
            &lines("file:///etc/canary"),
        ] {
            let failure = parsed(bad).unwrap_err();
            assert_eq!(failure.kind, Kind::Invalid, "{bad}");
            assert!(!format!("{failure:?}").contains("canary"), "{bad}: {failure:?}");
        }
    }
}
