//! Who gives memory to the processes of our binary. The front door takes and gives back memory dozens of times for each
//! request, and mimalloc makes a connection with one request a fifth cheaper. Every other role is a small process, and of some
//! there are as many as instances: a quick allocator costs each of them pages of its own, so they keep the system's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU8, Ordering};

use mimalloc::MiMalloc;
use rustix::fs::{Mode, OFlags};

const UNDECIDED: u8 = 0;
const SYSTEM: u8 = 1;
const QUICK: u8 = 2;

/// As much of a command line as is looked at: a path may have 4,096 bytes, and the role is the word behind it.
const LINE: usize = 5 * 1024;

/// mimalloc in processes of one role, the system's allocator in all others.
#[derive(Debug)]
pub struct Allocator {
    role: &'static str,
    choice: AtomicU8,
}

impl Allocator {
    /// mimalloc where the first argument of the process is `role`.
    pub const fn quick_in(role: &'static str) -> Allocator {
        Allocator {
            role,
            choice: AtomicU8::new(UNDECIDED),
        }
    }

    fn is_quick(&self) -> bool {
        match self.choice.load(Ordering::Relaxed) {
            UNDECIDED => self.decide(),
            choice => choice == QUICK,
        }
    }

    /// Happens with the first piece of memory, long before there is a second thread: all of a process comes from one
    /// allocator. Takes no memory itself.
    #[cold]
    fn decide(&self) -> bool {
        let mut line = [0; LINE];
        let is_quick = read_command_line(&mut line).is_ok_and(|line| is_of_role(line, self.role));
        self.choice
            .store(if is_quick { QUICK } else { SYSTEM }, Ordering::Relaxed);
        is_quick
    }
}

fn read_command_line(line: &mut [u8]) -> rustix::io::Result<&[u8]> {
    let file = rustix::fs::open(
        c"/proc/self/cmdline",
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let length = rustix::io::read(&file, &mut *line)?;
    Ok(&line[..length])
}

/// Whether the word behind the program's name is `role`.
fn is_of_role(line: &[u8], role: &str) -> bool {
    line.split(|byte| *byte == 0).nth(1) == Some(role.as_bytes())
}

#[allow(unsafe_code)]
// SAFETY: both are allocators, and each piece of memory goes back to the one it came from, as a process chooses once.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: what the caller promises holds for the allocator that is asked.
        unsafe {
            match self.is_quick() {
                true => MiMalloc.alloc(layout),
                false => System.alloc(layout),
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            match self.is_quick() {
                true => MiMalloc.alloc_zeroed(layout),
                false => System.alloc_zeroed(layout),
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe {
            match self.is_quick() {
                true => MiMalloc.dealloc(memory, layout),
                false => System.dealloc(memory, layout),
            }
        }
    }

    #[inline]
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            match self.is_quick() {
                true => MiMalloc.realloc(memory, layout, size),
                false => System.realloc(memory, layout, size),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_behind_the_programs_name_is_the_role() {
        assert!(is_of_role(b"/usr/bin/hostkit\0proxy\0--server\0", "proxy"));
        assert!(is_of_role(b"/proc/self/exe\0proxy\0", "proxy"));
        for line in [
            &b""[..],
            b"proxy\0",
            b"hostkit\0up\0proxy\0",
            b"hostkit\0proxy2\0",
            b"hostkit\0\0proxy\0",
            b"hostkit proxy\0",
        ] {
            assert!(!is_of_role(line, "proxy"), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_process_decides_once_and_by_its_own_command_line() {
        let role = std::env::args().nth(1);
        let is_there = role.is_some();
        let (own, other) = (
            Allocator::quick_in(role.unwrap_or("no word at all".to_owned()).leak()),
            Allocator::quick_in("none that is there"),
        );
        assert_eq!(own.is_quick(), is_there);
        assert!(!other.is_quick() && !other.is_quick());
        assert_eq!(other.choice.load(Ordering::Relaxed), SYSTEM);
    }

    #[test]
    #[allow(unsafe_code)]
    fn both_give_memory_that_is_aligned_cleared_and_kept_when_it_grows() {
        for choice in [SYSTEM, QUICK] {
            let allocator = Allocator::quick_in("");
            allocator.choice.store(choice, Ordering::Relaxed);
            for (size, align) in [(1, 1), (24, 8), (100, 64), (70_000, 16), (5_000_000, 4096)] {
                let layout = Layout::from_size_align(size, align).unwrap();
                let grown = Layout::from_size_align(size * 2, align).unwrap();
                // SAFETY: each piece is used within its size, and given back once with its layout.
                unsafe {
                    let memory = allocator.alloc_zeroed(layout);
                    assert!(!memory.is_null() && memory.addr().is_multiple_of(align));
                    assert!(
                        std::slice::from_raw_parts(memory, size)
                            .iter()
                            .all(|byte| *byte == 0)
                    );
                    memory.write_bytes(7, size);
                    let memory = allocator.realloc(memory, layout, grown.size());
                    assert!(!memory.is_null() && memory.addr().is_multiple_of(align));
                    assert!(
                        std::slice::from_raw_parts(memory, size)
                            .iter()
                            .all(|byte| *byte == 7)
                    );
                    allocator.dealloc(memory, grown);
                    let other = allocator.alloc(layout);
                    assert!(!other.is_null());
                    allocator.dealloc(other, layout);
                }
            }
        }
    }
}
