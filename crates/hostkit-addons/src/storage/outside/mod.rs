//! A bucket that somebody else keeps, by its address: at Amazon, at Cloudflare, on a MinIO of one's own. Programs are told
//! what was given; nothing is made there but the object of a trial, which is deleted again.

mod address;
mod client;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hostkit_core::addon::{AddonId, AddonKind, AddonOrder};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::VariableName;
use hostkit_core::reach::{Reach, is_this_machine};
use hostkit_core::secret::Secret;
use hostkit_core::storage::{BucketPolicy, BucketReport, BucketRules};
use hostkit_core::traits::Buckets;
use hostkit_core::variables::Variables;

use super::addon::{Told, VARIABLES, variable};
use crate::outside::{self, Elsewhere, Found};
use crate::proof::Proof;
use address::Given;
use client::Client;

/// What the object of a trial holds.
const TRIAL: &[u8] = b"HostKit tries whether this bucket can be used, and deletes this again.\n";
/// How its key begins.
const TRIAL_KEY: &str = ".hostkit-trial-";
/// Objects of a page.
const PAGE: u32 = 1000;
/// Objects are counted page by page, for no longer than this.
const LONGEST_COUNT: Duration = Duration::from_secs(30);

/// What keys may, as a trial found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    Everything,
    /// Write, and not delete: the object of the trial is there still.
    WriteOnly,
    Read,
}

/// Uses buckets that somebody else keeps.
pub struct OutsideStorage {
    reach: Reach,
    /// What was found of the addresses that were tried.
    tried: Mutex<BTreeMap<AddonId, (Secret, May)>>,
}

impl OutsideStorage {
    /// Goes as far as `reach`.
    pub fn new(reach: Reach) -> Self {
        OutsideStorage {
            reach,
            tried: Mutex::default(),
        }
    }

    fn tried(&self) -> MutexGuard<'_, BTreeMap<AddonId, (Secret, May)>> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What its keys may: tried once for each address, for a write is one that somebody may pay for.
    async fn may(&self, order: &AddonOrder, client: &Client<'_>) -> Result<May, Failure> {
        let address = outside::address(order)?;
        if let Some((known, may)) = self.tried().get(&order.id)
            && known == address
        {
            return Ok(*may);
        }
        let may = try_out(client).await?;
        self.tried().insert(order.id.clone(), (address.clone(), may));
        Ok(may)
    }
}

/// Puts a small object, reads it, and deletes it.
async fn try_out(client: &Client<'_>) -> Result<May, Failure> {
    let mut number = [0; 12];
    getrandom::fill(&mut number)
        .map_err(|why| Failure::new(Kind::Internal, format!("cannot choose the key of a trial: {why}")))?;
    let number: String = number.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = format!("{TRIAL_KEY}{number}");
    match client.put(&key, TRIAL).await {
        Err(failure) if failure.kind == Kind::Denied => return Ok(May::Read),
        put => put?,
    }
    let read = client.get(&key).await;
    let deleted = client.delete(&key).await;
    if read? != TRIAL {
        let why = "it answers another content than was put";
        return Err(client.failure(Kind::Unavailable, "read an object", why));
    }
    match deleted {
        Err(failure) if failure.kind == Kind::Denied => Ok(May::WriteOnly),
        deleted => deleted.map(|()| May::Everything),
    }
}

#[async_trait::async_trait]
impl Elsewhere for OutsideStorage {
    fn kind(&self) -> AddonKind {
        AddonKind::Storage
    }

    async fn look(&self, order: &AddonOrder) -> Result<Found, Failure> {
        let given = Given::of(order)?;
        let client = Client {
            given: &given,
            reach: self.reach,
        };
        client.list(1, None).await?;
        let mut warnings = Vec::new();
        match self.may(order, &client).await? {
            May::Everything => {}
            May::Read => warnings.push("its keys may not write: programs can only read".to_owned()),
            May::WriteOnly => warnings.push(format!(
                "its keys may not delete: an object `{TRIAL_KEY}…` of the trial stays in it"
            )),
        }
        if given.listens.proof == Proof::None && !is_this_machine(&given.listens.host) {
            warnings.push("nothing is encrypted on the way to it".to_owned());
        }
        Ok(Found {
            version: None,
            warnings,
        })
    }

    fn variable_names(&self) -> Vec<VariableName> {
        VARIABLES.iter().filter_map(|(name, _)| variable(name)).collect()
    }

    fn variables(&self, order: &AddonOrder) -> Variables {
        let Ok(given) = Given::of(order) else {
            return Variables::new();
        };
        let value = |told: Told| match told {
            Told::Endpoint => Some(Secret::new(given.endpoint.as_str())),
            Told::Bucket => Some(Secret::new(given.bucket.as_str())),
            Told::Region => Some(Secret::new(given.keys.region.as_str())),
            Told::AccessKey => Some(Secret::new(given.keys.access.as_str())),
            Told::SecretKey => Some(given.keys.secret.clone()),
            Told::PublicUrl => given.public_url.as_deref().map(Secret::new),
        };
        VARIABLES
            .iter()
            .filter_map(|(name, told)| Some((variable(name)?, value(*told)?)))
            .collect()
    }

    fn passwords(&self, order: &AddonOrder) -> Vec<Secret> {
        let given = Given::of(order).ok();
        given
            .into_iter()
            .flat_map(|given| [Some(given.keys.secret), given.written])
            .flatten()
            .collect()
    }

    fn buckets(&self) -> Option<&dyn Buckets> {
        Some(self)
    }

    fn forget(&self, id: &AddonId) {
        self.tried().remove(id);
    }
}

#[async_trait::async_trait]
impl Buckets for OutsideStorage {
    /// Counted page by page: S3 has no question for it.
    async fn report(&self, order: &AddonOrder) -> Result<BucketReport, Failure> {
        let given = Given::of(order)?;
        let client = Client {
            given: &given,
            reach: self.reach,
        };
        let (began, mut from) = (Instant::now(), None::<String>);
        let (mut objects, mut bytes) = (0_u64, 0_u64);
        loop {
            let page = client.list(PAGE, from.as_deref()).await?;
            objects += page.objects.len() as u64;
            bytes = page
                .objects
                .iter()
                .fold(bytes, |sum, one| sum.saturating_add(one.size));
            from = page.next;
            if from.is_none() {
                break;
            }
            if began.elapsed() > LONGEST_COUNT {
                let why = format!("it has more than {objects} objects, too many to count one by one");
                let failure = client.failure(Kind::Conflict, "count its objects", &why);
                return Err(failure.hint("whoever keeps it shows its size"));
            }
        }
        Ok(BucketReport {
            public_url: given
                .public_url
                .unwrap_or_else(|| format!("{}/{}", given.endpoint, given.bucket)),
            bucket: given.bucket.to_string(),
            objects,
            bytes,
            policy: BucketPolicy::default(),
            outside: true,
        })
    }

    async fn set_rules(&self, order: &AddonOrder, _: &BucketRules) -> Result<(), Failure> {
        let message = format!(
            "cannot set the rules of {}: its bucket is kept elsewhere",
            order.id
        );
        Err(Failure::new(Kind::Conflict, message).hint("set them there"))
    }
}
