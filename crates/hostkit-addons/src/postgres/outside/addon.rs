//! A database elsewhere as the PostgreSQL of an environment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::addon::{AddonHealth, AddonId, AddonKind, AddonOrder, AddonState, Console};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::VariableName;
use hostkit_core::port_use::PortUse;
use hostkit_core::reach::Reach;
use hostkit_core::secret::Secret;
use hostkit_core::traits::{Addon, Databases};
use hostkit_core::variables::Variables;
use hostkit_host::command::Guard;

use super::{Given, Seen, look};
use crate::postgres::Described;
use crate::postgres::addon::{DATABASE_URL, DIRECT_URL, POSTGRES_PRISMA_URL, variable_names};

/// How long a look may take, with the name's resolution and all.
const LONGEST_LOOK: Duration = Duration::from_secs(20);

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
    pub(crate) fn new(own: Arc<dyn Described>, guard: Guard, reach: Reach) -> Self {
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

    /// Whether it works by both addresses, and what it is.
    async fn look(&self, given: &Given) -> Result<Seen, Failure> {
        let looked = tokio::time::timeout(LONGEST_LOOK, async {
            let seen = look(&given.access).await?;
            if given.pooled_access != given.access {
                let pooled = given.pooled_access.connect(&given.pooled_access.home).await?;
                // As simple as can be: a pool may not know more.
                pooled.simple("ask the pooled address", "SELECT 1").await?;
            }
            Ok(seen)
        });
        looked.await.unwrap_or_else(|_| {
            let why = format!(
                "cannot ask the database: no answer within {}s",
                LONGEST_LOOK.as_secs()
            );
            Err(Failure::new(Kind::Unavailable, why))
        })
    }
}

#[async_trait::async_trait]
impl Addon for OutsidePostgres {
    fn kind(&self) -> AddonKind {
        AddonKind::Postgres
    }

    fn is_outside(&self) -> bool {
        true
    }

    fn needs_port(&self) -> bool {
        false
    }

    async fn ensure(&self, order: &AddonOrder) -> Result<(), Failure> {
        self.look(&self.given(order)?).await.map(drop)
    }

    async fn observe(&self, order: &AddonOrder) -> Result<AddonState, Failure> {
        let given = self.given(order)?;
        let (health, version, warnings) = match self.look(&given).await {
            Ok(seen) => {
                let warnings = seen.warnings(&given.access);
                (AddonHealth::Ready, Some(seen.version), warnings)
            }
            Err(failure) => (AddonHealth::Down(failure.message), None, Vec::new()),
        };
        Ok(AddonState {
            health,
            memory: None,
            version,
            warnings,
        })
    }

    async fn remove(&self, _: &AddonId) -> Result<(), Failure> {
        Ok(())
    }

    fn variable_names(&self) -> Vec<VariableName> {
        variable_names()
    }

    fn variables(&self, order: &AddonOrder) -> Variables {
        // An order was looked at before it was taken.
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
        let all = read.into_iter().chain(written).flatten();
        all.filter(|password| !password.reveal().is_empty()).collect()
    }

    fn ports(&self, _: &AddonOrder) -> BTreeMap<u16, PortUse> {
        BTreeMap::new()
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
