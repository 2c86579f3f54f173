//! Canary: a second release of an environment that some of its visitors get.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many of a hundred visitors get the canary: 1 to 99. With none of them it is not there, with all it is the live one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u8", into = "u8")]
#[schemars(with = "u8", extend("minimum" = 1, "maximum" = 99))]
pub struct Percent(u8);

/// Why a share was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a share of visitors: write a whole number from 1 to 99")]
pub struct PercentError(String);

impl Percent {
    /// Reads `10`, also with a `%` behind it.
    pub fn parse(text: &str) -> Result<Self, PercentError> {
        let refused = || PercentError(text.chars().take(40).collect());
        let number = text.strip_suffix('%').unwrap_or(text);
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refused());
        }
        let number: u8 = number.parse().map_err(|_| refused())?;
        Percent::try_from(number).map_err(|_| refused())
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Percent {
    type Error = PercentError;

    fn try_from(number: u8) -> Result<Self, PercentError> {
        match number {
            1..=99 => Ok(Percent(number)),
            _ => Err(PercentError(number.to_string())),
        }
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> u8 {
        percent.0
    }
}

impl std::str::FromStr for Percent {
    type Err = PercentError;

    fn from_str(text: &str) -> Result<Self, PercentError> {
        Percent::parse(text)
    }
}

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// One of the two releases that visitors may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The live release.
    Live,
    /// The one beside it.
    Canary,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_whole_number_between_none_and_all() {
        for (text, expected) in [
            ("1", Some(1)),
            ("10", Some(10)),
            ("10%", Some(10)),
            ("99", Some(99)),
            ("0", None),
            ("100", None),
            ("-1", None),
            ("+5", None),
            ("10.5", None),
            ("10 %", None),
            ("10%%", None),
            ("", None),
            ("%", None),
            ("1e1", None),
            ("256", None),
            ("٣", None),
        ] {
            assert_eq!(Percent::parse(text).ok().map(Percent::get), expected, "{text}");
        }
        assert_eq!(serde_json::to_string(&Percent(10)).unwrap(), "10");
        for text in ["0", "100", "300", "-1", "\"10\"", "1.5"] {
            assert!(serde_json::from_str::<Percent>(text).is_err(), "{text}");
        }
    }
}
