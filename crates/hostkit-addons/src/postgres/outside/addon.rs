//! A database elsewhere as the PostgreSQL of an environment.

use std::sync::Arc;

use hostkit_core::addon::{AddonKind, AddonOrder, Console};
use hostkit_core::kind::Failure;
use hostkit_core::names::VariableName;
use hostkit_core::reach::Reach;
use hostkit_core::secret::Secret;
use hostkit_core::traits::Databases;
use hostkit_core::variables::Variables;
use hostkit_host::command::Guard;

use super::{Given, look};
use crate::outside::{Elsewhere, Found};
use crate::postgres::Described;
use crate::postgres::addon::{DATABASE_URL, DIRECT_URL, POSTGRES_PRISMA_URL, variable_names};

/// Uses databases that somebody else keeps. Clones are one.
#[derive(Clone)]
pub struct OutsidePostgres {
    /// Where copies are tried.
    pub(super) own: Arc<dyn Described>,
    /// Runs tools.
    pub(super) guard: Guard,
    pub(super) reach: Reach,
    /// Copies are tried one at a time: what they are tried in is shared.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

impl OutsidePostgres {
    /// Goes as far as `reach`; copies are tried in the server of `own`, with tools that run under `guard`.
    pub fn new(own: Arc<dyn Described>, guard: Guard, reach: Reach) -> Self {
        OutsidePostgres {
            own,
            guard,
            reach,
            turn: Arc::default(),
        }
    }

    /// Where the database of an order is.
    pub(crate) fn given(&self, order: &AddonOrder) -> Result<Given, Failure> {
        Given::of(order, self.reach)
    }
}

#[async_trait::async_trait]
impl Elsewhere for OutsidePostgres {
    fn kind(&self) -> AddonKind {
        AddonKind::Postgres
    }

    /// By both addresses.
    async fn look(&self, order: &AddonOrder) -> Result<Found, Failure> {
        let given = self.given(order)?;
        let seen = look(&given.access).await?;
        if given.pooled_access != given.access {
            let pooled = given.pooled_access.connect(&given.pooled_access.home).await?;
            // As simple as can be: a pool may not know more.
            pooled.simple("ask the pooled address", "SELECT 1").await?;
        }
        Ok(Found {
            warnings: seen.warnings(&given.access),
            version: Some(seen.version),
        })
    }

    fn variable_names(&self) -> Vec<VariableName> {
        variable_names()
    }

    fn variables(&self, order: &AddonOrder) -> Variables {
        let Ok(given) = self.given(order) else {
            return Variables::new();
        };
        [
            (DATABASE_URL, given.pooled),
            (DIRECT_URL, given.direct),
            (POSTGRES_PRISMA_URL, given.prisma),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((VariableName::parse(name).ok()?, value)))
        .collect()
    }

    fn passwords(&self, order: &AddonOrder) -> Vec<Secret> {
        let Ok(given) = self.given(order) else {
            return Vec::new();
        };
        let read = [given.access.password, given.pooled_access.password];
        // In the address it may be written otherwise than it is.
        let written = [given.pooled, given.direct, given.prisma].map(|url| written_password(&url));
        read.into_iter().chain(written).flatten().collect()
    }

    fn console(&self, order: &AddonOrder, arguments: &[String]) -> Option<Console> {
        let given = self.given(order).ok()?;
        let variables = given.access.variables(&given.database).into_iter();
        let mut words = vec!["psql".to_owned()];
        words.extend_from_slice(arguments);
        Some(Console {
            arguments: words,
            variables: variables
                .filter_map(|(name, value)| Some((VariableName::parse(name).ok()?, value)))
                .collect(),
        })
    }

    fn databases(&self, order: &AddonOrder) -> Option<Arc<dyn Databases>> {
        Some(Arc::new(self.of(order)))
    }
}

/// The password of a URL, as it stands there.
fn written_password(url: &Secret) -> Option<Secret> {
    let (_, rest) = url.reveal().split_once("://")?;
    let (login, _) = rest.rsplit_once('@')?;
    let (_, password) = login.split_once(':')?;
    Some(Secret::new(password))
}
