//! Small files in memory, so that a file asked for again and again is not opened, looked at and read each time. What
//! is kept is believed for a second at most: a release's files never change, but nothing relies on it.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderValue;

use super::conditions::Validators;
use crate::compress::Coding;

/// How long a file is believed to be what it was.
const BELIEVED: Duration = Duration::from_secs(1);
/// The largest file that is kept.
const LARGEST: usize = 64 * 1024;
/// The most bytes kept, per thread.
const MOST: usize = 4 << 20;
/// What a file costs besides its content, roughly.
const OVERHEAD: usize = 512;

/// A file with everything an answer needs made ready.
pub(super) struct Ready {
    pub(super) size: u64,
    pub(super) validators: Validators,
    pub(super) kind: HeaderValue,
    pub(super) content: Content,
    /// The root it was found in, counted from the live one.
    pub(super) root: usize,
    /// The coding its bytes are in.
    pub(super) coding: Option<Coding>,
    /// Others may get it in another coding.
    pub(super) varies: bool,
    /// The same file in other codings, once they were looked for.
    pub(super) forms: Forms,
}

/// What was found of a file's forms. It is looked for when the first client asks that takes one.
#[derive(Default)]
pub(super) struct Forms {
    /// Those made with the release, by coding: nothing inside for one that is not there.
    pub(super) siblings: OnceCell<[Option<Rc<Ready>>; 3]>,
    /// Those made here.
    pub(super) made: RefCell<Vec<Rc<Ready>>>,
}

/// Where a file's bytes are.
#[derive(Clone)]
pub(super) enum Content {
    Memory(Bytes),
    Open(Arc<OwnedFd>),
}

/// The files one thread keeps, by site and name.
#[derive(Default)]
pub(crate) struct FileCache {
    sites: HashMap<u64, HashMap<Vec<u8>, Kept>>,
    bytes: usize,
}

struct Kept {
    file: Rc<Ready>,
    since: Instant,
}

impl Ready {
    /// What keeping it costs; nothing if it is not to be kept.
    fn cost(&self) -> Option<usize> {
        match &self.content {
            Content::Memory(bytes) if bytes.len() <= LARGEST => Some(bytes.len() + OVERHEAD),
            _ => None,
        }
    }
}

impl FileCache {
    /// A file that was looked at a moment ago.
    pub(super) fn get(&self, site: u64, name: &[u8], now: Instant) -> Option<Rc<Ready>> {
        let kept = self.sites.get(&site)?.get(name)?;
        (now.saturating_duration_since(kept.since) < BELIEVED).then(|| Rc::clone(&kept.file))
    }

    /// Keeps a file, if it is small and there is room.
    pub(super) fn keep(&mut self, site: u64, name: &[u8], file: &Rc<Ready>, now: Instant) {
        let Some(cost) = file.cost() else { return };
        if self.bytes + cost > MOST {
            return;
        }
        let kept = Kept {
            file: Rc::clone(file),
            since: now,
        };
        let before = self.sites.entry(site).or_default().insert(name.to_vec(), kept);
        self.bytes += cost;
        self.bytes -= before.and_then(|kept| kept.file.cost()).unwrap_or_default();
    }

    /// Drops what is believed no longer.
    pub(crate) fn expire(&mut self, now: Instant) {
        let bytes = &mut self.bytes;
        self.sites.retain(|_, files| {
            files.retain(|_, kept| {
                let fresh = now.saturating_duration_since(kept.since) < BELIEVED;
                if !fresh {
                    *bytes -= kept.file.cost().unwrap_or_default();
                }
                fresh
            });
            !files.is_empty()
        });
    }
}
