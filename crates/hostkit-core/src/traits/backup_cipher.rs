//! What turns the content of a part into the file of a backup and back: compressed, encrypted, measured.

use std::sync::{Arc, OnceLock};

use super::Pieces;
use crate::backup::part::FileFigures;
use crate::kind::Failure;
use crate::secret::Secret;

/// Makes and reads files of backups, as streams: nothing is held but a piece.
pub trait BackupCipher: Send + Sync {
    /// A new key, as it is written.
    fn new_key(&self) -> Result<Secret, Failure>;

    /// What tells a key from others without telling anything of it. A key that is mistyped is Invalid.
    fn key_id(&self, key: &Secret) -> Result<String, Failure>;

    /// The file that has `plain` in it. Who reads it must say the same label.
    fn seal(&self, key: &Secret, label: &str, plain: Pieces) -> Result<Measured, Failure>;

    /// What is in a file. A file that is damaged, or of another key or label, ends the stream with an error of the kind
    /// [`std::io::ErrorKind::InvalidData`]; what came before is right and not all, so nobody may act on it before the end.
    fn open(&self, key: &Secret, label: &str, file: Pieces) -> Result<Measured, Failure>;
}

/// A stream and its measures.
pub struct Measured {
    /// The bytes.
    pub pieces: Pieces,
    /// The measures of the file, once the stream has come to its end.
    pub measure: Measure,
}

/// Measures that are known when a stream has come to its end.
#[derive(Debug, Clone, Default)]
pub struct Measure(Arc<OnceLock<FileFigures>>);

impl Measure {
    /// What was measured; nothing before the end was seen.
    pub fn get(&self) -> Option<&FileFigures> {
        self.0.get()
    }

    /// Says what was measured. The first word counts.
    pub fn set(&self, figures: FileFigures) {
        let _ = self.0.set(figures);
    }
}
