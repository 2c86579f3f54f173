//! What happens to the requests of a route before they reach its target, and to the answers, in the order in which it
//! is looked at. Values are checked when they are read; [`Rules::check`] looks at what they mean together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::{AddressRange, BasicAuth};
use super::condition::{Condition, MOST_CONDITIONS};
use super::destination::Destination;
use super::headers::{Cors, HeaderRule, SecurityHeaders};
use super::images::Images;
use super::limits::RateLimit;
use super::pattern::{PathPattern, normal};
use crate::names::HostName;
use crate::size::{ByteSize, Span};

/// The most redirects, rewrites or header rules of a route.
pub const MOST_RULES: usize = 2048;
/// The most memory the patterns of one route may take.
const MOST_BYTES: usize = 16 << 20;

/// The rules of a route. They hold on the public listener alone: a stable loopback port leads straight to the process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Rules {
    /// Everybody but the addresses of `allow` gets a page that says that it is back soon.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub maintenance: bool,
    /// The addresses that may come; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<AddressRange>,
    /// The name and password a visitor must know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuth>,
    /// How many requests are taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<RateLimit>,
    /// The host all others redirect to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical_host: Option<HostName>,
    /// Answered with another address; the first that fits holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redirects: Vec<Redirect>,
    /// Headers of answers; all that fit hold, the last one wins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderRule>,
    /// Answered as if another path was asked for; the first that fits holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rewrites: Vec<Rewrite>,
    /// Which other sites may read answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// Which images may be asked for in other sizes; nothing where none may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<Images>,
    /// What browsers are told for the visitors' safety.
    #[serde(skip_serializing_if = "SecurityHeaders::is_standard")]
    pub security_headers: SecurityHeaders,
    /// The longest until an answer begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// The largest body of a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_limit: Option<ByteSize>,
    /// Whether pages of a static site answer without `.html`, and only so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clean_urls: Option<bool>,
    /// Whether paths end with a slash; nothing where both forms answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trailing_slash: Option<bool>,
    /// Whether the path's prefix is taken off before the request goes on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strip_prefix: bool,
}

/// Another address for a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Redirect {
    /// The paths.
    pub from: PathPattern,
    /// The address.
    pub to: Destination,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// All of these must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub has: Vec<Condition>,
    /// None of these may hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Condition>,
}

/// The statuses of redirects.
pub const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Another path in place of the one that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rewrite {
    /// The paths.
    pub from: PathPattern,
    /// The path that is served; always of the same host.
    pub to: Destination,
    /// When it is looked at.
    #[serde(default)]
    pub stage: Stage,
    /// All of these must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub has: Vec<Condition>,
    /// None of these may hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Condition>,
}

/// When a rewrite is looked at. For a program, which has no files here, it is the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Before files are looked for.
    BeforeFiles,
    /// Where no file answers.
    #[default]
    AfterFiles,
}

impl Rules {
    /// Whether nothing is said that was not true without rules.
    pub fn is_empty(&self) -> bool {
        *self == Rules::default()
    }

    /// Whether nothing is said but which security headers there are.
    pub fn is_plain(&self) -> bool {
        let standard = Rules {
            security_headers: self.security_headers.clone(),
            ..Rules::default()
        };
        *self == standard
    }

    /// Says the first thing that is wrong with the rules as a whole: the table's key, the place in its list, and why.
    pub fn check(&self) -> Result<(), (&'static str, usize, String)> {
        for (what, count) in [
            ("redirects", self.redirects.len()),
            ("rewrites", self.rewrites.len()),
            ("headers", self.headers.len()),
            ("limits", self.limits.len()),
        ] {
            if count > MOST_RULES {
                return Err((what, 0, format!("{count} are too many, {MOST_RULES} are taken")));
            }
        }
        for (at, rule) in self.redirects.iter().enumerate() {
            rule.check().map_err(|why| ("redirects", at, why))?;
        }
        for (at, rule) in self.rewrites.iter().enumerate() {
            rule.check().map_err(|why| ("rewrites", at, why))?;
        }
        for (at, rule) in self.headers.iter().enumerate() {
            rule.check().map_err(|why| ("headers", at, why))?;
        }
        if let Some(cors) = &self.cors {
            cors.check().map_err(|why| ("cors", 0, why))?;
        }
        if let Some(images) = &self.images {
            images.check().map_err(|why| ("images", 0, why))?;
        }
        self.security_headers
            .check()
            .map_err(|why| ("security_headers", 0, why))?;
        let redirects = self.redirects.iter().map(|rule| &rule.from);
        let rewrites = self.rewrites.iter().map(|rule| &rule.from);
        let headers = self.headers.iter().map(|rule| &rule.path);
        let limits = self.limits.iter().map(|limit| &limit.path);
        let images = self.images.iter().flat_map(|images| &images.paths);
        let patterns = redirects
            .chain(rewrites)
            .chain(headers)
            .chain(limits)
            .chain(images);
        let bytes: usize = patterns.map(PathPattern::bytes).sum();
        if bytes > MOST_BYTES {
            let message = format!(
                "the patterns of all rules need {}, {} are given: repeat less in them, or have fewer",
                ByteSize(bytes as u64),
                ByteSize(MOST_BYTES as u64)
            );
            return Err(("redirects", 0, message));
        }
        Ok(())
    }
}

impl Redirect {
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        if !REDIRECTS.contains(&self.status) {
            return Err(format!(
                "{} is not the status of a redirect: it is one of 301, 302, 303, 307, 308",
                self.status
            ));
        }
        check_conditions(&self.has, &self.missing)?;
        check_names(&self.from, &self.to, &self.has)?;
        let is_unconditional = self.has.is_empty() && self.missing.is_empty();
        let leads_back = self.to.as_str() == self.from.as_str()
            || (self.to.is_local()
                && self
                    .to
                    .fixed_path()
                    .is_some_and(|path| self.from.matches(&normal(&path))));
        if is_unconditional && leads_back {
            return Err(format!(
                "`{}` leads to itself: `{}` fits its own pattern",
                self.from.as_str(),
                self.to.as_str()
            ));
        }
        Ok(())
    }
}

impl Rewrite {
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        if !self.to.is_local() {
            return Err(format!(
                "`{}` is another host, which this version does not fetch from: use a redirect, or a path",
                self.to.as_str()
            ));
        }
        check_conditions(&self.has, &self.missing)?;
        check_names(&self.from, &self.to, &self.has)
    }
}

pub(super) fn check_conditions(has: &[Condition], missing: &[Condition]) -> Result<(), String> {
    for list in [has, missing] {
        if list.len() > MOST_CONDITIONS {
            let message = format!(
                "{} conditions are too many, {MOST_CONDITIONS} are taken",
                list.len()
            );
            return Err(message);
        }
        list.iter().try_for_each(Condition::check)?;
    }
    Ok(())
}

/// Every parameter of a destination must come from somewhere.
fn check_names(from: &PathPattern, to: &Destination, has: &[Condition]) -> Result<(), String> {
    let of_conditions: Vec<String> = has.iter().flat_map(Condition::names).collect();
    for name in to.names() {
        let known = match name.parse::<usize>() {
            Ok(number) => (1..=from.groups()).contains(&number),
            Err(_) => from.has_name(&name) || of_conditions.contains(&name),
        };
        if !known {
            let mark = if name.parse::<usize>().is_ok() { '$' } else { ':' };
            return Err(format!(
                "`{}` names `{mark}{name}`, which `{}` does not have",
                to.as_str(),
                from.as_str()
            ));
        }
    }
    Ok(())
}
