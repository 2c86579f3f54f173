//! Rates: so many requests in so much time.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern::PathPattern;
use crate::size::Span;

/// How many requests to some paths are taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateLimit {
    /// The paths, counted together.
    pub path: PathPattern,
    /// How many in the long run.
    pub rate: Rate,
    /// How many at once; as many as `rate` says where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Who is counted together.
    #[serde(default)]
    pub per: Counted,
}

/// Who is counted together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// A client's address; of IPv6 its network (/64), which one visitor has as a whole.
    #[default]
    Client,
    /// Everybody.
    Everybody,
}

impl Counted {
    /// As they are written.
    pub const WORDS: [&'static str; 2] = ["client", "everybody"];
}

impl FromStr for Counted {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "client" => Ok(Counted::Client),
            "everybody" => Ok(Counted::Everybody),
            _ => Err(format!(
                "`{}` is not `client` or `everybody`",
                text.escape_debug()
            )),
        }
    }
}

/// So many in so much time: `10/s`, `100/m`, `1000/h`, `5/10s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Rate {
    /// How many.
    pub requests: u32,
    /// In how much time.
    pub time: Span,
}

/// The longest time of a rate.
const LONGEST: Span = Span::secs(24 * 3600);

impl FromStr for Rate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "`{}` is not a rate such as `10/s`, `100/m` or `5/10s`",
                text.escape_debug()
            )
        };
        let (requests, time) = text.split_once('/').ok_or_else(refused)?;
        let requests = requests.trim();
        if !requests.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refused());
        }
        let requests: u32 = requests.parse().map_err(|_| refused())?;
        let time = time.trim();
        let time = if time.starts_with(|c: char| c.is_ascii_digit()) {
            Span::parse(time)
        } else {
            Span::parse(&format!("1{time}"))
        };
        let time = time.map_err(|_| refused())?;
        match (1..=1_000_000).contains(&requests) && (Span::secs(1)..=LONGEST).contains(&time) {
            true => Ok(Rate { requests, time }),
            false => Err(format!(
                "`{}` is not a rate: it is 1 to 1000000 requests in 1s to 24h",
                text.escape_debug()
            )),
        }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.requests, self.time)
    }
}

impl TryFrom<String> for Rate {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> String {
        rate.to_string()
    }
}
