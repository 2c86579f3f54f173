//! What is kept of a server's history, and what that is good for.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{LogPiece, Window};
use crate::backup::part::FileFigures;

/// A new base is made when the newest is so old: without one a recovery would have to read ever more of the log.
const BASE_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// So many pieces are taken beyond the one in which a moment must have passed: a server ends a piece now and then in which
/// nothing was written, and a moment is known to be reached by what was written after it.
const BEYOND: usize = 3;

/// A base: all files of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Which one, counted from 1.
    pub number: u64,
    /// The piece of the log from which on it is to be read.
    pub first: LogPiece,
    /// The first moment that it can be brought to.
    pub from: Timestamp,
    /// Its file.
    pub figures: FileFigures,
}

/// A piece that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPiece {
    /// Which.
    pub piece: LogPiece,
    /// When the server had filed it: all that it has was written before.
    pub filed_at: Timestamp,
    /// How many bytes it takes where it is kept.
    pub bytes: u64,
}

/// All that is kept of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    bases: BTreeMap<u64, Base>,
    log: BTreeMap<LogPiece, KeptPiece>,
}

/// What is of no use any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Useless {
    /// Bases, by number.
    pub bases: Vec<u64>,
    /// Pieces.
    pub pieces: Vec<KeptPiece>,
}

/// Why a moment cannot be brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreached {
    /// Nothing is kept so far.
    Nothing,
    /// It is before all that is kept.
    Before,
    /// What was written then is missing.
    Gap,
    /// What was written until then is not there yet.
    After,
}

impl Kept {
    /// Adds a base.
    pub fn add_base(&mut self, base: Base) {
        self.bases.insert(base.number, base);
    }

    /// Adds a piece.
    pub fn add_piece(&mut self, piece: KeptPiece) {
        self.log.insert(piece.piece.clone(), piece);
    }

    /// Leaves out what was removed.
    pub fn remove(&mut self, gone: &Useless) {
        for number in &gone.bases {
            self.bases.remove(number);
        }
        for piece in &gone.pieces {
            self.log.remove(&piece.piece);
        }
    }

    /// A piece, where it is kept.
    pub fn piece(&self, piece: &LogPiece) -> Option<&KeptPiece> {
        self.log.get(piece)
    }

    /// The number of the next base.
    pub fn next_number(&self) -> u64 {
        self.bases.last_key_value().map_or(1, |(number, _)| number + 1)
    }

    /// How many bytes all of it takes.
    pub fn bytes(&self) -> u64 {
        let bases = self.bases.values().map(|base| base.figures.bytes);
        bases.chain(self.log.values().map(|piece| piece.bytes)).sum()
    }

    /// The log after a base, as far as nothing of it is missing.
    fn after(&self, base: &Base) -> Vec<&KeptPiece> {
        let mut wanted = Some(base.first.clone());
        let mut found = Vec::new();
        while let Some(piece) = wanted.as_ref().and_then(|wanted| self.log.get(wanted)) {
            found.push(piece);
            wanted = piece.piece.next();
        }
        found
    }

    /// Which moments can be brought back, in their order.
    pub fn windows(&self) -> Vec<Window> {
        // Bases after which the log ends at the same piece have no gap between them.
        let mut by_end: BTreeMap<&LogPiece, Window> = BTreeMap::new();
        for base in self.bases.values() {
            let Some(last) = self.after(base).last().copied() else {
                continue;
            };
            if last.filed_at < base.from {
                continue;
            }
            let window = by_end.entry(&last.piece).or_insert(Window {
                from: base.from,
                to: last.filed_at,
            });
            window.from = window.from.min(base.from);
        }
        by_end.into_values().collect()
    }

    /// What brings a moment back: a base, and pieces of the log: first those that should do, then all that there are, if they
    /// are more.
    pub fn reaching(&self, to: Timestamp) -> Result<(&Base, Vec<Vec<KeptPiece>>), Unreached> {
        let Some(base) = self.bases.values().rev().find(|base| base.from <= to) else {
            let is_any = self.bases.values().any(|base| !self.after(base).is_empty());
            return Err(match is_any {
                true => Unreached::Before,
                false => Unreached::Nothing,
            });
        };
        let all: Vec<KeptPiece> = self.after(base).into_iter().cloned().collect();
        let Some(passed) = all.iter().position(|piece| piece.filed_at >= to) else {
            return Err(
                match self.is_broken(base) || self.bases.values().any(|other| other.from > to) {
                    true => Unreached::Gap,
                    false => Unreached::After,
                },
            );
        };
        let enough = (passed + 1 + BEYOND).min(all.len());
        let mut tries = vec![all[..enough].to_vec()];
        if enough < all.len() {
            tries.push(all);
        }
        Ok((base, tries))
    }

    /// Whether something of the log after a base is missing.
    fn is_broken(&self, base: &Base) -> bool {
        let Some((newest, _)) = self.log.last_key_value() else {
            return false;
        };
        *newest > base.first && self.after(base).last().map(|last| &last.piece) != Some(newest)
    }

    /// Whether a new base is to be made.
    pub fn is_base_due(&self, now: Timestamp) -> bool {
        self.bases.last_key_value().is_none_or(|(_, newest)| {
            // A clock that was turned back makes none each time.
            self.is_broken(newest) || now.duration_since(newest.from) >= BASE_AGE
        })
    }

    /// What no moment of the last `days` needs. Never a base without the log before the next one, nor the other way round.
    pub fn useless(&self, now: Timestamp, days: u32, on: bool) -> Useless {
        let horizon = now - SignedDuration::from_hours(24 * i64::from(days));
        let bases: Vec<&Base> = self.bases.values().collect();
        let goes = |at: usize| {
            let is_over = self
                .after(bases[at])
                .last()
                .is_none_or(|last| last.filed_at < horizon);
            match bases.get(at + 1) {
                Some(next) => next.from <= horizon || (is_over && bases[at].from < horizon),
                // The newest is what all goes on from.
                None => !on && is_over && bases[at].from < horizon,
            }
        };
        let (gone, stay): (Vec<usize>, Vec<usize>) = (0..bases.len()).partition(|at| goes(*at));
        let needed = stay.iter().flat_map(|at| self.after(bases[*at]));
        let needed: BTreeSet<&LogPiece> = needed.map(|kept| &kept.piece).collect();
        let newest = stay.last().map(|at| &bases[*at].first);
        let is_needed = |piece: &KeptPiece| match newest {
            // What comes after the newest base, or before the first one is there, is none's yet.
            Some(newest) => piece.piece >= *newest || needed.contains(&piece.piece),
            None => on && bases.is_empty(),
        };
        Useless {
            bases: gone.into_iter().map(|at| bases[at].number).collect(),
            pieces: self
                .log
                .values()
                .filter(|piece| !is_needed(piece))
                .cloned()
                .collect(),
        }
    }
}
