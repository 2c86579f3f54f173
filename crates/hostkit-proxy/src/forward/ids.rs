//! Request ids: taken over from the client where they are harmless, made otherwise.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use http::HeaderValue;

/// The id of a request, given the one it came with.
pub(super) fn request_id(given: Option<&HeaderValue>) -> HeaderValue {
    match given {
        Some(id) if is_harmless(id.as_bytes()) => id.clone(),
        _ => make(),
    }
}

fn is_harmless(id: &[u8]) -> bool {
    (1..=128).contains(&id.len())
        && id
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// 128 bits in hexadecimal. Told apart from all others, but not secret: a counter, mixed (splitmix64), after a start
/// that is random for each thread.
struct Ids {
    /// The thread's half, as text.
    text: [u8; 32],
    count: u64,
    /// Ids are cut from a piece of memory that is used again once all of them are gone.
    room: BytesMut,
}

/// Memory for so many bytes of ids at once: an id that lives long, as a tunnel's, keeps no more than this.
const ROOM: usize = 2048;

impl Ids {
    fn new() -> Ids {
        let mut seed = [0u8; 16];
        if getrandom::fill(&mut seed).is_err() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            seed = now.as_nanos().to_le_bytes();
        }
        let [thread, count] = [0, 8].map(|at| u64::from_le_bytes(std::array::from_fn(|i| seed[at + i])));
        let mut text = [0; 32];
        text[..16].copy_from_slice(&hexadecimal(thread));
        Ids {
            text,
            count,
            room: BytesMut::with_capacity(ROOM),
        }
    }

    fn next(&mut self) -> HeaderValue {
        self.count = self.count.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.count;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.text[16..].copy_from_slice(&hexadecimal(mixed ^ (mixed >> 31)));
        self.room.extend_from_slice(&self.text);
        HeaderValue::from_maybe_shared(self.room.split().freeze())
            .unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

/// Sixteen digits at once: each half byte goes to a byte of its own, and those above nine move on to the letters.
fn hexadecimal(number: u64) -> [u8; 16] {
    let half = |number: u32| {
        let mut spread = u64::from(number);
        spread = (spread << 16 | spread) & 0x0000_ffff_0000_ffff;
        spread = (spread << 8 | spread) & 0x00ff_00ff_00ff_00ff;
        spread = (spread << 4 | spread) & 0x0f0f_0f0f_0f0f_0f0f;
        let letters = ((spread + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
        (spread + 0x3030_3030_3030_3030 + letters * 0x27).to_be_bytes()
    };
    let mut text = [0; 16];
    text[..8].copy_from_slice(&half((number >> 32) as u32));
    text[8..].copy_from_slice(&half(number as u32));
    text
}

fn make() -> HeaderValue {
    thread_local! {
        static IDS: RefCell<Ids> = RefCell::new(Ids::new());
    }
    IDS.with_borrow_mut(Ids::next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for number in [0, 1, 0xf, 0x09af_90fa, u64::MAX, 0x0123_4567_89ab_cdef] {
            assert_eq!(hexadecimal(number), format!("{number:016x}").as_bytes());
        }
    }

    #[test]
    fn made_ids_differ_and_outlive_their_memory() {
        let kept: Vec<HeaderValue> = (0..1000).map(|_| make()).collect();
        let mut texts: Vec<&[u8]> = kept.iter().map(HeaderValue::as_bytes).collect();
        assert!(texts.iter().all(|id| id.len() == 32 && is_harmless(id)));
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), 1000);
    }
}
