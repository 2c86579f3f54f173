//! Values that HostKit makes up: `64 hex`, `32 letters`, `uuid`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

#[cfg(test)]
mod tests;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// The fewest characters that are not guessed: 64 bits.
const FEWEST: u16 = 16;
const MOST: u16 = 4096;

/// How a value is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Recipe {
    /// So many hexadecimal digits, of four bits each.
    Hex(u16),
    /// So many letters, digits, hyphens and underscores, of six bits each.
    Letters(u16),
    /// A random UUID (RFC 9562, version 4).
    Uuid,
}

/// Why a recipe was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` says not how to make up a value: write `64 hex`, `32 letters` or `uuid`, with 16 to 4096 characters"
)]
pub struct RecipeError(String);

impl Recipe {
    /// Reads `64 hex`, `32 letters` or `uuid`.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        let refused = || RecipeError(text.chars().filter(|c| !c.is_control()).take(40).collect());
        let mut words = text.split_ascii_whitespace();
        let recipe = match (words.next(), words.next(), words.next()) {
            (Some("uuid"), None, None) => Recipe::Uuid,
            (Some(count), Some(kind), None) => {
                let count = count
                    .parse()
                    .ok()
                    .filter(|count| (FEWEST..=MOST).contains(count))
                    .ok_or_else(refused)?;
                match kind {
                    "hex" => Recipe::Hex(count),
                    "letters" => Recipe::Letters(count),
                    _ => return Err(refused()),
                }
            }
            _ => return Err(refused()),
        };
        Ok(recipe)
    }

    /// How many random bytes [`Recipe::make`] needs.
    pub fn bytes(self) -> usize {
        match self {
            Recipe::Hex(count) => usize::from(count).div_ceil(2),
            Recipe::Letters(count) => usize::from(count),
            Recipe::Uuid => 16,
        }
    }

    /// A value of as many random bytes as [`Recipe::bytes`] says.
    pub fn make(self, random: &[u8]) -> Secret {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Secret::new(match self {
            Recipe::Hex(count) => hex(random).chars().take(usize::from(count)).collect::<String>(),
            Recipe::Letters(count) => {
                let letters = random.iter().take(usize::from(count));
                letters
                    .map(|byte| char::from(LETTERS[usize::from(byte & 63)]))
                    .collect()
            }
            Recipe::Uuid => {
                let mut bytes = [0; 16];
                bytes
                    .iter_mut()
                    .zip(random)
                    .for_each(|(byte, random)| *byte = *random);
                bytes[6] = bytes[6] & 0x0f | 0x40;
                bytes[8] = bytes[8] & 0x3f | 0x80;
                let text = hex(&bytes);
                [
                    &text[..8],
                    &text[8..12],
                    &text[12..16],
                    &text[16..20],
                    &text[20..],
                ]
                .join("-")
            }
        })
    }
}

impl std::fmt::Display for Recipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Recipe::Hex(count) => write!(f, "{count} hex"),
            Recipe::Letters(count) => write!(f, "{count} letters"),
            Recipe::Uuid => f.write_str("uuid"),
        }
    }
}

impl std::str::FromStr for Recipe {
    type Err = RecipeError;
    fn from_str(text: &str) -> Result<Self, RecipeError> {
        Recipe::parse(text)
    }
}

impl TryFrom<String> for Recipe {
    type Error = RecipeError;
    fn try_from(text: String) -> Result<Self, RecipeError> {
        Recipe::parse(&text)
    }
}

impl From<Recipe> for String {
    fn from(recipe: Recipe) -> String {
        recipe.to_string()
    }
}
