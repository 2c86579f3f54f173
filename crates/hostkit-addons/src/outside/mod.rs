//! What somebody else keeps, of whatever kind: looked at, never made, and never taken away. What a kind knows of its own is an
//! [`Elsewhere`]; [`Outside`] makes an add-on of it.
//!
//! Those who keep things may count what they are asked. One that was good is asked again after minutes; one that was not, at
//! each round.

mod looks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hostkit_core::addon::{AddonHealth, AddonId, AddonKind, AddonOrder, AddonState, Console};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::VariableName;
use hostkit_core::port_use::PortUse;
use hostkit_core::secret::Secret;
use hostkit_core::traits::{Addon, Buckets, Databases};
use hostkit_core::variables::Variables;
use hostkit_core::variables::mask::Masker;

use looks::Looks;

/// How long a look may take, with the name's resolution and all.
const LONGEST_LOOK: Duration = Duration::from_secs(20);

/// A part of an address, with what `%XX` stands for; why it is none.
pub(crate) fn plain(text: &str) -> Result<String, &'static str> {
    let text = percent_encoding::percent_decode_str(text).decode_utf8();
    let text = text.map_err(|_| "a part of it is not UTF-8")?;
    match text.contains('\0') {
        true => Err("it has the byte 0 inside"),
        false => Ok(text.into_owned()),
    }
}

/// What a look tells of one that works.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The version, where it is told.
    pub version: Option<String>,
    /// What would be better otherwise.
    pub warnings: Vec<String>,
}

/// One kind of what somebody else keeps. An order is one of that kind; its newest credential is the address.
#[async_trait]
pub trait Elsewhere: Send + Sync {
    /// Which kind.
    fn kind(&self) -> AddonKind;

    /// Whether it works by all that was given, and what it is.
    async fn look(&self, order: &AddonOrder) -> Result<Found, Failure>;

    /// As [`Addon::variable_names`].
    fn variable_names(&self) -> Vec<VariableName>;

    /// As [`Addon::variables`]; none of an address that cannot be read, which no order has that was looked at.
    fn variables(&self, order: &AddonOrder) -> Variables;

    /// As [`Addon::passwords`].
    fn passwords(&self, order: &AddonOrder) -> Vec<Secret>;

    /// As [`Addon::console`].
    fn console(&self, _order: &AddonOrder, _arguments: &[String]) -> Option<Console> {
        None
    }

    /// As [`Addon::databases`].
    fn databases(&self, _order: &AddonOrder) -> Option<Arc<dyn Databases>> {
        None
    }

    /// As [`Addon::buckets`].
    fn buckets(&self) -> Option<&dyn Buckets> {
        None
    }

    /// One is not used any more: nothing is known of it from now on.
    fn forget(&self, _id: &AddonId) {}
}

/// Uses those of one kind that somebody else keeps.
pub struct Outside<E> {
    of: E,
    looks: Looks,
    now: Box<dyn Fn() -> Instant + Send + Sync>,
}

impl<E: Elsewhere> Outside<E> {
    /// Those of a kind.
    pub fn new(of: E) -> Self {
        Outside::by_clock(of, Instant::now)
    }

    /// The same by another clock, as tests have one.
    pub fn by_clock(of: E, now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Outside {
            of,
            looks: Looks::default(),
            now: Box::new(now),
        }
    }

    async fn look(&self, order: &AddonOrder) -> Result<Found, Failure> {
        self.looks.forget(&order.id);
        let looked = tokio::time::timeout(LONGEST_LOOK, self.of.look(order)).await;
        let found = looked.unwrap_or_else(|_| {
            let why = format!(
                "cannot ask the {} of `{}`: no answer within {}s",
                order.id.kind.title(),
                order.id.environment,
                LONGEST_LOOK.as_secs()
            );
            Err(Failure::new(Kind::Unavailable, why))
        });
        let found = found.map_err(|failure| self.hidden(order, failure))?;
        self.looks.note_good(order, (self.now)());
        Ok(found)
    }

    /// A failure without what gets in there: the other side may be anything, also what repeats all that it is told.
    fn hidden(&self, order: &AddonOrder, failure: Failure) -> Failure {
        let masker = Masker::new(self.passwords(order).iter().map(Secret::reveal));
        let masked = |text: &String| masker.mask(text).into_owned();
        Failure {
            kind: failure.kind,
            message: masked(&failure.message),
            hint: failure.hint.as_ref().map(masked),
            details: failure.details.iter().map(masked).collect(),
        }
    }
}

#[async_trait]
impl<E: Elsewhere> Addon for Outside<E> {
    fn kind(&self) -> AddonKind {
        self.of.kind()
    }

    fn is_outside(&self) -> bool {
        true
    }

    fn needs_port(&self) -> bool {
        false
    }

    async fn ensure(&self, order: &AddonOrder) -> Result<(), Failure> {
        self.look(order).await.map(drop)
    }

    async fn settled(&self, orders: &[&AddonOrder]) -> Result<BTreeSet<AddonId>, Failure> {
        let now = (self.now)();
        let good = orders.iter().filter(|order| self.looks.was_good(order, now));
        Ok(good.map(|order| order.id.clone()).collect())
    }

    async fn observe(&self, order: &AddonOrder) -> Result<AddonState, Failure> {
        let (health, found) = match self.look(order).await {
            Ok(found) => (AddonHealth::Ready, found),
            Err(failure) => (AddonHealth::Down(failure.message), Found::default()),
        };
        Ok(AddonState {
            health,
            memory: None,
            version: found.version,
            warnings: found.warnings,
        })
    }

    async fn remove(&self, id: &AddonId) -> Result<(), Failure> {
        self.looks.forget(id);
        self.of.forget(id);
        Ok(())
    }

    fn variable_names(&self) -> Vec<VariableName> {
        self.of.variable_names()
    }

    fn variables(&self, order: &AddonOrder) -> Variables {
        self.of.variables(order)
    }

    fn passwords(&self, order: &AddonOrder) -> Vec<Secret> {
        let mut all = self.of.passwords(order);
        all.retain(|password| !password.reveal().is_empty());
        all
    }

    fn ports(&self, _: &AddonOrder) -> BTreeMap<u16, PortUse> {
        BTreeMap::new()
    }

    fn console(&self, order: &AddonOrder, arguments: &[String]) -> Option<Console> {
        self.of.console(order, arguments)
    }

    fn databases(&self, order: &AddonOrder) -> Option<Arc<dyn Databases>> {
        self.of.databases(order)
    }

    fn buckets(&self) -> Option<&dyn Buckets> {
        self.of.buckets()
    }
}

/// The address of an order: its newest credential.
pub(crate) fn address(order: &AddonOrder) -> Result<&Secret, Failure> {
    let newest = order.credentials.first().map(|newest| &newest.secret);
    newest.ok_or_else(|| {
        let (title, environment) = (order.id.kind.title(), &order.id.environment);
        let message = format!("cannot tell where the {title} of `{environment}` is");
        Failure::new(Kind::Internal, message)
    })
}

#[cfg(test)]
mod tests;
