//! Accept-Encoding (RFC 9110, 12.5.3), read when there is something to choose from.

use http::HeaderValue;
use serde::{Deserialize, Serialize};

use super::Coding;

/// How much a client likes each coding, in thousandths; nothing where it was not named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Accepted {
    zstd: Option<u16>,
    brotli: Option<u16>,
    gzip: Option<u16>,
    identity: Option<u16>,
    others: Option<u16>,
}

impl Accepted {
    /// What a header says. Without one, or with one that is not understood, nothing but the answer as it is.
    pub(crate) fn read(header: Option<&HeaderValue>) -> Accepted {
        let mut accepted = Accepted::default();
        let Some(list) = header.and_then(|value| value.to_str().ok()) else {
            return accepted;
        };
        for part in list.split(',') {
            let mut words = part.split(';');
            let name = words.next().unwrap_or_default().trim();
            let quality = words.next().map_or(Some(1000), quality);
            // A quality that is no number says nothing about the coding.
            let Some(quality) = quality else { continue };
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            let place = match () {
                () if is("gzip") || is("x-gzip") => &mut accepted.gzip,
                () if is("br") => &mut accepted.brotli,
                () if is("zstd") => &mut accepted.zstd,
                () if is("identity") => &mut accepted.identity,
                () if name == "*" => &mut accepted.others,
                () => continue,
            };
            // Named twice: the first counts, as for every header of which there should be one.
            place.get_or_insert(quality);
        }
        accepted
    }

    /// How much the client likes a coding; zero if it does not take it.
    fn quality(self, coding: Coding) -> u16 {
        let named = match coding {
            Coding::Zstd => self.zstd,
            Coding::Brotli => self.brotli,
            Coding::Gzip => self.gzip,
        };
        named.or(self.others).unwrap_or(0)
    }

    /// How much the client likes the answer as it is. It is taken unless that is ruled out by name or by `*;q=0`.
    fn plain(self) -> u16 {
        self.identity
            .unwrap_or(if self.others == Some(0) { 0 } else { 1 })
    }

    /// The coding the client likes best; among equals the first in `order`, of those that `there` says can be had.
    /// Nothing for the answer as it is.
    pub(crate) fn choose(self, order: [Coding; 3], there: impl Fn(Coding) -> bool) -> Option<Coding> {
        let mut best: Option<(Coding, u16)> = None;
        for coding in order {
            let quality = self.quality(coding);
            if quality > best.map_or(0, |(_, most)| most) && there(coding) {
                best = Some((coding, quality));
            }
        }
        best.filter(|(_, quality)| *quality >= self.plain())
            .map(|(coding, _)| coding)
    }
}

/// `q=0.5` in thousandths.
fn quality(word: &str) -> Option<u16> {
    let (name, number) = word.trim().split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let number = number.trim();
    let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
    if rest.len() > 3 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{rest:0<3}").parse::<u16>().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}
