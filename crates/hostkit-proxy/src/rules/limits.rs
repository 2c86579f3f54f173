//! Rates: a time per client (GCRA), which is all a bucket of tokens is. Shared by all threads, because one client's
//! connections are; only routes with limits pay for the lock. Memory is bounded: when a table is full of clients that
//! are still counted, those who come new share one allowance.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use hostkit_core::route::limits::{Counted, RateLimit};
use hostkit_core::route::pattern::PathPattern;

const SHARDS: usize = 16;
/// Clients of one shard.
const CLIENTS: usize = 4096;
/// Stands for all who found no room.
const OTHERS: u64 = u64::MAX;

/// A limit with what was counted.
pub(super) struct Limit {
    pub(super) path: PathPattern,
    per: Counted,
    /// How many are taken at once.
    pub(super) burst: u32,
    /// Nanoseconds one request stands for.
    interval: u64,
    rule: RateLimit,
    counts: OnceLock<Arc<Counts>>,
}

/// What was counted. It outlives a route table that has the same limit as the one before.
struct Counts {
    born: Instant,
    /// When what a client sent will be used up, in nanoseconds after `born`.
    shards: [Mutex<HashMap<u64, u64>>; SHARDS],
}

impl Limit {
    pub(super) fn new(rule: &RateLimit) -> Limit {
        let time = u64::try_from(rule.rate.time.0.as_nanos()).unwrap_or(u64::MAX);
        Limit {
            path: rule.path.clone(),
            per: rule.per,
            burst: rule.burst.unwrap_or(rule.rate.requests).max(1),
            interval: (time / u64::from(rule.rate.requests.max(1))).max(1),
            rule: rule.clone(),
            counts: OnceLock::new(),
        }
    }

    /// Goes on counting where another limit of the same rule is; said before the first request is counted.
    pub(super) fn inherit(&self, before: &Limit) -> bool {
        let is_same = self.rule == before.rule;
        if is_same {
            // One that has counted already goes on with its own.
            drop(self.counts.set(Arc::clone(before.counts())));
        }
        is_same
    }

    fn counts(&self) -> &Arc<Counts> {
        self.counts.get_or_init(|| {
            Arc::new(Counts {
                born: Instant::now(),
                shards: Default::default(),
            })
        })
    }

    /// Counts a request of a client. How long it must wait, if it came too early; then it was not counted.
    pub(super) fn take(&self, client: IpAddr) -> Result<(), Duration> {
        self.take_at(client, self.counts().born.elapsed())
    }

    fn take_at(&self, client: IpAddr, now: Duration) -> Result<(), Duration> {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let mut key = match self.per {
            Counted::Client => key(client),
            Counted::Everybody => 0,
        };
        let shard = &self.counts().shards[(key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as usize % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= CLIENTS && !shard.contains_key(&key) {
            shard.retain(|_, used_up| *used_up > now);
            if shard.len() >= CLIENTS {
                key = OTHERS;
            }
        }
        let used_up = shard.entry(key).or_default();
        let next = (*used_up).max(now).saturating_add(self.interval);
        let room = self.interval.saturating_mul(u64::from(self.burst));
        match (next - now).checked_sub(room) {
            Some(wait) if wait > 0 => Err(Duration::from_nanos(wait)),
            _ => {
                *used_up = next;
                Ok(())
            }
        }
    }
}

/// An IPv4 address, or the network of an IPv6 one: its owner has all addresses of it.
fn key(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(address) => u64::from(u32::from(address)),
        IpAddr::V6(address) => (u128::from(address) >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(rate: &str, burst: Option<u32>, per: Counted) -> Limit {
        Limit::new(&RateLimit {
            path: PathPattern::parse("/(.*)").unwrap(),
            rate: rate.parse().unwrap(),
            burst,
            per,
        })
    }

    fn client(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn so_many_are_taken_at_once_and_then_one_by_one() {
        let limit = limit("10/s", Some(3), Counted::Client);
        let at = |ms| limit.take_at(client("192.0.2.1"), Duration::from_millis(ms));
        assert_eq!([at(0), at(0), at(0)], [Ok(()); 3]);
        assert_eq!(at(0), Err(Duration::from_millis(100)));
        assert_eq!(at(40), Err(Duration::from_millis(60)));
        assert_eq!(
            [at(100), at(101).map_err(|_| Duration::ZERO)],
            [Ok(()), Err(Duration::ZERO)]
        );
        // A client that waited has its allowance back, and no more than that.
        assert_eq!([at(5000), at(5000), at(5000)], [Ok(()); 3]);
        assert!(at(5000).is_err());
        assert_eq!(limit.take_at(client("192.0.2.2"), Duration::from_secs(5)), Ok(()));
    }

    #[test]
    fn the_same_limit_goes_on_counting_and_another_one_begins_anew() {
        let visitor = client("192.0.2.1");
        let first = limit("1/h", None, Counted::Client);
        assert!(first.take(visitor).is_ok());
        let same = limit("1/h", None, Counted::Client);
        assert!(same.inherit(&first));
        assert!(same.take(visitor).is_err());
        let other = limit("2/h", None, Counted::Client);
        assert!(!other.inherit(&same));
        assert!(other.take(visitor).is_ok());
    }

    #[test]
    fn an_ipv6_network_is_one_client_and_everybody_can_be() {
        let one = limit("1/s", None, Counted::Client);
        assert!(one.take_at(client("2001:db8::1"), Duration::ZERO).is_ok());
        assert!(one.take_at(client("2001:db8::ffff:2"), Duration::ZERO).is_err());
        assert!(one.take_at(client("2001:db8:0:1::1"), Duration::ZERO).is_ok());
        assert!(one.take_at(client("192.0.2.1"), Duration::ZERO).is_ok());
        assert!(one.take_at(client("::ffff:192.0.2.1"), Duration::ZERO).is_err());
        let all = limit("1/s", None, Counted::Everybody);
        assert!(all.take_at(client("192.0.2.1"), Duration::ZERO).is_ok());
        assert!(all.take_at(client("2001:db8::1"), Duration::ZERO).is_err());
    }

    #[test]
    fn a_flood_of_addresses_takes_bounded_memory_and_none_of_them_more_than_its_share() {
        let limit = limit("1/h", None, Counted::Client);
        let mut taken = 0;
        for number in 0..200_000u32 {
            let address = IpAddr::from(number.to_be_bytes());
            taken += usize::from(limit.take_at(address, Duration::ZERO).is_ok());
        }
        let known: usize = limit
            .counts()
            .shards
            .iter()
            .map(|shard| shard.lock().unwrap().len())
            .sum();
        assert!(known <= SHARDS * (CLIENTS + 1), "{known}");
        assert_eq!(taken, known);
        // What is used up makes room.
        let later = Duration::from_secs(3 * 3600);
        assert!(limit.take_at(client("203.0.113.1"), later).is_ok());
    }
}
