//! A woven dump: the dumps of one database that were made at the same time, its *strands*, in one stream. This owns the
//! form of that stream; who makes and takes strands is not its business. What is read is as hostile as any file.
//!
//! ```text
//! magic (8 bytes), number of strands (1 byte)
//! frames: strand (1 byte), length (4 bytes, the least first), bytes      a length of 0 ends the strand
//! end:    255, a length of 0
//! ```
//!
//! The first strand has everything but some rows. It comes first, up to [`HEAD`] bytes of it: who restores it begins with
//! what stands in there.

#[cfg(test)]
mod tests;

/// What a woven dump begins with, and nothing else that a part of a database begins with.
pub const MAGIC: &[u8; 8] = b"HKWOVEN1";
/// The most strands of one.
pub const MOST_STRANDS: usize = 4;
/// The most bytes of a frame.
pub const MOST_BYTES: usize = 1 << 20;
/// So much of the first strand comes before anything of the others, or all of it.
pub const HEAD: usize = 8 << 20;

/// The strand that is none: it ends all.
const END: u8 = 255;
/// What stands in front of the bytes of a frame.
const FRONT: usize = 5;

/// What a dump of so many strands begins with.
pub fn beginning(strands: usize) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(number(strands));
    bytes
}

/// The next bytes of a strand, at most [`MOST_BYTES`]; none end it.
pub fn frame(strand: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRONT + bytes.len());
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    frame.push(number(strand));
    frame.extend(length.to_le_bytes());
    frame.extend(bytes);
    frame
}

/// The end of all, after the end of each.
pub fn end() -> Vec<u8> {
    frame(END.into(), &[])
}

fn number(of: usize) -> u8 {
    u8::try_from(of).unwrap_or(END)
}

/// What came of a strand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Which, from 0.
    pub strand: usize,
    /// Its next bytes; none: it is whole.
    pub bytes: Vec<u8>,
}

/// Why a woven dump is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The stream ended before its end mark.
    #[error("it ends before its end")]
    CutShort,
    /// It does not begin as one.
    #[error("it does not begin as dumps that were woven together do")]
    NotWoven,
    /// It says that it has none, or more than there may be.
    #[error("it says that it is of {0} dumps, and may be of 1 to {MOST_STRANDS}")]
    Strands(u8),
    /// A frame of a strand that there is not.
    #[error("it has something of a dump {0}, which there is not")]
    Unknown(u8),
    /// A frame of a strand that has ended.
    #[error("it has more of dump {0}, which has ended")]
    Ended(u8),
    /// A frame that is longer than it may be, or an end that has bytes.
    #[error("it says that {0} bytes come at once")]
    Length(u32),
    /// Something of another strand before the head of the first.
    #[error("it does not begin with the first of its dumps")]
    Order,
    /// An end, and strands that have none.
    #[error("it ends, and not all of its dumps do")]
    Unfinished,
    /// Something after its end.
    #[error("it goes on after its end")]
    After,
}

/// Where a reader is.
#[derive(Debug)]
enum At {
    /// In front of all, or of a frame, with what of that has come.
    Front(Vec<u8>),
    /// In a frame of a strand, so many bytes before its end.
    Inside(usize, usize),
    /// Behind the end mark.
    Over,
}

/// Reads a woven dump as it comes, in pieces of any length. It keeps no more than the front of a frame.
#[derive(Debug)]
pub struct Unweaver {
    at: At,
    /// Which strands have ended, once it is known how many there are.
    ended: Vec<bool>,
    /// How much of the head of the first strand has come.
    head: usize,
}

impl Default for Unweaver {
    fn default() -> Self {
        Unweaver {
            at: At::Front(Vec::new()),
            ended: Vec::new(),
            head: 0,
        }
    }
}

impl Unweaver {
    /// How many strands there are; 0 as long as that has not come.
    pub fn strands(&self) -> usize {
        self.ended.len()
    }

    /// What the next bytes hold.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<Vec<Taken>, Broken> {
        let mut taken = Vec::new();
        while !bytes.is_empty() {
            match &mut self.at {
                At::Over => return Err(Broken::After),
                At::Inside(strand, left) => {
                    let (now, rest) = bytes.split_at(bytes.len().min(*left));
                    (bytes, *left) = (rest, *left - now.len());
                    taken.push(Taken {
                        strand: *strand,
                        bytes: now.to_vec(),
                    });
                    if *strand == 0 {
                        self.head = self.head.saturating_add(now.len());
                    }
                    if *left == 0 {
                        self.at = At::Front(Vec::new());
                    }
                }
                At::Front(front) => {
                    let length = match self.ended.is_empty() {
                        true => MAGIC.len() + 1,
                        false => FRONT,
                    };
                    let missing = length - front.len();
                    let (now, rest) = bytes.split_at(bytes.len().min(missing));
                    front.extend(now);
                    bytes = rest;
                    if front.len() == length {
                        let front = std::mem::take(front);
                        taken.extend(self.pass(&front)?);
                    }
                }
            }
        }
        Ok(taken)
    }

    /// Judges what stands in front of all, or of a frame.
    fn pass(&mut self, front: &[u8]) -> Result<Option<Taken>, Broken> {
        if self.ended.is_empty() {
            let (magic, strands) = front.split_at(MAGIC.len());
            let strands = strands.first().copied().unwrap_or(0);
            return match usize::from(strands) {
                _ if magic != MAGIC => Err(Broken::NotWoven),
                count @ 1..=MOST_STRANDS => {
                    self.ended = vec![false; count];
                    Ok(None)
                }
                _ => Err(Broken::Strands(strands)),
            };
        }
        let &[number, a, b, c, d] = front else {
            return Err(Broken::CutShort);
        };
        let length = u32::from_le_bytes([a, b, c, d]);
        let count = usize::try_from(length).unwrap_or(usize::MAX);
        if count > MOST_BYTES || (number == END && count > 0) {
            return Err(Broken::Length(length));
        }
        if number == END {
            if self.ended.contains(&false) {
                return Err(Broken::Unfinished);
            }
            self.at = At::Over;
            return Ok(None);
        }
        let strand = usize::from(number);
        match self.ended.get(strand) {
            None => return Err(Broken::Unknown(number)),
            Some(true) => return Err(Broken::Ended(number)),
            Some(false) => {}
        }
        if strand > 0 && self.head < HEAD && self.ended.first() == Some(&false) {
            return Err(Broken::Order);
        }
        if count > 0 {
            self.at = At::Inside(strand, count);
            return Ok(None);
        }
        if let Some(ended) = self.ended.get_mut(strand) {
            *ended = true;
        }
        Ok(Some(Taken {
            strand,
            bytes: Vec::new(),
        }))
    }

    /// Whether what came is the whole.
    pub fn finish(&self) -> Result<(), Broken> {
        match self.at {
            At::Over => Ok(()),
            At::Front(_) | At::Inside(..) => Err(Broken::CutShort),
        }
    }
}
