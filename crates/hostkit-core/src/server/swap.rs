//! How much swap a machine without any gets.

use crate::size::ByteSize;

const GIB: u64 = 1 << 30;
/// What is wanted.
const WANTED: u64 = 4 * GIB;
/// Less is not worth a file.
const LEAST: u64 = GIB / 2;
/// Sizes are whole multiples of this.
const STEP: u64 = 256 << 20;

/// The size of the swap file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapSize {
    /// All that is wanted.
    Full(ByteSize),
    /// Less, for the disk is small.
    Reduced(ByteSize),
    /// The disk has no room for it.
    NoRoom,
}

/// At most a third of what is free, so that the disk is not full of swap before the first project is there.
pub fn swap_size(free: u64) -> SwapSize {
    let size = (free / 3).min(WANTED) / STEP * STEP;
    match size {
        WANTED => SwapSize::Full(ByteSize(WANTED)),
        LEAST.. => SwapSize::Reduced(ByteSize(size)),
        _ => SwapSize::NoRoom,
    }
}
