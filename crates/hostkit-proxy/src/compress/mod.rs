//! Compression: what a client takes ([`accept`]), which answers gain by it ([`answer`]), and the work itself, a piece
//! at a time ([`encoder`], [`body`]). Bodies of requests are never touched, and nothing is ever decompressed.

pub(crate) mod accept;
pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod encoder;
pub(crate) mod kept;

#[cfg(test)]
mod tests;

/// A content coding the front door writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Zstd,
    Brotli,
    Gzip,
}

/// For what is made for one answer, the cheapest first.
pub(crate) const BY_COST: [Coding; 3] = [Coding::Zstd, Coding::Brotli, Coding::Gzip];
/// For what was made before, the smallest first.
pub(crate) const BY_SIZE: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

impl Coding {
    /// Its name in Content-Encoding.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Coding::Zstd => "zstd",
            Coding::Brotli => "br",
            Coding::Gzip => "gzip",
        }
    }

    /// How the name of a file compressed in advance ends.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Coding::Zstd => ".zst",
            Coding::Brotli => ".br",
            Coding::Gzip => ".gz",
        }
    }
}
