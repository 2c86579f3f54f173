//! The system's own list of authorities: a folder that an operator puts certificates in, and a program that makes the
//! list from it.

use std::io::ErrorKind;
use std::path::PathBuf;

use hostkit_core::certificate::AuthorityCertificate;
use hostkit_core::trust::TrustWish;

use super::{Trouble, content};
use crate::files::write_atomic;
use crate::system_program::SystemProgram;

/// A list of one family of systems.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    folder: &'static str,
    extension: &'static str,
    program: SystemProgram,
    arguments: &'static [&'static str],
}

const CA_CERTIFICATES: SystemProgram = SystemProgram::new("update-ca-certificates", "ca-certificates");

/// The first that is there is the one.
pub(super) const KNOWN: [Known; 4] = [
    // Debian, Ubuntu, Alpine.
    Known {
        folder: "/usr/local/share/ca-certificates",
        extension: "crt",
        program: CA_CERTIFICATES,
        arguments: &[],
    },
    // Fedora, Red Hat and theirs.
    Known {
        folder: "/etc/pki/ca-trust/source/anchors",
        extension: "pem",
        program: SystemProgram::new("update-ca-trust", "ca-certificates"),
        arguments: &["extract"],
    },
    // Arch.
    Known {
        folder: "/etc/ca-certificates/trust-source/anchors",
        extension: "crt",
        program: SystemProgram::new("trust", "p11-kit"),
        arguments: &["extract-compat"],
    },
    // SUSE.
    Known {
        folder: "/usr/share/pki/trust/anchors",
        extension: "pem",
        program: CA_CERTIFICATES,
        arguments: &[],
    },
];

/// A list where it lies.
#[derive(Debug, Clone)]
pub(super) struct SystemList {
    pub(super) folder: PathBuf,
    pub(super) extension: &'static str,
    pub(super) program: SystemProgram,
    pub(super) arguments: &'static [&'static str],
}

impl SystemList {
    pub(super) fn of(known: &Known) -> Self {
        SystemList {
            folder: known.folder.into(),
            extension: known.extension,
            program: known.program,
            arguments: known.arguments,
        }
    }

    /// The file that is the authority's.
    pub(super) fn file(&self, authority: &AuthorityCertificate) -> PathBuf {
        self.folder
            .join(format!("hostkit-{}.{}", authority.mark, self.extension))
    }

    /// Whether there was something to do, which then is done.
    pub(super) async fn change(
        &self,
        authority: &AuthorityCertificate,
        wish: TrustWish,
        is_root: bool,
    ) -> Result<bool, Trouble> {
        let file = self.file(authority);
        let there = content(&file);
        let is_fine = match wish {
            TrustWish::Add => there.as_deref() == Some(authority.pem.as_bytes()),
            TrustWish::Remove => there.is_none(),
        };
        if is_fine {
            return Ok(false);
        }
        if !is_root {
            return Err(Trouble::new("only root may change it"));
        }
        // Before anything is written: without it, the file would be of no use and in the way of the next try.
        self.program
            .file()
            .map_err(|missing| Trouble::new(missing.message))?;
        match wish {
            TrustWish::Add => write_atomic(&file, authority.pem.as_bytes(), 0o644).map_err(Trouble::new)?,
            TrustWish::Remove => match std::fs::remove_file(&file) {
                Err(why) if why.kind() != ErrorKind::NotFound => return Err(Trouble::new(why)),
                _ => {}
            },
        }
        match self.program.run(self.arguments, b"").await {
            Ok(ended) if ended.is_success() => Ok(true),
            ended => {
                if wish == TrustWish::Add {
                    // The next call has to try again: what lies there is not on the list.
                    std::fs::remove_file(&file).ok();
                }
                let why = match ended {
                    Ok(ended) => ended.why(),
                    Err(failure) => failure.message,
                };
                Err(Trouble::new(format!("`{}`: {why}", self.program.name)))
            }
        }
    }
}
