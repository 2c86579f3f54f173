//! What is known of each name: its certificates, whether it is wanted, how the last try went. Values alone; what is done
//! about it is `tend`'s.

use std::collections::BTreeMap;
use std::sync::Arc;

use hostkit_core::certificate::{CertificateName, CertificateSource, CertificateStatus, Reach};
use jiff::Timestamp;

use crate::disk::Found;
use crate::entry::Entry;
use crate::pair::Pair;
use crate::record::Record;
use crate::schedule;
use crate::table::Table;

/// Every name.
pub(crate) struct Book {
    entries: BTreeMap<CertificateName, Entry>,
    wildcards: Vec<CertificateName>,
    /// Before anybody said what is wanted, nothing is unwanted.
    is_told: bool,
}

impl Book {
    pub(crate) fn new(found: Vec<Found>) -> Self {
        let mut entries: BTreeMap<CertificateName, Entry> = BTreeMap::new();
        for found in found {
            let entry = entries.entry(found.name).or_default();
            match found.pair {
                Some(Ok(pair)) => drop(entry.pairs.insert(found.source, Arc::new(pair))),
                Some(Err(why)) => {
                    tracing::warn!("a certificate is put aside: {why}");
                    drop(entry.broken.insert(found.source, why));
                }
                None => {}
            }
            if found.source == CertificateSource::Acme {
                entry.record = found.record;
            }
        }
        Book {
            entries,
            wildcards: Vec::new(),
            is_told: false,
        }
    }

    /// The names that should have a certificate, and the wildcards among them.
    pub(crate) fn want(
        &mut self,
        wanted: BTreeMap<CertificateName, CertificateSource>,
        wildcards: Vec<CertificateName>,
    ) {
        let now = Timestamp::now();
        for (name, entry) in &mut self.entries {
            entry.wanted = wanted.get(name).copied();
        }
        let names: Vec<CertificateName> = self.entries.keys().cloned().collect();
        names.iter().for_each(|name| self.drop_empty(name));
        for (name, source) in wanted {
            let entry = self.entries.entry(name).or_default();
            entry.wanted = Some(source);
            entry.waiting.get_or_insert(now);
        }
        self.wildcards = wildcards;
        self.is_told = true;
    }

    /// Has a name ordered now.
    pub(crate) fn renew(&mut self, name: &CertificateName) -> Result<(), ()> {
        let entry = self.entries.get_mut(name).filter(|entry| entry.wanted.is_some());
        entry.map(|entry| entry.is_forced = true).ok_or(())
    }

    /// A name that is known.
    pub(crate) fn entry(&mut self, name: &CertificateName) -> Option<&mut Entry> {
        self.entries.get_mut(name)
    }

