//! A value that must not be shown: redacted wherever it is formatted, wiped when dropped.

use zeroize::Zeroizing;

/// A secret text. `Debug` and `Display` show `[redacted]`; [`Secret::reveal`] is the one way to the value.
/// It is deliberately not serialisable: whoever stores it encrypts it first.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(Zeroizing::new(value.into()))
    }

    /// The value itself. Search for this word to see every place that handles it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}
