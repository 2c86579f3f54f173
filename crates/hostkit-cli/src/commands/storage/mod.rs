//! `hostkit storage`: work on the bucket of a project, with no key typed. What is asked of the bucket itself goes to it by
//! S3, with what the project's own programs are told; what is so in it goes through the API.

mod copy;
mod download;
mod list;
mod policy;
mod presign;
mod remove;
mod upload;

use hostkit_api::endpoints::{NoQuery, RevealAddon};
use hostkit_api::target::OneAddon;
use hostkit_core::addon::{AddonId, AddonKind};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::reach::Reach;
use hostkit_core::secret::Secret;
use hostkit_core::storage::signature::Keys;

use crate::args::{OfEnvironment, Place, StorageCommand};
use crate::s3::{Bucket, Endpoint};
use crate::session::Session;
use crate::stop::Stop;

pub(crate) async fn run(session: &Session<'_>, command: StorageCommand) -> Result<(), Stop> {
    match command {
        StorageCommand::Ls {
            place,
            environment,
            recursive,
        } => {
            let bucket = open(session, &place, &environment).await?;
            list::run(session, &bucket, &place.key, recursive).await
        }
        StorageCommand::Cp {
            source,
            destination,
            environment,
            recursive,
            content_type,
            cache_control,
        } => {
            let told = upload::Told {
                content_type,
                cache_control,
            };
            copy::run(session, &environment, (&source, &destination), recursive, &told).await
        }
        StorageCommand::Rm {
            place,
            environment,
            recursive,
            yes,
        } => remove::run(session, &place, &environment, recursive, yes).await,
        StorageCommand::Presign {
            place,
            environment,
            expires,
            put,
        } => presign::run(session, &place, &environment, expires, put).await,
        StorageCommand::Stats { whose } => policy::stats(session, &whose.id()).await,
        StorageCommand::Policy { whose, change } => policy::run(session, &whose.id(), change).await,
    }
}

impl Place {
    fn environment(&self, of: &OfEnvironment) -> EnvironmentId {
        EnvironmentId::new(self.project.clone(), of.environment.clone())
    }

    /// The key, where one object is meant.
    fn one(&self) -> Result<&str, Stop> {
        match self.key.is_empty() {
            true => Err(Stop::usage(
                format!("cannot tell which object of `{}` is meant", self.project),
                format!(
                    "write `{0}:KEY`; `hostkit storage ls {0}` shows what there is",
                    self.project
                ),
            )),
            false => Ok(&self.key),
        }
    }
}

/// The bucket of an environment, with the keys that its programs are told.
async fn open(session: &Session<'_>, place: &Place, of: &OfEnvironment) -> Result<Bucket, Stop> {
    let environment = place.environment(of);
    session.is_about(&environment);
    let target = OneAddon(AddonId::new(environment.clone(), AddonKind::Storage));
    let told = session
        .client()?
        .call::<RevealAddon>(&target, &NoQuery {}, &())
        .await?;
    let value = |name: &str| {
        let mut all = told.variables.iter();
        let found = all.find(|(known, _)| known.as_str() == name);
        let none = || {
            Failure::new(
                Kind::Internal,
                format!("cannot use the storage: it tells no {name}"),
            )
        };
        found.map(|(_, value)| value.clone()).ok_or_else(none)
    };
    let reach = match session.is_server() {
        true => Reach::OtherMachines,
        false => Reach::All,
    };
    let endpoint = Endpoint::parse(&value("S3_ENDPOINT")?, reach)?;
    if session.is_remote() && endpoint.is_here() {
        let message =
            format!("cannot reach the storage of `{environment}`: it answers on its own machine alone");
        return Err(Failure::new(Kind::Invalid, message)
            .hint("run this on that machine, without `--url`")
            .into());
    }
    Ok(Bucket {
        endpoint,
        name: value("S3_BUCKET")?,
        keys: Keys {
            access: value("S3_ACCESS_KEY_ID")?,
            secret: Secret::new(value("S3_SECRET_ACCESS_KEY")?),
            region: value("S3_REGION")?,
        },
    })
}
