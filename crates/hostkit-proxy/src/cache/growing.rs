//! A body that many read while it comes in. One task brings it, at the backend's pace; no reader holds up another
//! until it turns out to be too large to be kept.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};

use crate::shared::Shared;

/// How far the readers of a body that is not kept may lag behind.
const WINDOW: usize = 1 << 20;

/// The body.
pub(crate) struct Growing {
    shared: Arc<Shared>,
    /// The largest that is kept.
    largest: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<Bytes>,
    /// The number of the first piece that is still there.
    first: usize,
    /// Bytes of the pieces.
    bytes: usize,
    /// It is too large: what all have read goes, and it is not kept.
    passing: bool,
    end: Option<End>,
    /// The number of the next piece of each reader.
    readers: Vec<Option<usize>>,
    waiting: Vec<Waker>,
    bringer: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Broken,
}

impl Growing {
    /// An empty body that will be longer.
    pub(super) fn new(shared: Arc<Shared>, largest: usize) -> Growing {
        Growing {
            shared,
            largest,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader from the beginning; nothing if that is gone already.
    pub(super) fn reader(self: &Arc<Self>, length: Option<u64>) -> Option<Reader> {
        let mut state = self.lock();
        if state.passing {
            return None;
        }
        state.readers.push(Some(0));
        Some(Reader {
            number: state.readers.len() - 1,
            growing: Arc::clone(self),
            left: length,
            ended: false,
        })
    }

    /// Brings a piece. Fails when nobody wants any more.
    pub(super) async fn bring(&self, piece: Bytes) -> Result<(), Unwanted> {
        {
            let coming = &self.shared.cache.coming;
            let mut state = self.lock();
            state.bytes += piece.len();
            let all = coming.fetch_add(piece.len(), Ordering::Relaxed) + piece.len();
            // Answers on their way may take as much memory as those that are kept.
            state.passing |= state.bytes > self.largest || all > self.shared.cache.most;
            // A piece may be part of a larger one, which is not to be kept for it.
            state.pieces.push_back(Bytes::copy_from_slice(&piece));
            state.wake_readers();
        }
        poll_fn(|context| {
            let mut state = self.lock();
            if !state.passing {
                return Poll::Ready(Ok(()));
            }
            if state.readers.iter().all(Option::is_none) {
                return Poll::Ready(Err(Unwanted));
            }
            self.forget(&mut state);
            if state.bytes <= WINDOW {
                return Poll::Ready(Ok(()));
            }
            state.bringer = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Forgets what all have read.
    fn forget(&self, state: &mut State) {
        let slowest = state.readers.iter().flatten().min().copied();
        while state.first < slowest.unwrap_or(usize::MAX)
            && let Some(piece) = state.pieces.pop_front()
        {
            state.first += 1;
            state.bytes -= piece.len();
            self.shared.cache.coming.fetch_sub(piece.len(), Ordering::Relaxed);
        }
    }

    /// It is whole. Returns it, if it is to be kept.
    pub(super) fn finish(&self) -> Option<Bytes> {
        let mut state = self.lock();
        state.end = Some(End::Whole);
        state.wake_readers();
        if state.passing {
            return None;
        }
        let mut all = BytesMut::with_capacity(state.bytes);
        for piece in &state.pieces {
            all.extend_from_slice(piece);
        }
        Some(all.freeze())
    }

    /// It broke off, unless it was whole before.
    pub(super) fn break_off(&self) {
        let mut state = self.lock();
        state.end.get_or_insert(End::Broken);
        state.wake_readers();
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        let bytes = self.lock().bytes;
        self.shared.cache.coming.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl State {
    fn wake_readers(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }
}

/// Nobody reads a body that is not kept.
pub(super) struct Unwanted;

/// Somebody who reads it.
pub(crate) struct Reader {
    growing: Arc<Growing>,
    number: usize,
    left: Option<u64>,
    ended: bool,
}

impl Reader {
    /// How many bytes are to come, where that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        self.left
    }

    /// Whether nothing is to come.
    pub(crate) fn is_over(&self) -> bool {
        self.ended || self.left == Some(0)
    }

    /// The next piece.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let mut state = self.growing.lock();
        let next = state.readers[self.number].unwrap_or_default();
        if let Some(piece) = state.pieces.get(next - state.first).cloned() {
            state.readers[self.number] = Some(next + 1);
            if state.passing
                && let Some(bringer) = state.bringer.take()
            {
                bringer.wake();
            }
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(piece.len() as u64);
            }
            return Poll::Ready(Some(Ok(piece)));
        }
        match state.end {
            Some(End::Whole) => {
                self.ended = true;
                Poll::Ready(None)
            }
            Some(End::Broken) => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
            None => {
                let waker = context.waker();
                if !state.waiting.iter().any(|known| known.will_wake(waker)) {
                    state.waiting.push(waker.clone());
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.growing.lock();
        state.readers[self.number] = None;
        if let Some(bringer) = state.bringer.take() {
            bringer.wake();
        }
    }
}
