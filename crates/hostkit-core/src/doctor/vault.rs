//! What encrypts, and what is old: the files of the master key, and secrets that were the same for a long time.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use super::{Finding, options, values};
use crate::addon::AddonKind;
use crate::names::VariableName;
use crate::project::EnvironmentId;

/// After how long a secret should be another one, where hostkit.toml says nothing: a quarter of a year.
pub const ROTATE_EVERY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A file that has the master key, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether systemd gives it, as a credential.
    pub is_credential: bool,
    /// Its permissions.
    pub mode: u32,
    /// Whether it belongs to whom the data folder belongs to.
    pub is_ours: bool,
    /// How many keys are in it; more than one while a rotation is not over.
    pub keys: usize,
}

/// The files of the master key.
pub fn master_key(files: &[KeyFile]) -> Vec<Finding> {
    let has_credential = files.iter().any(|file| file.is_credential);
    let mut findings: Vec<Finding> = files
        .iter()
        .filter_map(|file| file_of_key(file, has_credential))
        .collect();
    if findings.is_empty() {
        findings.push(Finding::fine("master key", "only its owner can read it"));
    }
    findings
}

fn file_of_key(file: &KeyFile, has_credential: bool) -> Option<Finding> {
    let path = file.path.display();
    let subject = "master key";
    if file.is_credential {
        // Systemd keeps it to whom it gives it to.
        return (file.keys > 1).then(|| {
            Finding::warning(
                subject,
                format!("`{path}` has {} keys, and the first is in use", file.keys),
            )
            .hint("take the others out of the credential")
        });
    }
    if file.mode & 0o077 != 0 {
        return Some(
            Finding::problem(
                subject,
                format!(
                    "others may use `{path}` (mode {:03o}): every stored value can be read with it",
                    file.mode & 0o777
                ),
            )
            .hint(format!("`chmod 600 {path}`, then `hostkit vault rotate-key`")),
        );
    }
    if !file.is_ours {
        return Some(
            Finding::problem(
                subject,
                format!("`{path}` belongs to somebody else than the data folder"),
            )
            .hint(format!(
                "`chown --reference={} {path}`",
                file.path.parent().unwrap_or(&file.path).display()
            )),
        );
    }
    if has_credential {
        return Some(
            Finding::warning(
                subject,
                format!("systemd gives the key, and `{path}` is still there"),
            )
            .hint(format!(
                "keep a copy for older copies of the database, then `rm {path}`"
            )),
        );
    }
    (file.keys > 1).then(|| {
        Finding::warning(
            subject,
            format!("a rotation is not over: `{path}` has {} keys", file.keys),
        )
        .hint("`hostkit vault rotate-key` ends it, or says what cannot be read")
    })
}

/// A secret that has been the same for long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldSecret {
    /// What it is.
    pub secret: Aging,
    /// For how many days.
    pub days: i64,
}

/// What grows old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aging {
    /// A variable that is named like a secret.
    Variable(VariableName),
    /// The credential of an add-on.
    Credential(AddonKind),
}

impl std::fmt::Display for Aging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Aging::Variable(name) => write!(f, "{name}"),
            Aging::Credential(kind) => write!(f, "credential of {}", kind.title()),
        }
    }
}

/// Those of these secrets that have been the same for longer than `every`, with the time since when they are.
pub fn old_secrets(
    all: impl IntoIterator<Item = (Aging, Timestamp)>,
    every: SignedDuration,
    now: Timestamp,
) -> Vec<OldSecret> {
    let is_one = |secret: &Aging| match secret {
        Aging::Variable(name) => values::is_secret(name.as_str()),
        Aging::Credential(_) => true,
    };
    all.into_iter()
        .map(|(secret, since)| (secret, now.duration_since(since)))
        .filter(|(secret, age)| *age >= every && is_one(secret))
        .map(|(secret, age)| OldSecret {
            secret,
            days: age.as_hours() / 24,
        })
        .collect()
}

/// What `doctor` says of them. One finding for all variables: somebody who rotates does it in one go.
pub fn tell_of_old(environment: &EnvironmentId, old: &[OldSecret]) -> Vec<Finding> {
    let (mut variables, mut findings) = (Vec::new(), Vec::new());
    for OldSecret { secret, days } in old {
        match secret {
            Aging::Variable(name) => variables.push((name, days)),
            Aging::Credential(kind) => findings.push(
                Finding::warning(
                    format!("old {secret}"),
                    format!("it has been the same for {days} days"),
                )
                .hint(format!("`hostkit addon rotate {} {kind}`", environment.project)),
            ),
        }
    }
    if let Some((first, _)) = variables.first() {
        let names: Vec<String> = variables
            .iter()
            .map(|(name, days)| format!("`{name}` for {days} days"))
            .collect();
        let message = format!("the same for long: {}", names.join(", "));
        findings.push(Finding::warning("old secrets", message).hint(format!(
            "`hostkit env set {first} - --apply {}` takes a new one from its input; revoke the old one where it is from",
            options(environment)
        )));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;
    use crate::names::{EnvironmentName, ProjectName};

    fn file() -> KeyFile {
        KeyFile {
            path: "/data/key".into(),
            is_credential: false,
            mode: 0o600,
            is_ours: true,
            keys: 1,
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_a_problem() {
        let levels = |files: &[KeyFile]| {
            master_key(files)
                .iter()
                .map(|found| found.level)
                .collect::<Vec<_>>()
        };
        assert_eq!(levels(&[file()]), [Level::Fine]);
        for mode in [0o640, 0o604, 0o660, 0o620] {
            assert_eq!(
                levels(&[KeyFile { mode, ..file() }]),
                [Level::Problem],
                "{mode:o}"
            );
        }
        assert_eq!(
            levels(&[KeyFile {
                is_ours: false,
                ..file()
            }]),
            [Level::Problem]
        );
        assert_eq!(levels(&[KeyFile { keys: 2, ..file() }]), [Level::Warning]);
        let credential = KeyFile {
            is_credential: true,
            mode: 0o440,
            is_ours: false,
            ..file()
        };
        assert_eq!(levels(std::slice::from_ref(&credential)), [Level::Fine]);
        assert_eq!(levels(&[credential, file()]), [Level::Warning]);
    }

    #[test]
    fn what_is_old_is_named_with_its_age() {
        let shop = EnvironmentId::new(ProjectName::parse("shop").unwrap(), EnvironmentName::production());
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let ago = |days: i64| now - SignedDuration::from_hours(days * 24);
        let variable = |name: &str, days| (Aging::Variable(name.parse().unwrap()), ago(days));
        let all = [
            variable("JWT_SECRET", 91),
            variable("STRIPE_API_KEY", 89),
            variable("PORT_OF_CALL", 400),
            variable("SMTP_PASSWORD", 200),
            (Aging::Credential(AddonKind::Redis), ago(100)),
            (Aging::Credential(AddonKind::Postgres), ago(1)),
        ];

        let found = tell_of_old(&shop, &old_secrets(all.clone(), ROTATE_EVERY, now));

        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(
            found[0].hint.as_deref(),
            Some("`hostkit addon rotate shop redis`")
        );
        assert_eq!(
            found[1].message,
            "the same for long: `JWT_SECRET` for 91 days, `SMTP_PASSWORD` for 200 days"
        );
        let year = SignedDuration::from_hours(365 * 24);
        assert_eq!(old_secrets(all, year, now), []);
    }
}