    /// Nothing is under way for a name any more.
    pub(crate) fn free(&mut self, name: &CertificateName) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.is_busy = false;
        }
        self.drop_empty(name);
    }

    pub(crate) fn entries(&mut self) -> impl Iterator<Item = (&CertificateName, &mut Entry)> {
        self.entries.iter_mut()
    }

    /// Takes a new certificate.
    pub(crate) fn keep(&mut self, name: &CertificateName, source: CertificateSource, pair: Arc<Pair>) {
        let entry = self.entries.entry(name.clone()).or_default();
        entry.pairs.insert(source, pair);
        entry.broken.remove(&source);
        entry.look = Some(Timestamp::now());
        if source != CertificateSource::Imported {
            entry.record = Record::default();
            entry.is_forced = false;
        }
    }

    /// Forgets a certificate; whether there was one.
    pub(crate) fn forget(&mut self, name: &CertificateName, source: CertificateSource) -> bool {
        let Some(entry) = self.entries.get_mut(name) else {
            return false;
        };
        entry.look = Some(Timestamp::now());
        let there = (
            entry.pairs.remove(&source).is_some(),
            entry.broken.remove(&source).is_some(),
        );
        if source != CertificateSource::Imported {
            entry.record = Record::default();
        }
        self.drop_empty(name);
        there != (false, false)
    }

    /// Notes what issuing failed of, and when it is tried again.
    pub(crate) fn fail(&mut self, name: &CertificateName, why: String, next: Timestamp) -> Record {
        let entry = self.entries.entry(name.clone()).or_default();
        entry.is_forced = false;
        entry.record.last_error = Some(why);
        entry.record.next_try = Some(next);
        entry.record.clone()
    }

    /// Counts a failure of a name; how many there were.
    pub(crate) fn count(&mut self, name: &CertificateName) -> u32 {
        let record = &mut self.entries.entry(name.clone()).or_default().record;
        record.failures = record.failures.saturating_add(1);
        record.failures
    }

    /// The names that are to be issued now by a source, those that wait longest first, and when the next is due.
    pub(crate) fn due(
        &self,
        source: CertificateSource,
        now: Timestamp,
    ) -> (Vec<CertificateName>, Option<Timestamp>) {
        let mut due = Vec::new();
        let mut next: Option<Timestamp> = None;
        for (name, entry) in &self.entries {
            if entry.is_busy || entry.wanted != Some(source) || self.is_covered(name, entry, now) {
                continue;
            }
            match entry.due(source, now) {
                at if at <= now => due.push((at, name.clone())),
                at => next = Some(next.map_or(at, |next| next.min(at))),
            }
        }
        due.sort();
        (due.into_iter().map(|(_, name)| name).collect(), next)
    }

    /// Names nobody wants any more, of which a certificate is over or was never obtained.
    pub(crate) fn over(&self, now: Timestamp) -> Vec<(CertificateName, CertificateSource)> {
        let issued = [CertificateSource::Acme, CertificateSource::Local];
        let is_over = |entry: &Entry, source: CertificateSource| match entry.pairs.get(&source) {
            Some(pair) => pair.facts.not_after <= now,
            None => {
                entry.broken.contains_key(&source)
                    || (source == CertificateSource::Acme && entry.record != Record::default())
            }
        };
        self.entries
            .iter()
            .filter(|(_, entry)| self.is_told && entry.wanted.is_none() && !entry.is_busy)
            .flat_map(|(name, entry)| issued.map(|source| (name, entry, source)))
            .filter(|(_, entry, source)| is_over(entry, *source))
            .map(|(name, _, source)| (name.clone(), source))
            .collect()
    }

    /// What is shown for each name.
    pub(crate) fn table(&self, now: Timestamp) -> Table {
        let mut table = Table::default();
        for (name, entry) in &self.entries {
            let Some((_, pair)) = entry.shown(now) else {
                continue;
            };
            // One that is over tells a visitor more than one of ours, but less than a wildcard that is valid.
            if pair.is_valid(now) || !self.has_wildcard(name, now) {
                table.insert(name, Arc::clone(&pair.shown));
            }
        }
        table
    }

    /// How each name is.
    pub(crate) fn status(&self, now: Timestamp) -> Vec<CertificateStatus> {
        let is_seen = |name: &CertificateName, entry: &Entry| {
            let has_some = !entry.pairs.is_empty() || !entry.broken.is_empty();
            has_some || entry.wanted.is_some() && !self.is_covered(name, entry, now)
        };
        let entries = self.entries.iter().filter(|(name, entry)| is_seen(name, entry));
        entries.map(|(name, entry)| entry.status(name, now)).collect()
    }

    /// Whether a name needs no certificate of its own because a wildcard is there, or on its way.
    fn is_covered(&self, name: &CertificateName, entry: &Entry, now: Timestamp) -> bool {
        // Clients do not take `*.localhost` for everything below it, and our own certificates cost nothing.
        let is_own = entry.wanted == Some(CertificateSource::Local);
        if name.reach() == Reach::Below || entry.is_forced || is_own {
            return false;
        }
        let host = name.host().as_str();
        let on_its_way = |wildcard: &CertificateName| {
            let entry = self.entries.get(wildcard);
            wildcard.covers(host) && entry.is_some_and(|entry| entry.record.failures == 0)
        };
        // One that nobody renews, as one that was brought, is enough until names have to look for others.
        let lasts =
            |entry: &Entry, pair: &Pair| entry.wanted.is_some() || schedule::renewal(&pair.facts, None) > now;
        let wildcard = self.wildcard(name).filter(|entry| {
            let shown = entry.shown(now);
            shown.is_some_and(|(_, pair)| pair.is_valid(now) && lasts(entry, pair))
        });
        wildcard.is_some() || self.wildcards.iter().any(on_its_way)
    }

    fn drop_empty(&mut self, name: &CertificateName) {
        let is_empty = |entry: &Entry| {
            let has_nothing =
                entry.pairs.is_empty() && entry.broken.is_empty() && entry.record == Record::default();
            has_nothing && entry.wanted.is_none() && !entry.is_busy
        };
        if self.entries.get(name).is_some_and(is_empty) {
            self.entries.remove(name);
        }
    }

    fn has_wildcard(&self, name: &CertificateName, now: Timestamp) -> bool {
        let shown = self.wildcard(name).and_then(|entry| entry.shown(now));
        shown.is_some_and(|(_, pair)| pair.is_valid(now))
    }

    /// What is known of the wildcard that a host is below.
    fn wildcard(&self, name: &CertificateName) -> Option<&Entry> {
        let host = name.host().as_str();
        let (_, parent) = host.split_once('.').filter(|_| name.reach() == Reach::Host)?;
        self.entries.get(&CertificateName::below(parent.parse().ok()?))
    }
}
