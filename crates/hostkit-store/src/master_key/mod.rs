//! The master key: rotated while everything goes on, and looked at.
//!
//! A rotation has three steps, and whatever cuts it short between two of them is finished at the next start: the new key
//! is put before the old one in the key file; everything is sealed again, in one transaction; the old key is taken out of
//! the file. Between the first and the last both keys are there, and so every value can be read.

mod resealing;
#[cfg(test)]
mod tests;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use hostkit_core::doctor::KeyFile;
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};

use crate::seal::{MasterKey, Sealer, key_file, to_hex};
use crate::{Store, locked};

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// What the new key is told from others by: eight hexadecimal digits that say nothing of it.
    pub key: String,
    /// How many values were sealed again.
    pub values: u64,
}

impl Store {
    /// Makes a new master key and seals everything with it. Everything can be read at every moment. Refused where systemd
    /// gives the key: only whoever gives it can give another.
    pub fn rotate_master_key(&self, by: &str) -> Result<Rotated, Failure> {
        let act = "rotate the master key";
        let _one = locked(&self.inner.rotating);
        let file = &self.inner.key_files;
        if let Some(credential) = &file.credential {
            return Err(Failure::new(
                Kind::Conflict,
                format!("cannot {act}: systemd gives it as `{}`", credential.display()),
            )
            .hint(
                "put a new line before the one in the credential, in the form `hostkit-key-1 ` and 64 hexadecimal \
                 digits, and restart HostKit: it seals everything with the first one; then take the second one out",
            ));
        }
        let older = file.load(false)?;
        let newest = MasterKey::random()?;
        file.write(&std::iter::once(&newest).chain(&older).collect::<Vec<_>>())?;
        let values = self.reseal(&newest, &older, Some(by))?;
        file.write(&[&newest])?;
        *locked(&self.inner.sealer) = Arc::new(Sealer::new(&newest, &[]));
        Ok(Rotated {
            key: to_hex(&newest.id()).to_string(),
            values,
        })
    }

    /// Ends a rotation that was cut short, and takes a key that systemd began to give.
    pub(crate) fn settle_keys(&self, keys: &[MasterKey]) -> Result<(), Failure> {
        let Some((newest, older)) = keys.split_first().filter(|(_, older)| !older.is_empty()) else {
            return Ok(());
        };
        self.reseal(newest, older, None)?;
        let file = &self.inner.key_files;
        match &file.credential {
            // What is still in our file sealed nothing that is there; who set up the credential decides over it.
            Some(_) => Ok(()),
            None => file.write(&[newest]),
        }
    }

    fn reseal(&self, newest: &MasterKey, older: &[MasterKey], by: Option<&str>) -> Result<u64, Failure> {
        // Used from now on: what is written while this waits for its turn is sealed with the new key already.
        let sealer = Arc::new(Sealer::new(newest, older));
        *locked(&self.inner.sealer) = sealer.clone();
        let values = self.write("seal everything with another master key", |write| {
            let values = resealing::all(&write.sql, &sealer)?;
            if let Some(by) = by {
                let by = by.to_owned();
                write.event_of(None, None, What::MasterKeyRotated { by, values })?;
            }
            Ok(values)
        })?;
        // What the old key sealed would stay in the log until it is overwritten.
        self.read("empty the log of the state database", |sql| {
            Ok(sql.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
        })?;
        Ok(values)
    }

    /// The files that have the key, as they are now.
    pub fn look_at_keys(&self) -> Vec<KeyFile> {
        let files = &self.inner.key_files;
        let owner = |path: &Path| fs::metadata(path).map(|about| about.uid()).ok();
        let folder = files.file.parent().and_then(owner);
        let credential = files.credential.iter().map(|path| (path, true));
        credential
            .chain(std::iter::once((&files.file, false)))
            .filter_map(|(path, is_credential)| {
                let about = fs::metadata(path).ok()?;
                Some(KeyFile {
                    path: path.clone(),
                    is_credential,
                    mode: about.mode() & 0o7777,
                    is_ours: Some(about.uid()) == folder,
                    keys: key_file::read(path).map_or(0, |keys| keys.len()),
                })
            })
            .collect()
    }
}
