//! Images of a site in other sizes, at an address of HostKit's own: which may be asked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern::PathPattern;
use crate::size::Span;

/// Where they are asked for: `?url=/photo.jpg&w=640&q=75`.
pub const PATH: &str = "/_hostkit/image";
/// The same under the name that sites made for Vercel use.
pub const VERCEL_PATH: &str = "/_vercel/image";
/// The widest that may be asked for.
pub const WIDEST: u32 = 3840;
/// The most widths or qualities.
pub const MOST: usize = 50;

/// What may be asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Images {
    /// The widths, in pixels.
    pub widths: Vec<u32>,
    /// The qualities, 1 to 100. The first one is used where none is asked for.
    pub qualities: Vec<u8>,
    /// The forms made for clients that take them, the best first. Without any an image keeps its form.
    pub formats: Vec<ImageFormat>,
    /// The paths images are taken from; empty for all of the same host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathPattern>,
    /// How long an image is used at least.
    pub keep: Span,
    /// Whether an SVG is passed as it is, in a sandbox.
    pub svg: bool,
}

/// A form that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageFormat {
    /// WebP.
    Webp,
}

impl ImageFormat {
    /// As they are written.
    pub const WORDS: [&'static str; 1] = ["webp"];
}

impl Default for Images {
    fn default() -> Self {
        Images {
            widths: vec![
                16, 32, 48, 64, 96, 128, 256, 384, 640, 750, 828, 1080, 1200, 1920, 2048, 3840,
            ],
            qualities: vec![75],
            formats: vec![ImageFormat::Webp],
            paths: Vec::new(),
            keep: Span::secs(60),
            svg: false,
        }
    }
}

impl Images {
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let counted = |what: &str, count: usize| match count {
            0 => Err(format!("`{what}` is empty: nothing could be asked for")),
            1..=MOST => Ok(()),
            _ => Err(format!("`{what}` has {count} entries, {MOST} are taken")),
        };
        counted("widths", self.widths.len())?;
        counted("qualities", self.qualities.len())?;
        if let Some(width) = self.widths.iter().find(|width| !(1..=WIDEST).contains(*width)) {
            return Err(format!(
                "{width} is not a width: it is a whole number from 1 to {WIDEST}"
            ));
        }
        if let Some(quality) = self
            .qualities
            .iter()
            .find(|quality| !(1..=100).contains(*quality))
        {
            return Err(format!(
                "{quality} is not a quality: it is a whole number from 1 to 100"
            ));
        }
        if self.paths.len() > MOST {
            return Err(format!(
                "`paths` has {} entries, {MOST} are taken",
                self.paths.len()
            ));
        }
        Ok(())
    }
}
