//! Bytes of a program's output into lines.

/// The longest line that is kept whole; longer ones are split.
pub const MAX_LINE: usize = 64 * 1024;

/// Collects bytes until a line is whole.
#[derive(Debug, Default)]
pub struct LineSplitter {
    rest: Vec<u8>,
}

impl LineSplitter {
    /// Takes further bytes and hands every line that is now whole to `line`, without its line end.
    pub fn push(&mut self, mut bytes: &[u8], mut line: impl FnMut(&str)) {
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            let (head, tail) = bytes.split_at(end);
            bytes = &tail[1..];
            if self.rest.is_empty() && head.len() <= MAX_LINE {
                emit(head, &mut line);
            } else {
                self.keep(head, &mut line);
                self.finish(&mut line);
            }
        }
        self.keep(bytes, &mut line);
    }

    /// Hands over what is left of a last line without an end.
    pub fn finish(&mut self, mut line: impl FnMut(&str)) {
        if !self.rest.is_empty() {
            emit(&self.rest, &mut line);
            // Memory of a long line is given back; one shim runs for each instance.
            self.rest = Vec::new();
        }
    }

    fn keep(&mut self, mut bytes: &[u8], line: &mut impl FnMut(&str)) {
        while self.rest.len() + bytes.len() > MAX_LINE {
            let (head, tail) = bytes.split_at(MAX_LINE - self.rest.len());
            self.rest.extend_from_slice(head);
            // Not in the middle of a character, where that can be helped.
            let cut = self.rest.len() - incomplete_tail(&self.rest);
            emit(&self.rest[..cut], line);
            self.rest.drain(..cut);
            bytes = tail;
        }
        self.rest.extend_from_slice(bytes);
    }
}

fn emit(bytes: &[u8], line: &mut impl FnMut(&str)) {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    line(&String::from_utf8_lossy(bytes));
}

/// How many bytes at the end are the beginning of a UTF-8 character whose rest has not come yet.
fn incomplete_tail(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        let length = match byte {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            0x80..=0xbf => continue,
            _ => 1,
        };
        return if length > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<String> {
        let (mut splitter, mut lines) = (LineSplitter::default(), Vec::new());
        for chunk in chunks {
            splitter.push(chunk, |l| lines.push(l.to_owned()));
        }
        splitter.finish(|l| lines.push(l.to_owned()));
        lines
    }

    #[test]
    fn lines_come_whole_whatever_the_chunks_are() {
        assert_eq!(split(&[b"a\nb", b"c\r\n\n", b"last"]), ["a", "bc", "", "last"]);
        assert_eq!(split(&["gr\u{fc}n".as_bytes()]), ["gr\u{fc}n"]);
        assert_eq!(split(&[b"\xff\n"]), ["\u{fffd}"]);
    }

    #[test]
    fn a_long_line_is_split_between_characters() {
        let text = format!("x{}", "\u{20ac}".repeat(MAX_LINE / 2));
        let lines = split(&[text.as_bytes(), b"\n"]);
        assert!(
            lines
                .iter()
                .all(|l| l.len() <= MAX_LINE && !l.contains('\u{fffd}'))
        );
        assert_eq!(lines.concat(), text);
    }
}
