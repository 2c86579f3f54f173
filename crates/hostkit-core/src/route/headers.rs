//! Headers of answers: those of rules, what other sites may read, and what browsers are told for visitors' safety.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::pattern::PathPattern;
use super::rules::check_conditions;
use crate::size::Span;

/// Headers for the answers to some paths.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HeaderRule {
    /// The paths, as they are asked for.
    pub path: PathPattern,
    /// Names and values.
    pub set: Vec<(String, String)>,
    /// All of these must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub has: Vec<Condition>,
    /// None of these may hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Condition>,
}

/// The most headers of one rule.
const MOST_HEADERS: usize = 100;
/// The longest value.
const LONGEST_VALUE: usize = 4096;

/// Headers that belong to the connection or to the front door itself.
const KEPT: [&str; 12] = [
    "connection",
    "content-encoding",
    "content-length",
    "date",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

impl HeaderRule {
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        if self.set.len() > MOST_HEADERS {
            return Err(format!(
                "{} headers are too many, {MOST_HEADERS} are taken",
                self.set.len()
            ));
        }
        for (name, value) in &self.set {
            check_name(name)?;
            check_value(value).map_err(|why| format!("the header `{name}`: {why}"))?;
        }
        check_conditions(&self.has, &self.missing)
    }
}

/// Whether a rule may set a header of this name.
pub fn check_name(name: &str) -> Result<(), String> {
    let shown: String = name.chars().take(64).collect();
    let shown = shown.escape_debug();
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !(1..=256).contains(&name.len()) || !name.bytes().all(fine) {
        return Err(format!("`{shown}` is not the name of a header"));
    }
    let lower = name.to_ascii_lowercase();
    if KEPT.contains(&lower.as_str()) || lower.starts_with("x-hostkit-") {
        return Err(format!("the header `{shown}` is set by the front door alone"));
    }
    Ok(())
}

/// Whether a text can be the value of a header: what ends a line can not.
pub fn check_value(value: &str) -> Result<(), String> {
    if value.len() > LONGEST_VALUE {
        return Err(format!(
            "a value has {LONGEST_VALUE} characters at most, this one has {}",
            value.len()
        ));
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err("a value cannot contain the end of a line, or other control characters".into());
    }
    Ok(())
}

/// Which other sites may read answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cors {
    /// `https://example.com`, `https://*.example.com`, or `*` for all.
    pub origins: Vec<String>,
    /// The methods they may use.
    pub methods: Vec<String>,
    /// The headers they may send; `*` for those they ask for.
    pub headers: Vec<String>,
    /// The headers of answers they may read, besides the harmless ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expose: Vec<String>,
    /// Whether cookies come along.
    #[serde(default)]
    pub credentials: bool,
    /// How long a browser remembers what it was told.
    pub max_age: Span,
}

impl Default for Cors {
    fn default() -> Self {
        let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
        Cors {
            origins: Vec::new(),
            methods: methods.map(str::to_owned).to_vec(),
            headers: vec!["*".into()],
            expose: Vec::new(),
            credentials: false,
            max_age: Span::secs(600),
        }
    }
}

impl Cors {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.origins.is_empty() {
            return Err("no origin is named: add `origins`, as `[\"https://example.com\"]`".into());
        }
        if self.credentials && self.origins.iter().any(|origin| origin == "*") {
            return Err(
                "`credentials` and the origin `*` would let every site act for your visitors: name the origins"
                    .into(),
            );
        }
        self.origins.iter().try_for_each(|origin| check_origin(origin))?;
        for name in self
            .headers
            .iter()
            .chain(&self.expose)
            .filter(|name| *name != "*")
        {
            let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            if name.is_empty() || name.len() > 256 || !name.bytes().all(fine) {
                return Err(format!("`{}` is not the name of a header", name.escape_debug()));
            }
        }
        for method in &self.methods {
            if !(1..=32).contains(&method.len()) || !method.bytes().all(|b| b.is_ascii_uppercase()) {
                return Err(format!(
                    "`{}` is not a method such as `GET`",
                    method.escape_debug()
                ));
            }
        }
        Ok(())
    }
}

/// Whether a text is an origin, possibly with `*.` in front of its host.
pub fn check_origin(origin: &str) -> Result<(), String> {
    let refused = || {
        format!(
            "`{}` is not an origin such as `https://example.com`, `https://*.example.com` or `*`",
            origin.escape_debug()
        )
    };
    if origin == "*" {
        return Ok(());
    }
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"))
        .ok_or_else(refused)?;
    let host = host.strip_prefix("*.").unwrap_or(host);
    let fine =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b':' | b'[' | b']');
    match !host.is_empty() && host.len() <= 255 && host.bytes().all(fine) {
        true => Ok(()),
        false => Err(refused()),
    }
}

/// What browsers are told for visitors' safety. An answer's own headers of these names stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SecurityHeaders {
    /// Strict-Transport-Security, over TLS alone.
    pub hsts: SecurityHeader,
    /// X-Frame-Options.
    pub frame_options: SecurityHeader,
    /// X-Content-Type-Options.
    pub content_type_options: SecurityHeader,
    /// Referrer-Policy.
    pub referrer_policy: SecurityHeader,
    /// Permissions-Policy.
    pub permissions_policy: SecurityHeader,
    /// Content-Security-Policy; there is no standard one.
    pub content_security_policy: SecurityHeader,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecurityHeader {
    /// What HostKit says where nobody says otherwise.
    #[default]
    Standard,
    /// Nothing.
    Off,
    /// This.
    Value(String),
}

impl SecurityHeaders {
    /// Each with its name in the manifest, its name in an answer, and its standard value.
    pub fn all(&self) -> [(&'static str, &'static str, Option<&'static str>, &SecurityHeader); 6] {
        [
            (
                "hsts",
                "strict-transport-security",
                Some("max-age=31536000"),
                &self.hsts,
            ),
            (
                "frame_options",
                "x-frame-options",
                Some("SAMEORIGIN"),
                &self.frame_options,
            ),
            (
                "content_type_options",
                "x-content-type-options",
                Some("nosniff"),
                &self.content_type_options,
            ),
            (
                "referrer_policy",
                "referrer-policy",
                Some("strict-origin-when-cross-origin"),
                &self.referrer_policy,
            ),
            // What browsers allow by default anyway, but for frames of other sites: nothing of an app breaks by it.
            (
                "permissions_policy",
                "permissions-policy",
                Some("camera=(self), geolocation=(self), microphone=(self)"),
                &self.permissions_policy,
            ),
            (
                "content_security_policy",
                "content-security-policy",
                None,
                &self.content_security_policy,
            ),
        ]
    }

    /// Whether nobody said otherwise.
    pub fn is_standard(&self) -> bool {
        *self == SecurityHeaders::default()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        for (name, _, _, header) in self.all() {
            if let SecurityHeader::Value(value) = header {
                check_value(value).map_err(|why| format!("`{name}`: {why}"))?;
            }
        }
        Ok(())
    }
}
