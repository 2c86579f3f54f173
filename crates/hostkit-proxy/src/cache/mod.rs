//! The shared cache (RFC 9111): answers that an application marks as cacheable, kept in memory for all threads, and
//! answered from there. A request is looked for in [`ask`]; what a backend answers goes through [`keep`]; an answer is
//! made of what is kept in [`serve`]. [`rules`] are the standard's, [`store`] is the memory, [`disk`] what
//! stays when that is full or gone, [`flight`] lets many requests wait for one.

pub(crate) mod ask;
pub(crate) mod directives;
pub(crate) mod disk;
mod entry;
mod flight;
mod growing;
pub(crate) mod keep;
mod look;
pub(crate) mod own;
mod refresh;
mod rules;
mod scope;
mod serve;
pub(crate) mod store;
#[cfg(test)]
mod tests;
mod visit;

pub(crate) use growing::Reader;
pub(crate) use look::{is_for_all, look};
pub(crate) use scope::Scope;
pub(crate) use serve::note;
pub(crate) use store::Cache;
pub(crate) use visit::Visit;

/// What the cache did for a request, for the answer's header and the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheResult {
    /// Answered from memory.
    Hit,
    /// Not there, or not usable: a backend answered.
    Miss,
    /// Answered from memory although it is not fresh any more, as the application allows.
    Stale,
    /// A backend confirmed what was there.
    Revalidated,
    /// Not asked: the request is none that is answered from a cache.
    Bypass,
}

impl CacheResult {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            CacheResult::Hit => "HIT",
            CacheResult::Miss => "MISS",
            CacheResult::Stale => "STALE",
            CacheResult::Revalidated => "REVALIDATED",
            CacheResult::Bypass => "BYPASS",
        }
    }
}
