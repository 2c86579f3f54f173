//! What is known of one name, and what follows from it: what is shown, when it is renewed, how it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use hostkit_core::certificate::{
    CertificateName, CertificateSource, CertificateState, CertificateStatus, CertificateTrouble,
};
use jiff::Timestamp;

use crate::pair::{Facts, Pair};
use crate::record::Record;
use crate::schedule;

/// One name.
#[derive(Default)]
pub(crate) struct Entry {
    /// Who is to issue for it; nobody where it is not wanted.
    pub(crate) wanted: Option<CertificateSource>,
    /// Its certificates; of several, the first that is valid is shown.
    pub(crate) pairs: BTreeMap<CertificateSource, Arc<Pair>>,
    /// Why what lies on disk is of no use.
    pub(crate) broken: BTreeMap<CertificateSource, String>,
    /// How it is with issuing.
    pub(crate) record: Record,
    /// Since when it waits for its first certificate.
    pub(crate) waiting: Option<Timestamp>,
    /// Something is under way for it.
    pub(crate) is_busy: bool,
    /// It is asked for now, by somebody.
    pub(crate) is_forced: bool,
    /// When it is looked at next which certificate is shown, and what was seen instead.
    pub(crate) look: Option<Timestamp>,
    pub(crate) shown_instead: Option<String>,
}

impl Entry {
    /// The certificate that is shown: one that is over where there is no other.
    pub(crate) fn shown(&self, now: Timestamp) -> Option<(CertificateSource, &Arc<Pair>)> {
        let valid = self.pairs.iter().find(|(_, pair)| pair.is_valid(now));
        let latest = || self.pairs.iter().max_by_key(|(_, pair)| pair.facts.not_after);
        valid.or_else(latest).map(|(source, pair)| (*source, pair))
    }

    /// The certificate that an order would replace.
    pub(crate) fn replaced(&self) -> Option<Facts> {
        let pair = self.pairs.get(&CertificateSource::Acme);
        pair.filter(|_| self.record.window.is_some())
            .map(|pair| pair.facts.clone())
    }

    /// When a source is to issue.
    pub(crate) fn due(&self, source: CertificateSource, now: Timestamp) -> Timestamp {
        if self.is_forced {
            return Timestamp::MIN;
        }
        // What somebody brought is enough for as long as nobody would have renewed it.
        if let Some(brought) = self.pairs.get(&CertificateSource::Imported)
            && let renewal = schedule::renewal(&brought.facts, None)
            && renewal > now
        {
            return renewal;
        }
        let wanted = match self.pairs.get(&source) {
            Some(pair) => schedule::renewal(&pair.facts, self.record.window.as_ref()),
            None => self.waiting.unwrap_or(Timestamp::MIN),
        };
        self.record.next_try.map_or(wanted, |next| wanted.max(next))
    }

    /// How it is.
    pub(crate) fn status(&self, name: &CertificateName, now: Timestamp) -> CertificateStatus {
        let shown = self.shown(now);
        let facts = shown.map(|(_, pair)| &pair.facts);
        let is_valid = shown.is_some_and(|(_, pair)| pair.is_valid(now));
        let ended = || {
            facts.filter(|_| !is_valid).map(|facts| {
                format!(
                    "it is not valid: it is for {} to {}",
                    facts.not_before, facts.not_after
                )
            })
        };
        let broken = || self.broken.values().next().cloned();
        let why = self.record.last_error.clone().or_else(broken).or_else(ended);
        let is_issued = shown.is_some_and(|(source, _)| source != CertificateSource::Imported);
        CertificateStatus {
            name: name.clone(),
            source: shown
                .map(|(source, _)| source)
                .or(self.wanted)
                .or_else(|| self.broken.keys().next().copied())
                .unwrap_or(CertificateSource::Acme),
            issuer: facts.map(|facts| facts.issuer.clone()),
            not_before: facts.map(|facts| facts.not_before),
            not_after: facts.map(|facts| facts.not_after),
            renewal: facts
                .filter(|_| is_issued && self.wanted.is_some())
                .map(|facts| schedule::renewal(facts, self.record.window.as_ref())),
            state: match (is_valid, &why) {
                (true, _) => CertificateState::Served,
                (false, Some(_)) => CertificateState::Failed,
                (false, None) => CertificateState::Pending,
            },
            trouble: why.map(|why| CertificateTrouble {
                why,
                next: self.record.next_try.filter(|_| self.wanted.is_some()),
            }),
            shown_instead: self.shown_instead.clone(),
        }
    }
}
