//! Sizes, durations and shares of processors as people write them: `512MB`, `1.5GB`, `30s`, `15m`, `0.5`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes. Written with a unit: `64KB`, `512MB`, `2GB` (powers of 1024; `KiB`, `K` … mean the same).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct ByteSize(pub u64);

/// A span of time. Written with a unit: `500ms`, `30s`, `15m`, `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct Span(pub Duration);

/// Processor time in hundredths of one processor. Written as a number of processors: `0.5`, `2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct Processors(pub u32);

/// Why a size or a span was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a {what}")]
pub struct QuantityError {
    value: String,
    what: &'static str,
}

fn split_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    Some((number, text[end..].trim()))
}

impl ByteSize {
    /// `n` mebibytes.
    pub const fn mib(n: u64) -> Self {
        ByteSize(n << 20)
    }

    /// Reads `512MB`, `1.5 GiB`, `64K`; a bare number is bytes.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let refused = || QuantityError {
            value: text.chars().take(40).collect(),
            what: "size such as `512MB` or `2GB`",
        };
        let (number, unit) = split_unit(text).ok_or_else(refused)?;
        let shift = match unit
            .to_ascii_uppercase()
            .trim_end_matches('B')
            .trim_end_matches('I')
        {
            "" => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            _ => return Err(refused()),
        };
        let bytes = number * (1u64 << shift) as f64;
        if bytes.is_finite() && bytes < 1e18 {
            Ok(ByteSize(bytes.round() as u64))
        } else {
            Err(refused())
        }
    }
}

impl Span {
    /// `n` seconds.
    pub const fn secs(n: u64) -> Self {
        Span(Duration::from_secs(n))
    }

    /// Reads `500ms`, `30s`, `15m`, `2h`; the unit is needed.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let refused = || QuantityError {
            value: text.chars().take(40).collect(),
            what: "duration such as `30s` or `15m`",
        };
        let (number, unit) = split_unit(text).ok_or_else(refused)?;
        let seconds = match unit {
            "ms" => number / 1000.0,
            "s" => number,
            "m" | "min" => number * 60.0,
            "h" => number * 3600.0,
            "d" => number * 86400.0,
            _ => return Err(refused()),
        };
        if seconds < 1e9 {
            Ok(Span(Duration::from_secs_f64(seconds)))
        } else {
            Err(refused())
        }
    }
}

impl Processors {
    /// Reads `2` or `0.5`: more than nothing, to the hundredth.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let refused = || QuantityError {
            value: text.chars().take(40).collect(),
            what: "number of processors such as `0.5` or `2`",
        };
        let hundredths = match split_unit(text) {
            Some((number, "")) => (number * 100.0).round(),
            _ => return Err(refused()),
        };
        // Larger than any machine, and exact far beyond it.
        if (1.0..1e9).contains(&hundredths) {
            Ok(Processors(hundredths as u32))
        } else {
            Err(refused())
        }
    }
}

impl std::fmt::Display for Processors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        match (rest, rest % 10) {
            (0, _) => write!(f, "{whole}"),
            (_, 0) => write!(f, "{whole}.{}", rest / 10),
            _ => write!(f, "{whole}.{rest:02}"),
        }
    }
}

impl std::fmt::Display for ByteSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (unit, shift) = match self.0 {
            0..1024 => return write!(f, "{}B", self.0),
            1024..1_048_576 => ("KB", 10),
            1_048_576..1_073_741_824 => ("MB", 20),
            _ => ("GB", 30),
        };
        let value = self.0 as f64 / (1u64 << shift) as f64;
        if value.fract() < 0.05 {
            write!(f, "{value:.0}{unit}")
        } else {
            write!(f, "{value:.1}{unit}")
        }
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = self.0.as_millis();
        match ms {
            _ if !ms.is_multiple_of(1000) => write!(f, "{ms}ms"),
            0 => f.write_str("0s"),
            _ if ms.is_multiple_of(3_600_000) => write!(f, "{}h", ms / 3_600_000),
            _ if ms.is_multiple_of(60_000) => write!(f, "{}m", ms / 60_000),
            _ => write!(f, "{}s", ms / 1000),
        }
    }
}

macro_rules! as_text {
    ($name:ident, $exact:expr) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                let exact: fn(&$name) -> String = $exact;
                s.serialize_str(&exact(self))
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                $name::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
            }
        }
    };
}
as_text!(ByteSize, |b| b.0.to_string());
as_text!(Span, |s| s.to_string());
as_text!(Processors, |p| p.to_string());

#[cfg(test)]
mod tests;
