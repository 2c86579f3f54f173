//! Arguments of `provision`, and what `project create` takes beside a name.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use hostkit_core::names::{HostName, ProjectName};
use hostkit_core::secret::Secret;

use super::addon::{AddressSource, KindName};

#[derive(Debug, Args)]
pub(crate) struct ProvisionArgs {
    /// 3 to 32 lowercase letters, digits and single hyphens
    pub(crate) name: ProjectName,
    /// Without a database
    #[arg(long)]
    pub(crate) no_db: bool,
    /// Without the auth service
    #[arg(long)]
    pub(crate) no_auth: bool,
    /// Without object storage
    #[arg(long)]
    pub(crate) no_storage: bool,
    #[command(flatten)]
    pub(crate) extras: Extras,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// 3 to 32 lowercase letters, digits and single hyphens
    pub(crate) name: ProjectName,
    /// With a database of PostgreSQL
    #[arg(long)]
    pub(crate) with_db: bool,
    /// With the auth service (not part of this version)
    #[arg(long)]
    pub(crate) with_auth: bool,
    /// With a bucket that speaks S3
    #[arg(long)]
    pub(crate) with_storage: bool,
    #[command(flatten)]
    pub(crate) extras: Extras,
}

/// What a project can be made with.
#[derive(Debug, Args)]
pub(crate) struct Extras {
    /// With a Redis of its own
    #[arg(long)]
    pub(crate) with_redis: bool,
    /// Use one that somebody else keeps, such as postgres=address.txt; its address is read from a file, stdin (`-`) or a
    /// variable (`env:NAME`); more than once
    #[arg(long, value_name = "KIND=SOURCE")]
    pub(crate) outside: Vec<OutsideChoice>,
    /// With the secrets of `hostkit env` in `.env`, which every project has
    #[arg(long)]
    pub(crate) with_secrets: bool,
    /// Answer this host name as well; `hosts` in the hostkit.toml of `--source` has to name it
    #[arg(long, value_name = "HOST")]
    pub(crate) domain: Option<HostName>,
    /// With a certificate (not part of this version)
    #[arg(long)]
    pub(crate) ssl: bool,
    /// Deploy this folder or archive at once; `-` reads an archive from stdin
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) source: Option<PathBuf>,
}

/// `KIND=SOURCE`, read later: what is refused while arguments are read is repeated, and this may be an address by mistake.
#[derive(Debug, Clone)]
pub(crate) struct OutsideChoice(Secret);

impl From<String> for OutsideChoice {
    fn from(text: String) -> Self {
        OutsideChoice(Secret::new(text))
    }
}

impl OutsideChoice {
    /// Which kind, and where its address is read.
    pub(crate) fn read(&self) -> Result<(KindName, AddressSource), &'static str> {
        let text = self.0.reveal();
        let (kind, source) = text.split_once('=').unwrap_or((text, ""));
        let kind = KindName::from_str(kind, false)
            .map_err(|_| "it begins with `postgres=`, `redis=` or `storage=`")?;
        match source.is_empty() {
            true => Err("after the `=` comes where its address is read: a file, `-` or `env:NAME`"),
            false => Ok((kind, AddressSource::from(source))),
        }
    }
}
