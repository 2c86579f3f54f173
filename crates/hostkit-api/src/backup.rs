//! Backups as they travel. The noun itself is the core's.

use hostkit_core::addon::AddonKind;
use hostkit_core::backup::Backup;
use hostkit_core::backup::history::HistoryStanding;
use hostkit_core::backup::part::PartName;
use hostkit_core::backup::schedule::BackupSchedule;
use hostkit_core::backup::target::{S3Settings, TargetSettings};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{BackupPath, EnvironmentName, NameError, ProjectName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::target::{Find, Parameter, Target, name};

/// How it stands with the backups of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backups {
    /// The backups, newest first.
    pub backups: Vec<Backup>,
    /// When they are made, and which stay.
    pub schedule: BackupSchedule,
    /// Where they are kept.
    pub place: String,
    /// Whether somebody has shown to have the recovery kit. Without it no backup is safe: should this machine be lost,
    /// nobody can read them.
    pub kit_confirmed: bool,
    /// What somebody else keeps for the environment, and no backup has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<AddonKind>,
    /// To which moments databases can be brought back; none where the environment has no databases, or none can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryStanding>,
}

/// A backup of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneBackup {
    /// The environment.
    pub environment: EnvironmentId,
    /// The number of the backup.
    pub number: u64,
}

/// A part of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnePart {
    /// The backup.
    pub backup: OneBackup,
    /// The part.
    pub part: PartName,
}

const PROJECT: Parameter = <EnvironmentId as Target>::PARAMETERS[0];
const ENVIRONMENT: Parameter = <EnvironmentId as Target>::PARAMETERS[1];
const BACKUP: Parameter = Parameter {
    name: "backup",
    doc: "The number of the backup.",
};

/// The number of a backup, as it stands in a path.
struct Number(u64);

impl std::str::FromStr for Number {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse().map(Number).map_err(|_| NameError {
            what: "backup",
            value: text.chars().filter(|c| !c.is_control()).take(64).collect(),
            rule: "use its number",
        })
    }
}

impl Target for OneBackup {
    const PARAMETERS: &'static [Parameter] = &[PROJECT, ENVIRONMENT, BACKUP];
    fn read(find: Find<'_>) -> Result<Self, hostkit_core::kind::Failure> {
        let Number(number) = name(find, "backup")?;
        Ok(OneBackup {
            environment: EnvironmentId::read(find)?,
            number,
        })
    }
    fn part(&self, parameter: &str) -> Option<String> {
        match parameter {
            "backup" => Some(self.number.to_string()),
            other => self.environment.part(other),
        }
    }
    fn project(&self) -> Option<&ProjectName> {
        Some(&self.environment.project)
    }
}

impl Target for OnePart {
    const PARAMETERS: &'static [Parameter] = &[
        PROJECT,
        ENVIRONMENT,
        BACKUP,
        Parameter {
            name: "part",
            doc: "The name of the part: `postgres`, `variables`, …",
        },
    ];
    fn read(find: Find<'_>) -> Result<Self, hostkit_core::kind::Failure> {
        Ok(OnePart {
            backup: OneBackup::read(find)?,
            part: name(find, "part")?,
        })
    }
    fn part(&self, parameter: &str) -> Option<String> {
        match parameter {
            "part" => Some(self.part.to_string()),
            other => self.backup.part(other),
        }
    }
    fn project(&self) -> Option<&ProjectName> {
        self.backup.project()
    }
}

/// How a backup is restored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restoration {
    /// `false`: what is there now is not backed up first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<bool>,
}

/// To which moment databases are brought back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MomentRestoration {
    /// The moment (RFC 3339, with its zone): what was committed until then is there, what was later is not.
    pub at: Option<Timestamp>,
    /// `false`: what is there now is not backed up first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<bool>,
}

/// Which backup is restored, and where: the project is made where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestorationElsewhere {
    /// The project it is of.
    pub project: Option<ProjectName>,
    /// The environment it is of (`production` where none is named).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// Its number; the newest that can be restored where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// No backup: its databases as they were at this moment (RFC 3339, with its zone).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The project it is restored into (the same where none is named).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_project: Option<ProjectName>,
    /// The environment it is restored into (the same where none is named).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_environment: Option<EnvironmentName>,
    /// `false`: what is there now is not backed up first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<bool>,
}

/// What is changed of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupChange {
    /// Whether it stays until somebody lets go of it.
    pub held: bool,
}

/// Whether backups are removed, or it is only said which would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pruning {
    /// Whether it is only said.
    #[serde(default)]
    pub only_ask: bool,
}

/// Where backups are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupPlace {
    /// Where, in words.
    pub place: String,
    /// Whether somebody named it; else it is a folder of the installation's own, on the disk that it is to save.
    pub named: bool,
    /// Whether somebody has shown to have the recovery kit.
    pub kit_confirmed: bool,
}

/// A place for backups, as somebody names it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum NewBackupTarget {
    /// A folder of the machine, absolute.
    Folder {
        /// Where.
        path: std::path::PathBuf,
    },
    /// A bucket that speaks the S3 API.
    S3 {
        /// Its URL without the bucket.
        endpoint: String,
        /// The bucket.
        bucket: String,
        /// What the names of all files begin with.
        #[serde(default)]
        prefix: String,
        /// The region that requests are signed for.
        region: String,
        /// Who asks.
        access_key_id: String,
        /// What requests are signed with.
        secret_access_key: String,
    },
}

impl TryFrom<NewBackupTarget> for TargetSettings {
    type Error = Failure;
    fn try_from(new: NewBackupTarget) -> Result<Self, Failure> {
        match new {
            NewBackupTarget::Folder { path } => TargetSettings::folder(&path),
            NewBackupTarget::S3 {
                endpoint,
                bucket,
                prefix,
                region,
                access_key_id,
                secret_access_key,
            } => {
                let prefix = match prefix.as_str() {
                    "" => None,
                    prefix => Some(BackupPath::parse(prefix).map_err(|why| {
                        Failure::new(
                            Kind::Invalid,
                            format!("cannot use the prefix of a backup target: {why}"),
                        )
                    })?),
                };
                let secret = Secret::new(secret_access_key);
                S3Settings::new(&endpoint, &bucket, prefix, &region, &access_key_id, secret)
                    .map(TargetSettings::S3)
            }
        }
    }
}

impl std::fmt::Debug for NewBackupTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NewBackupTarget::Folder { path } => write!(f, "folder {}", path.display()),
            NewBackupTarget::S3 { bucket, .. } => write!(f, "bucket {bucket}"),
        }
    }
}

/// The text of a recovery kit, or its key alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KitText {
    /// The text.
    pub text: String,
}

impl std::fmt::Debug for KitText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What was found with a recovery kit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Adopted {
    /// How many backups that were not known here.
    pub backups: usize,
}

/// How data are taken away or replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// `false`: what is there is not backed up first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<bool>,
}

impl Removal {
    /// Whether what is there is backed up first.
    pub fn is_backed_up(&self) -> bool {
        self.backup != Some(false)
    }
}
