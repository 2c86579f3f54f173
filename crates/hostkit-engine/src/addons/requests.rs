//! What is asked of add-ons from outside.

use hostkit_core::addon::{AddonId, AddonSettings};
use hostkit_core::backup::Backup;
use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::storage::{BucketPolicy, BucketReport};
use hostkit_core::variables::Variables;
use hostkit_store::Addon;

use super::{AddonReport, New, bucket, outside};
use crate::Engine;

/// Add-ons of environments.
impl Engine {
    /// The add-ons of an environment, with how they are.
    pub async fn addons(&self, environment: &EnvironmentId) -> Result<Vec<AddonReport>, Failure> {
        super::list(&self.context, environment).await
    }

    /// Adds an add-on to an environment, which is made where its project exists. Returns when it is ready. Programs that
    /// run are told of it when they are started anew.
    pub async fn add_addon(
        &self,
        id: &AddonId,
        settings: &AddonSettings,
        by: &str,
    ) -> Result<AddonReport, Failure> {
        super::add(&self.context, id, New::Own(settings.clone()), by).await
    }

    /// Adds one that somebody else keeps, by its address, which is tried first. Where it cannot be used nothing is added.
    pub async fn add_outside_addon(
        &self,
        id: &AddonId,
        address: &Secret,
        by: &str,
    ) -> Result<AddonReport, Failure> {
        super::add(&self.context, id, New::Outside(address.clone()), by).await
    }

    /// Gives an add-on other settings and returns when it has them. Where it cannot have them it keeps those it had.
    pub async fn change_addon(
        &self,
        id: &AddonId,
        settings: &AddonSettings,
        by: &str,
    ) -> Result<AddonReport, Failure> {
        super::change(&self.context, id, settings, by).await
    }

    /// Takes an add-on away with all of its data, which is backed up first where that is asked and backups are made. What
    /// somebody else keeps is only forgotten.
    pub async fn remove_addon(&self, id: &AddonId, backup: bool) -> Result<Option<Backup>, Failure> {
        super::remove(&self.context, id, backup).await
    }

    /// Gives an add-on a new credential and queues a restart of what is live, after which the one before is refused.
    pub async fn rotate_addon(&self, id: &AddonId, by: &str) -> Result<Addon, Failure> {
        super::rotate(&self.context, &self.lanes, id, by).await
    }

    /// Gives an add-on that somebody else keeps another address, which is tried first, and queues a restart of what is live.
    pub async fn move_outside_addon(
        &self,
        id: &AddonId,
        address: &Secret,
        by: &str,
    ) -> Result<Addon, Failure> {
        outside::change(&self.context, &self.lanes, id, address, by).await
    }

    /// What programs are told of an add-on. That it was shown is recorded.
    pub fn reveal_addon(&self, id: &AddonId, by: &str) -> Result<Variables, Failure> {
        super::reveal(&self.context, id, by)
    }

    /// What the bucket of an environment holds, and what is so in it.
    pub async fn bucket(&self, environment: &EnvironmentId) -> Result<BucketReport, Failure> {
        bucket::report(&self.context, environment).await
    }

    /// Sets what is so in the bucket of an environment, all at once.
    pub async fn set_bucket_policy(
        &self,
        environment: &EnvironmentId,
        policy: &BucketPolicy,
        by: &str,
    ) -> Result<BucketReport, Failure> {
        bucket::set_policy(&self.context, environment, policy, by).await
    }
}
