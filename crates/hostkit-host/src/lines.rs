//! Bytes of a program's output into lines.

/// The longest line that is kept whole; longer ones are split.
pub const MAX_LINE: usize = 64 * 1024;
/// Behind which bytes a line is split, the best first. Values are hidden line by line: one that is in two of them would be
/// shown, and hardly any has a blank in it, few have a quotation mark.
const SEAMS: [&[u8]; 3] = [b" \t", b"\"'", b",;&<>"];

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
            let cut = cut(&self.rest);
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

/// Where a line that is too long is split: behind the last seam of the best sort that it has, else wherever no character
/// is broken.
fn cut(line: &[u8]) -> usize {
    let seam = |bytes: &&[u8]| line.iter().rposition(|byte| bytes.contains(byte));
    match SEAMS.iter().find_map(seam) {
        Some(at) => at + 1,
        None => line.len() - incomplete_tail(line),
    }
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

    #[test]
    fn a_long_line_is_split_where_no_value_is_cut() {
        let value = "v".repeat(1000);
        for seam in [" ", "\t", "\",\"", ","] {
            let text = format!("{value}{seam}").repeat(200);
            let lines = split(&[text.as_bytes()]);
            assert!(lines.len() > 3 && lines.iter().all(|line| line.len() <= MAX_LINE));
            assert_eq!(lines.concat(), text);
            let whole: usize = lines.iter().map(|line| line.matches(&value).count()).sum();
            assert_eq!(whole, 200, "{seam:?}");
        }
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let mut splitter = LineSplitter::default();
        for at in 0..5_000_u32 {
            let piece = format!(
                "{}{}",
                "x".repeat((at % 977) as usize),
                if at % 13 == 0 { " " } else { "" }
            );
            splitter.push(piece.as_bytes(), |line| assert!(line.len() <= MAX_LINE));
            assert!(splitter.rest.capacity() <= 2 * MAX_LINE);
        }
    }

    /// All that a program may make of a value, in a text of any length that comes in any pieces.
    #[test]
    fn no_value_shows_whatever_its_form_its_place_and_the_pieces_are() {
        use base64::Engine;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
        use hostkit_core::variables::mask::Masker;
        use proptest::prelude::*;

        let in_a_url = |text: &str| text.replace('+', "%2B").replace('/', "%2F");
        let texts = (
            "[A-Za-z0-9+/_-]{12,40}",
            proptest::collection::vec((0..6_u8, 0..30_000_usize), 1..12),
            1..9_000_usize,
        );
        proptest!(ProptestConfig::with_cases(64), |((secret, places, piece) in texts)| {
            let escaped = format!("{secret}\"\u{fc}");
            let masker = Masker::new([&secret, &escaped]);
            let mut text = String::new();
            for (form, before) in places {
                text.push_str(&"lorem ipsum ".repeat(before / 12));
                let shown = match form {
                    0 => secret.clone(),
                    1 => STANDARD.encode(format!("u{secret}")),
                    2 => URL_SAFE_NO_PAD.encode(format!("us{secret}x")),
                    3 => STANDARD.encode(&secret),
                    4 => serde_json::to_string(&escaped).unwrap(),
                    _ => in_a_url(&secret),
                };
                text.push_str(&format!("{shown} "));
            }
            let mut hidden = String::new();
            let mut splitter = LineSplitter::default();
            for piece in text.as_bytes().chunks(piece) {
                splitter.push(piece, |line| hidden.push_str(&masker.mask(line)));
            }
            splitter.finish(|line| hidden.push_str(&masker.mask(line)));
            let inner = |before: &str| {
                let encoded = STANDARD.encode(format!("{before}{secret}"));
                encoded[4..encoded.len() - 4].to_owned()
            };
            for form in [secret.clone(), in_a_url(&secret), inner(""), inner("u"), inner("us")] {
                prop_assert!(!hidden.contains(&form), "{}", form);
            }
        });
    }
}
