//! Checksums: of bytes that arrive, against what the client says, and of parts put together.

use crc_fast::CrcAlgorithm;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};

use crate::storage::error::{Result, StorageError};
use crate::storage::index::{Checksums, Part};

/// A kind of checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(super) const ALL: [Algorithm; 5] = [
        Algorithm::Crc32,
        Algorithm::Crc32c,
        Algorithm::Crc64Nvme,
        Algorithm::Sha1,
        Algorithm::Sha256,
    ];

    /// As the protocol names it in `x-amz-checksum-algorithm`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|one| one.name().eq_ignore_ascii_case(name))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC32",
            Algorithm::Crc32c => "CRC32C",
            Algorithm::Crc64Nvme => "CRC64NVME",
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
        }
    }

    /// The header that has it.
    pub(super) fn header(self) -> String {
        format!("x-amz-checksum-{}", self.name().to_ascii_lowercase())
    }

    /// The header that has it, by name.
    pub(super) fn of_header(name: &str) -> Option<Self> {
        Self::named(name.trim().strip_prefix("x-amz-checksum-")?)
    }

    pub(super) fn of(self, checksums: &Checksums) -> &Option<String> {
        match self {
            Algorithm::Crc32 => &checksums.crc32,
            Algorithm::Crc32c => &checksums.crc32c,
            Algorithm::Crc64Nvme => &checksums.crc64nvme,
            Algorithm::Sha1 => &checksums.sha1,
            Algorithm::Sha256 => &checksums.sha256,
        }
    }

    pub(super) fn of_mut(self, checksums: &mut Checksums) -> &mut Option<String> {
        match self {
            Algorithm::Crc32 => &mut checksums.crc32,
            Algorithm::Crc32c => &mut checksums.crc32c,
            Algorithm::Crc64Nvme => &mut checksums.crc64nvme,
            Algorithm::Sha1 => &mut checksums.sha1,
            Algorithm::Sha256 => &mut checksums.sha256,
        }
    }

    /// The one that has a value, where only one has.
    pub(super) fn in_use(checksums: &Checksums) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.of(checksums).is_some())
    }

    /// The width and the polynomial, of those of which the whole follows from the parts.
    fn crc(self) -> Option<(usize, CrcAlgorithm)> {
        match self {
            Algorithm::Crc32 => Some((4, CrcAlgorithm::Crc32IsoHdlc)),
            Algorithm::Crc32c => Some((4, CrcAlgorithm::Crc32Iscsi)),
            Algorithm::Crc64Nvme => Some((8, CrcAlgorithm::Crc64Nvme)),
            Algorithm::Sha1 | Algorithm::Sha256 => None,
        }
    }
}

/// What bytes are hashed with while they arrive.
pub(super) struct Hashing {
    md5: Md5,
    others: ChecksumHasher,
}

impl Hashing {
    /// MD5, which the entity tag is, and `others`.
    pub(super) fn new(others: impl IntoIterator<Item = Algorithm>) -> Self {
        let mut hasher = ChecksumHasher::default();
        for one in others {
            match one {
                Algorithm::Crc32 => hasher.crc32 = Some(Crc32::new()),
                Algorithm::Crc32c => hasher.crc32c = Some(Crc32c::new()),
                Algorithm::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
                Algorithm::Sha1 => hasher.sha1 = Some(Sha1::new()),
                Algorithm::Sha256 => hasher.sha256 = Some(Sha256::new()),
            }
        }
        Hashing {
            md5: Md5::new(),
            others: hasher,
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.others.update(bytes);
    }

    /// The MD5, and the checksums.
    pub(super) fn finish(self) -> ([u8; 16], Checksums) {
        let found = self.others.finalize();
        let checksums = Checksums {
            crc32: found.checksum_crc32,
            crc32c: found.checksum_crc32c,
            crc64nvme: found.checksum_crc64nvme,
            sha1: found.checksum_sha1,
            sha256: found.checksum_sha256,
            is_composite: false,
        };
        (self.md5.finalize(), checksums)
    }
}

/// As hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn of_hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

/// The entity tag of an object in parts: the MD5 of those of its parts, and how many they are.
pub(super) fn etag_of_parts(parts: &[Part]) -> Result<String> {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(&of_hex(&part.etag).ok_or(StorageError::Damaged("the entity tag of a part"))?);
    }
    Ok(format!("{}-{}", hex(&md5.finalize()), parts.len()))
}

