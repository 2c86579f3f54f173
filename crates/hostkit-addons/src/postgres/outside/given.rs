//! A database elsewhere, as it was given: where programs find it, and how HostKit gets in.

use hostkit_core::addon::AddonOrder;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::reach::Reach;
use hostkit_core::secret::Secret;

use super::parse;
use crate::given;
use crate::outside::address;
use crate::postgres::session::Access;

/// Under which names those who keep databases give the address for programs, and the one for sessions.
const POOLED: [&str; 3] = ["DATABASE_URL", "POSTGRES_URL", "DATABASE_URI"];
const DIRECT: [&str; 3] = ["DIRECT_URL", "POSTGRES_URL_NON_POOLING", "DATABASE_URL_UNPOOLED"];
const PRISMA: &str = "POSTGRES_PRISMA_URL";

/// A database elsewhere.
#[derive(Debug)]
pub struct Given {
    /// The address for programs.
    pub pooled: Secret,
    /// The one for migrations; where only one was given, the same.
    pub direct: Secret,
    /// The one for Prisma.
    pub prisma: Secret,
    /// How HostKit gets in: by the direct one.
    pub access: Access,
    /// How programs do.
    pub pooled_access: Access,
    /// The database.
    pub database: String,
}

impl Given {
    /// Reads what was given; the order is one of a database elsewhere.
    pub fn of(order: &AddonOrder, reach: Reach) -> Result<Self, Failure> {
        let given = given::Given::parse(address(order)?)?;
        let pooled = match &given {
            given::Given::Url(url) => url,
            lines => lines.value(&POOLED).ok_or_else(|| {
                Failure::new(
                    Kind::Invalid,
                    "cannot use this address: none of its lines is `DATABASE_URL=…`",
                )
            })?,
        };
        let direct = given.value(&DIRECT).unwrap_or(pooled);
        let (access, database) = parse(direct, reach)?;
        let (pooled_access, _) = parse(pooled, reach)?;
        Ok(Given {
            prisma: given.value(&[PRISMA]).unwrap_or(pooled).clone(),
            pooled: pooled.clone(),
            direct: direct.clone(),
            access,
            pooled_access,
            database,
        })
    }
}
