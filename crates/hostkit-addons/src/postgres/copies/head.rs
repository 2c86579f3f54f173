//! The head of a dump. In front of all data stands what else there is: tables, indexes, keys, triggers.

use futures_util::StreamExt;
use hostkit_core::backup::woven::HEAD;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::Dump;

/// What every archive in the custom format begins with.
const MAGIC: &[u8; 5] = b"PGDMP";

/// What a dump begins with: [`HEAD`] bytes of it, and what came with them. One that has no more is small.
pub(super) struct Head {
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
    /// Whether there is more.
    pub(super) is_of_large: bool,
}

impl Head {
    /// Takes the head off a dump. Nothing is made for what is none.
    pub(super) async fn read(dump: &mut Dump) -> Result<Self, Failure> {
        let mut bytes = Vec::new();
        while bytes.len() < HEAD
            && let Some(piece) = dump.next().await
        {
            bytes.extend(piece?);
            if !bytes.starts_with(&MAGIC[..bytes.len().min(MAGIC.len())]) {
                return Err(none());
            }
        }
        let head = Head {
            is_of_large: bytes.len() >= HEAD,
            bytes,
        };
        match head.is_of_dump() {
            true => Ok(head),
            false => Err(none()),
        }
    }

    /// Whether it is that of an archive in the custom format.
    pub(super) fn is_of_dump(&self) -> bool {
        self.bytes.starts_with(MAGIC)
    }

    /// Whether it is still to come, or a part of it.
    pub(super) fn is_wanting(&self) -> bool {
        self.is_of_large && self.bytes.len() < HEAD
    }
}

fn none() -> Failure {
    Failure::new(
        Kind::Invalid,
        "cannot restore this: it is not a dump in the custom format of pg_dump",
    )
    .hint("make one with `hostkit db dump`, or with `pg_dump --format=custom`")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn head(pieces: &[&[u8]]) -> Result<Head, Failure> {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(piece.to_vec())).collect();
        Head::read(&mut (Box::pin(futures_util::stream::iter(pieces)) as Dump)).await
    }

    #[tokio::test]
    async fn a_small_one_is_all_head_and_a_large_one_is_not_taken_to_its_end() {
        let small = head(&[b"PG", b"DMP", b"rest"]).await.unwrap();
        assert!(!small.is_of_large && small.bytes == b"PGDMPrest");
        let piece = vec![0; HEAD / 2];
        let large = head(&[b"PGDMP", &piece, &piece, &piece]).await.unwrap();
        assert!(large.is_of_large && large.bytes.len() == HEAD + 5);
    }

    #[tokio::test]
    async fn what_is_no_dump_is_refused_at_its_first_bytes() {
        let endless = vec![0; HEAD];
        let cases: [&[&[u8]]; 5] = [
            &[],
            &[b"PGD"],
            &[b"PG", b"DUMP"],
            &[b"SELECT 1;"],
            &[&endless, &endless],
        ];
        for pieces in cases {
            let refused = head(pieces).await.map(|_| ()).unwrap_err();
            assert_eq!(refused.kind, Kind::Invalid);
        }
    }
}
