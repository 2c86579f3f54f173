//! What a part that is downloaded is made of: its bytes as they are, or the dumps that a large database was copied in.

use hostkit_core::addon::AddonKind;
use hostkit_core::backup::part::{PartKind, PartName};
use hostkit_core::backup::woven::{Broken, MAGIC, Taken, Unweaver};

/// Takes apart what comes of a part.
pub(super) enum Dumps {
    /// It may be several dumps: what has come says nothing yet.
    Open(Vec<u8>),
    /// It is one thing.
    One,
    /// It is several dumps.
    Woven(Unweaver),
}

impl Dumps {
    pub(super) fn of(part: &PartName) -> Self {
        match part.kind() {
            PartKind::Addon(AddonKind::Postgres) => Dumps::Open(Vec::new()),
            _ => Dumps::One,
        }
    }

    pub(super) fn is_woven(&self) -> bool {
        matches!(self, Dumps::Woven(_))
    }

    /// What the next bytes are of which dump.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Taken>, Broken> {
        match self {
            Dumps::One => Ok(of_one(bytes.to_vec())),
            Dumps::Woven(reader) => reader.take(bytes),
            Dumps::Open(first) => {
                first.extend(bytes);
                if first.len() < MAGIC.len() && MAGIC.starts_with(first) {
                    return Ok(Vec::new());
                }
                let first = std::mem::take(first);
                *self = match first.starts_with(MAGIC) {
                    true => Dumps::Woven(Unweaver::default()),
                    false => Dumps::One,
                };
                self.take(&first)
            }
        }
    }

    /// What is still to come once all bytes were taken.
    pub(super) fn finish(&mut self) -> Result<Vec<Taken>, Broken> {
        match self {
            Dumps::One => Ok(Vec::new()),
            Dumps::Open(first) => Ok(of_one(std::mem::take(first))),
            Dumps::Woven(reader) => reader.finish().map(|()| Vec::new()),
        }
    }
}

fn of_one(bytes: Vec<u8>) -> Vec<Taken> {
    vec![Taken { strand: 0, bytes }]
}

#[cfg(test)]
mod tests {
    use hostkit_core::backup::woven::{beginning, end, frame};

    use super::*;

    /// What is written, by file, of a part that comes in pieces of a length.
    fn written(part: &str, bytes: &[u8], length: usize) -> Result<Vec<Vec<u8>>, Broken> {
        let mut dumps = Dumps::of(&part.parse().unwrap());
        let mut files = vec![Vec::new(); 4];
        for piece in bytes.chunks(length) {
            for taken in dumps.take(piece)? {
                files[taken.strand].extend(taken.bytes);
            }
        }
        for taken in dumps.finish()? {
            files[taken.strand].extend(taken.bytes);
        }
        files.retain(|file| !file.is_empty());
        Ok(files)
    }

    #[test]
    fn only_a_database_can_be_several_dumps() {
        let woven = [
            beginning(2),
            frame(0, b"one"),
            frame(0, b""),
            frame(1, b"two"),
            frame(1, b""),
            end(),
        ]
        .concat();
        for length in [1, 7, 9, 1000] {
            let both = Ok(vec![b"one".to_vec(), b"two".to_vec()]);
            assert_eq!(written("postgres", &woven, length), both);
            assert_eq!(written("postgres.tenant_a", &woven, length), both);
            assert_eq!(written("shared", &woven, length), Ok(vec![woven.clone()]));
            for plain in [&b"PGDMP and more"[..], b"HK", b"HKWOVEN", b"HKWOVEM1"] {
                assert_eq!(written("postgres", plain, length), Ok(vec![plain.to_vec()]));
            }
            let cut = &woven[..woven.len() - 1];
            assert_eq!(written("postgres", cut, length), Err(Broken::CutShort));
        }
    }
}
