//! Where master keys lie: a file of ours (0600) with the newest on its first line, or a credential that systemd gives,
//! which is read alone. More than one line means that a rotation is not over: what the older keys sealed is still there.

use std::fs;
use std::path::{Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};
use zeroize::{Zeroize, Zeroizing};

use super::{random, to_hex, write_private};

const MARK: &str = "hostkit-key-1 ";
/// The credential that has the key, below `$CREDENTIALS_DIRECTORY`.
const CREDENTIAL: &str = "hostkit-key";

/// One master key. Wiped when dropped.
pub(crate) struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    pub(crate) fn random() -> Result<Self, Failure> {
        let mut bytes = Zeroizing::new([0; 32]);
        random(&mut *bytes)?;
        Ok(MasterKey(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What a key is told from others by. Says nothing of the key.
    pub(crate) fn id(&self) -> [u8; 4] {
        let id = blake3::derive_key("hostkit 2026 key id", &*self.0);
        [id[0], id[1], id[2], id[3]]
    }

    fn parse(line: &str) -> Option<Self> {
        let text = line.strip_prefix(MARK)?;
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut bytes = Zeroizing::new([0u8; 32]);
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
        }
        Some(MasterKey(bytes))
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The files that keys are in.
#[derive(Debug, Clone)]
pub(crate) struct KeyFiles {
    /// Ours.
    pub(crate) file: PathBuf,
    /// The one that systemd gives, which is then the one that counts.
    pub(crate) credential: Option<PathBuf>,
}

impl KeyFiles {
    /// `credentials` is the folder of systemd's credentials, if there is one.
    pub(crate) fn new(file: PathBuf, credentials: Option<&Path>) -> Self {
        let credential = credentials
            .map(|folder| folder.join(CREDENTIAL))
            .filter(|path| path.exists());
        KeyFiles { file, credential }
    }

    /// All keys, the newest first. A key is made where `first_start` says so and there is none; a missing key of an
    /// installation that has data is not replaced: everything sealed would be lost without a word.
    pub(crate) fn load(&self, first_start: bool) -> Result<Vec<MasterKey>, Failure> {
        let mut keys = match &self.credential {
            Some(credential) => read(credential)?,
            None if first_start && !self.file.exists() => {
                let key = MasterKey::random()?;
                self.write(&[&key])?;
                return Ok(vec![key]);
            }
            None => Vec::new(),
        };
        // Beside a credential the file has the key of the time before it.
        if self.credential.is_none() || self.file.exists() {
            keys.extend(read(&self.file)?);
        }
        let mut seen = Vec::new();
        keys.retain(|key| {
            let id = key.id();
            let is_new = !seen.contains(&id);
            seen.push(id);
            is_new
        });
        Ok(keys)
    }

    /// Puts these keys into our file, as a whole or not at all.
    pub(crate) fn write(&self, keys: &[&MasterKey]) -> Result<(), Failure> {
        let mut text = Zeroizing::new(String::new());
        for key in keys {
            text.push_str(MARK);
            text.push_str(&to_hex(key.bytes()));
            text.push('\n');
        }
        write_private(&self.file, text.as_bytes()).map_err(|e| {
            let path = self.file.display();
            Failure::new(Kind::Internal, format!("cannot write the key `{path}`: {e}"))
        })
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<MasterKey>, Failure> {
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::new(
            Kind::Internal,
            format!("cannot read the key `{}`: {why}", path.display()),
        )
    };
    let mut text = fs::read_to_string(path)
        .map_err(|e| cannot(&e).hint("put the file back from a copy; variables are encrypted with it"))?;
    let keys: Option<Vec<MasterKey>> = text.trim_end().lines().map(MasterKey::parse).collect();
    text.zeroize();
    match keys {
        Some(keys) if !keys.is_empty() => Ok(keys),
        _ => Err(cannot(&"it is not a HostKit key").hint("put the file back from a copy")),
    }
}
