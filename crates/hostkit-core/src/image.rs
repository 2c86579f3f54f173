//! Images in other sizes: what the front door orders of the process that makes them, what that answers, and the bounds
//! of both. The process is told nothing else, and nothing it says is believed further than this.

use serde::{Deserialize, Serialize};

/// The largest source taken, in bytes.
pub const MOST_SOURCE: usize = 16 << 20;
/// The most pixels of a source. A few bytes of a file can claim more than any memory holds.
pub const MOST_PIXELS: u64 = 40_000_000;
/// The largest result taken, in bytes; what is larger is not kept anywhere either.
pub const MOST_RESULT: usize = 8 << 20;
/// The longest order or outcome, in bytes, without the image.
const MOST_HEAD: usize = 1024;

/// The forms of images that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `image/jpeg`.
    Jpeg,
    /// `image/png`.
    Png,
    /// `image/gif`.
    Gif,
    /// `image/webp`.
    Webp,
    /// `image/svg+xml`: a document with scripts, never decoded here.
    Svg,
}

impl Format {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Jpeg => "image/jpeg",
            Format::Png => "image/png",
            Format::Gif => "image/gif",
            Format::Webp => "image/webp",
            Format::Svg => "image/svg+xml",
        }
    }

    /// The usual ending of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Jpeg => "jpg",
            Format::Png => "png",
            Format::Gif => "gif",
            Format::Webp => "webp",
            Format::Svg => "svg",
        }
    }
}

/// What is to be made of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The widest it may be. A source that is not as wide keeps its width.
    pub width: u32,
    /// 1 to 100.
    pub quality: u8,
    /// The form wanted; that of the source, or one that every browser shows, where it is missing.
    pub format: Option<Format>,
    /// Whether an SVG is passed as it is.
    pub svg: bool,
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The image follows.
    Made(Format),
    /// The source is to be sent as it is: it moves, or is an SVG that may be passed.
    AsIs(Format),
    /// Nothing was made.
    Unusable(Unusable),
}

/// Why nothing can be made of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unusable {
    /// It is no image of a known form.
    NotAnImage,
    /// It is an SVG, and nobody said that those may be passed.
    Svg,
    /// It is an image that breaks off or contradicts itself.
    Broken,
    /// It, or what would be made of it, is larger than is taken.
    TooLarge,
}

/// A message between the two: the length of its head, the head as JSON, and the bytes of an image.
pub fn message<T: Serialize>(head: &T, image: &[u8]) -> Vec<u8> {
    // The types above are plain: writing them cannot fail.
    let head = serde_json::to_vec(head).unwrap_or_default();
    let mut all = Vec::with_capacity(4 + head.len() + image.len());
    all.extend_from_slice(&u32::try_from(head.len()).unwrap_or(u32::MAX).to_be_bytes());
    all.extend_from_slice(&head);
    all.extend_from_slice(image);
    all
}

/// Takes a message apart; nothing if it is none.
pub fn parse<T: for<'de> Deserialize<'de>>(message: &[u8]) -> Option<(T, &[u8])> {
    let (length, rest) = message.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    if length > MOST_HEAD {
        return None;
    }
    let (head, image) = rest.split_at_checked(length)?;
    Some((serde_json::from_slice(head).ok()?, image))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_as_it_was_and_what_is_none_is_not_taken() {
        let order = Order {
            width: 640,
            quality: 75,
            format: Some(Format::Webp),
            svg: false,
        };
        let sent = message(&order, b"pixels");
        assert_eq!(parse::<Order>(&sent), Some((order, b"pixels".as_slice())));
        let outcome = Outcome::Unusable(Unusable::TooLarge);
        assert_eq!(
            parse::<Outcome>(&message(&outcome, b"")),
            Some((outcome, b"".as_slice()))
        );
        for length in 0..sent.len() - b"pixels".len() {
            assert_eq!(parse::<Order>(&sent[..length]), None, "{length}");
        }
        assert_eq!(parse::<Outcome>(&sent), None);
        assert_eq!(parse::<Order>(&[0xff; 64]), None);
        assert_eq!(parse::<Order>(&[0, 0, 8, 0, b'{']), None);
    }
}
