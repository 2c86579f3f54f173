//! The trace a request belongs to (W3C Trace Context). What is well formed is passed on as it came, and noted in the
//! log; what is not is dropped with what depends on it. None is begun here: nobody would be told of its first span,
//! and a request without a trace costs nothing.

use http::HeaderValue;

/// Where the id of the trace stands.
const ID: std::ops::Range<usize> = 3..35;
/// Where the id of the caller's span stands.
const SPAN: std::ops::Range<usize> = 36..52;
/// How long version 00 is; later ones may be longer.
const LENGTH: usize = 55;

/// What a request says of its trace.
#[derive(Default)]
pub(super) struct Trace {
    given: usize,
    last: Option<HeaderValue>,
}

impl Trace {
    /// Notes a `traceparent`.
    pub(super) fn note(&mut self, value: &HeaderValue) {
        self.given += 1;
        self.last = Some(value.clone());
    }

    /// The one that holds, if there is one.
    pub(super) fn parent(&self) -> Option<&HeaderValue> {
        self.last
            .as_ref()
            .filter(|value| self.given == 1 && is_well_formed(value.as_bytes()))
    }

    /// Whether the request says something of it that does not hold.
    pub(super) fn is_bad(&self) -> bool {
        self.given > 0 && self.parent().is_none()
    }
}

/// The id of the trace in a `traceparent` that holds.
pub(crate) fn id(parent: &HeaderValue) -> &[u8] {
    parent.as_bytes().get(ID).unwrap_or_default()
}

fn is_well_formed(text: &[u8]) -> bool {
    let digits = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_id = |part: &[u8]| digits(part) && part.iter().any(|b| *b != b'0');
    let length_fits = match text.get(..2) {
        Some(b"00") => text.len() == LENGTH,
        Some(b"ff") | None => false,
        Some(_) => text.len() == LENGTH || text.get(LENGTH) == Some(&b'-'),
    };
    length_fits
        && text.len() >= LENGTH
        && digits(&text[..2])
        && [2, 35, 52].iter().all(|at| text[*at] == b'-')
        && is_id(&text[ID])
        && is_id(&text[SPAN])
        && digits(&text[53..LENGTH])
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn only_what_the_standard_describes_holds() {
        for (text, holds) in [
            (FINE.to_owned(), true),
            (FINE.replacen("00", "cc", 1), true),
            (FINE.replacen("00", "cc", 1) + "-what-comes", true),
            (FINE.replacen("00", "cc", 1) + "x", false),
            (FINE.replacen("00", "ff", 1), false),
            (FINE.to_owned() + "-more", false),
            (FINE.to_uppercase(), false),
            (
                FINE.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
                false,
            ),
            (FINE.replace("b7ad6b7169203331", &"0".repeat(16)), false),
            (FINE.replace("b7ad", "b7\"d"), false),
            (FINE.replace('-', "_"), false),
            (FINE[..54].to_owned(), false),
            ("00".to_owned(), false),
            (String::new(), false),
        ] {
            let mut trace = Trace::default();
            trace.note(&HeaderValue::from_str(&text).unwrap());
            assert_eq!(trace.parent().is_some(), holds, "{text}");
            assert_eq!(trace.is_bad(), !holds, "{text}");
        }
        let mut twice = Trace::default();
        twice.note(&HeaderValue::from_static(FINE));
        assert_eq!(id(twice.parent().unwrap()), b"0af7651916cd43dd8448eb211c80319c");
        twice.note(&HeaderValue::from_static(FINE));
        assert!(twice.is_bad());
        assert!(!Trace::default().is_bad());
    }
}
