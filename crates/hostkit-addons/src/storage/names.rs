//! Names that clients choose: of buckets and of objects. Parsed once, at the border; no path is ever made of one.

use std::fmt;

/// The name of a bucket: 3 to 63 bytes, lower-case letters, digits, `-` and `.`, as Amazon S3 has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BucketName(String);

impl BucketName {
    /// Parses a name. `None` where S3 would not take it.
    pub fn parse(text: &str) -> Option<Self> {
        let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = text.as_bytes();
        let is_name = (3..=63).contains(&bytes.len())
            && edge(bytes[0])
            && edge(bytes[bytes.len() - 1])
            && bytes
                .iter()
                .all(|&byte| edge(byte) || byte == b'-' || byte == b'.')
            && !text.contains("..")
            && text.parse::<std::net::Ipv4Addr>().is_err();
        is_name.then(|| BucketName(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key of an object: 1 to 1024 bytes of UTF-8 without the byte 0. Everything else is allowed, `../` as well: a key
/// is a value in a column and nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// The longest key, in bytes.
    pub const LONGEST: usize = 1024;

    /// Parses a key. `None` where it is empty, too long, or has a byte 0.
    pub fn parse(text: &str) -> Option<Self> {
        let is_key = (1..=Self::LONGEST).contains(&text.len()) && !text.contains('\0');
        is_key.then(|| ObjectKey(text.to_owned()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_named_as_in_s3() {
        for good in ["shop", "a.b", "my-shop-1", "0ab"] {
            assert!(BucketName::parse(good).is_some(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in [
            "", "ab", "Shop", "shop_1", "-shop", "shop-", "a..b", "10.0.0.1", "../x", "a/b", "a\0b", &long,
        ] {
            assert!(BucketName::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_key_is_anything_but_nothing() {
        let longest = "ä".repeat(512);
        for good in [
            "a",
            "../../etc/passwd",
            "/",
            "a//b/",
            "\u{1f600}",
            " ",
            "\n",
            &longest,
        ] {
            assert!(ObjectKey::parse(good).is_some(), "{good:?}");
        }
        for bad in ["", "a\0b", &format!("{longest}a")] {
            assert!(ObjectKey::parse(bad).is_none(), "{bad:?}");
        }
    }
}
