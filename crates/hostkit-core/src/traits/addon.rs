//! What provides add-ons.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::addon::{AddonId, AddonKind, AddonOrder, AddonState, Console};
use crate::kind::Failure;
use crate::names::VariableName;
use crate::port_use::PortUse;
use crate::secret::Secret;
use crate::traits::{Buckets, Databases};
use crate::variables::Variables;

/// Provides one kind of add-on, or uses those of one kind that somebody else keeps. What it provides outlives the caller.
/// Calls for different add-ons may overlap; calls for one never do.
#[async_trait::async_trait]
pub trait Addon: Send + Sync {
    /// Which kind.
    fn kind(&self) -> AddonKind;

    /// Whether it uses what somebody else keeps ([`AddonSettings::outside`]). Of each kind there may be one that does and one
    /// that does not.
    ///
    /// [`AddonSettings::outside`]: crate::addon::AddonSettings::outside
    fn is_outside(&self) -> bool {
        false
    }

    /// Whether each add-on of this kind listens on a port of its own, which the order then names.
    fn needs_port(&self) -> bool;

    /// Makes it so that the add-on exists, runs, answers, has its settings, and accepts exactly the credentials of the
    /// order. Returns when that is so. Idempotent; mends what drifted or was lost. Never takes data away: where data
    /// is missing that was there before ([`AddonOrder::made`]), that is a Conflict for the operator to know, and a new,
    /// empty add-on is made only where none has been. A credential that is no longer in the order is refused afterwards, also to connections that
    /// are open. One that was and is in the order is accepted at every moment: no command of a program that uses it
    /// fails because of this call, unless a setting changes that needs a new start.
    async fn ensure(&self, order: &AddonOrder) -> Result<(), Failure>;

    /// Those of these that are as [`Addon::ensure`] left them, told by one look at all of them, so that nobody need ensure
    /// them one by one; some that are may be left out. What they share is ensured by it, and where that fails none of them
    /// works. May overlap with every other call.
    async fn settled(&self, _orders: &[&AddonOrder]) -> Result<BTreeSet<AddonId>, Failure> {
        Ok(BTreeSet::new())
    }

    /// How it is. Changes nothing. A failure means that nothing can be said; an add-on that does not work is no failure.
    async fn observe(&self, order: &AddonOrder) -> Result<AddonState, Failure>;

    /// Takes the add-on away with all of its data. Idempotent. What somebody else keeps is left as it is.
    async fn remove(&self, id: &AddonId) -> Result<(), Failure>;

    /// The names of the variables that a binding gives. A user cannot set these while there is one.
    fn variable_names(&self) -> Vec<VariableName>;

    /// What a binding gives to programs: values for exactly [`Addon::variable_names`], with the newest credential. Of what
    /// somebody else keeps, those that were given.
    /// Pure; the order is complete.
    fn variables(&self, order: &AddonOrder) -> Variables;

    /// What of a credential must be shown nowhere, where not all of it is a secret: the passwords in an address. Pure.
    fn passwords(&self, _order: &AddonOrder) -> Vec<Secret> {
        Vec::new()
    }

    /// The loopback ports on which it is reached, its own and those of programs that serve all projects, as far as they
    /// are chosen. Pure.
    fn ports(&self, order: &AddonOrder) -> BTreeMap<u16, PortUse>;

    /// The program with which people work on the add-on as the project may, with further arguments for it. None where
    /// there is no such program. Pure.
    fn console(&self, order: &AddonOrder, arguments: &[String]) -> Option<Console>;

    /// The work on its databases, where it has any.
    fn databases(&self, _order: &AddonOrder) -> Option<Arc<dyn Databases>> {
        None
    }

    /// The work on its bucket, where it has one.
    fn buckets(&self) -> Option<&dyn Buckets> {
        None
    }
}