/// The checksum of an object in parts: of those of its parts, or of all its bytes.
pub(super) fn checksum_of_parts(
    algorithm: Algorithm,
    is_composite: bool,
    parts: &[Part],
) -> Result<Checksums> {
    let mut all = Vec::with_capacity(parts.len());
    for part in parts {
        let Some(text) = algorithm.of(&part.checksums) else {
            return Ok(Checksums::default());
        };
        all.push((decoded(text)?, part.size));
    }
    let text = match algorithm.crc() {
        Some(crc) if !is_composite => encoded(&combined(crc, &all)?),
        _ => {
            let mut hashing = Hashing::new([algorithm]);
            all.iter().for_each(|(checksum, _)| hashing.update(checksum));
            let of_all = algorithm.of(&hashing.finish().1).clone().unwrap_or_default();
            format!("{of_all}-{}", parts.len())
        }
    };
    let mut checksums = Checksums {
        is_composite,
        ..Checksums::default()
    };
    *algorithm.of_mut(&mut checksums) = Some(text);
    Ok(checksums)
}

fn combined((width, crc): (usize, CrcAlgorithm), parts: &[(Vec<u8>, u64)]) -> Result<Vec<u8>> {
    let mut whole: Option<u64> = None;
    for (bytes, size) in parts {
        if bytes.len() != width {
            return Err(StorageError::Damaged("the checksum of a part"));
        }
        let part = bytes
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        whole = Some(match whole {
            Some(whole) => crc_fast::checksum_combine(crc, whole, part, *size),
            None => part,
        });
    }
    let bytes = whole.unwrap_or_default().to_be_bytes();
    Ok(bytes[8 - width..].to_vec())
}

/// Decodes base64.
pub(super) fn decoded(text: &str) -> Result<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|_| StorageError::BadDigest("it is not base64"))
}

fn encoded(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::contents::ContentId;

    fn part(number: u32, bytes: &[u8]) -> Part {
        let mut hashing = Hashing::new(Algorithm::ALL);
        hashing.update(bytes);
        let (md5, checksums) = hashing.finish();
        Part {
            number,
            size: bytes.len() as u64,
            modified: 0,
            etag: hex(&md5),
            content: ContentId::from_bytes([0; 16]),
            checksums,
        }
    }

    #[test]
    fn the_whole_follows_from_its_parts() {
        let parts = [part(1, b"hello, "), part(2, b"wor"), part(3, b"ld")];
        let whole = part(1, b"hello, world");
        for one in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let found = checksum_of_parts(one, false, &parts).unwrap();
            assert_eq!(one.of(&found), one.of(&whole.checksums), "{one:?}");
        }
        // By hand: the SHA-256 of the three SHA-256, and how many they are.
        let found = checksum_of_parts(Algorithm::Sha256, true, &parts).unwrap();
        let mut of_all = Hashing::new([Algorithm::Sha256]);
        for part in &parts {
            of_all.update(&decoded(part.checksums.sha256.as_ref().unwrap()).unwrap());
        }
        let wanted = format!("{}-3", of_all.finish().1.sha256.unwrap());
        assert_eq!(found.sha256, Some(wanted));
        assert_eq!(whole.etag, "e4d7f1b4ed2e42d15898f4b27b019da4");
        assert!(etag_of_parts(&parts).unwrap().ends_with("-3"));
    }
}
