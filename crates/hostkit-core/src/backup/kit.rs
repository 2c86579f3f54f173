//! The recovery kit: what somebody needs who has nothing but it to get at the backups.

use serde::{Deserialize, Serialize};

use super::target::{TargetSettings, Written};
use crate::kind::{Failure, Kind};
use crate::secret::Secret;

/// The key, and the target with how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryKit {
    /// The key of the backups, as it is written.
    pub key: Secret,
    /// Where they are; none where only a key was given.
    pub target: Option<TargetSettings>,
}

/// What stands at the beginning of one.
const HEAD: &str = "# HostKit recovery kit. Whoever has it can read every backup of this installation; without it nobody can.\n\
                    # Keep it away from this machine: on paper, or where your passwords are.\n";

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kit {
    key: String,
    target: Option<Written>,
}

impl RecoveryKit {
    /// As it is shown and kept.
    pub fn written(&self) -> Result<Secret, Failure> {
        let kit = Kit {
            key: self.key.reveal().to_owned(),
            target: self.target.as_ref().map(Written::from),
        };
        let text = toml::to_string(&kit)
            .map_err(|why| Failure::new(Kind::Internal, format!("cannot write a recovery kit: {why}")))?;
        Ok(Secret::new(format!("{HEAD}{text}")))
    }

    /// Reads one, or a key alone, as people type it.
    pub fn parse(text: &Secret) -> Result<Self, Failure> {
        if !text.reveal().contains('=') {
            return Ok(RecoveryKit {
                key: Secret::new(text.reveal().trim()),
                target: None,
            });
        }
        // What the reader says of a text shows a line of it, and secrets are in that.
        let kit: Kit = toml::from_str(text.reveal()).map_err(|_| {
            Failure::new(
                Kind::Invalid,
                "cannot read the recovery kit: it is not written as one",
            )
            .hint("give the whole text that `hostkit backup kit` printed, or the key alone")
        })?;
        Ok(RecoveryKit {
            key: Secret::new(kit.key),
            target: kit.target.map(TargetSettings::try_from).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::backup::target::S3Settings;

    fn s3() -> TargetSettings {
        let secret = Secret::new("canary\"#[x]");
        let s3 = S3Settings::new("https://s3.example.com", "backups", None, "eu", "id", secret);
        TargetSettings::S3(s3.unwrap())
    }

    #[test]
    fn what_was_written_is_read_and_shows_no_secret_elsewhere() {
        let folder = TargetSettings::folder(Path::new("/mnt/a b")).unwrap();
        for target in [folder, s3()] {
            let kit = RecoveryKit {
                key: Secret::new("ABCDE-FGHJK"),
                target: Some(target.clone()),
            };
            assert_eq!(RecoveryKit::parse(&kit.written().unwrap()).unwrap(), kit);
            assert!(!format!("{kit:?} {}", target.place()).contains("canary"));
        }
    }

    #[test]
    fn a_key_alone_is_a_kit_and_rubbish_is_refused_without_being_repeated() {
        let typed = RecoveryKit::parse(&Secret::new(" abcde fghjk\n")).unwrap();
        assert_eq!(typed.key.reveal(), "abcde fghjk");
        for text in [
            "key=",
            "x = 1",
            "key = \"canary\"\nother = 1",
            "key = \"a\"\n[target]\nkind = \"canary\"",
            "key = \"a\"\n[target.folder]\npath = \"canary\"",
        ] {
            let refused = RecoveryKit::parse(&Secret::new(text)).unwrap_err();
            assert_eq!(refused.kind, Kind::Invalid);
            assert!(!format!("{refused:?}").contains("canary\""), "{refused:?}");
        }
    }
}
