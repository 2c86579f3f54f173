//! The rules single texts about requests keep.

use crate::manifest::keys::Text;
use crate::manifest::rules::shown;
use crate::route::access::AddressRange;
use crate::route::condition::ValuePattern;
use crate::route::destination::Destination;
use crate::route::headers::{check_name, check_origin, check_value};
use crate::route::limits::Rate;
use crate::route::pattern::PathPattern;

macro_rules! texts {
    ($($name:ident $pattern:expr, $check:expr;)*) => {
        $(pub(super) const $name: Text = Text { pattern: $pattern, check: $check };)*
    };
}

texts! {
    PATTERN Some("^/"), |text| {
        PathPattern::parse(text)
            .map(drop)
            .map_err(|why| format!("`{}` is not a pattern of paths: {why}", shown(text)))
    };
    DESTINATION Some("^(/|https?://)"), |text| {
        Destination::parse(text)
            .map(drop)
            .map_err(|why| format!("`{}` is not a destination: {why}", shown(text)))
    };
    VALUE None, |text| {
        ValuePattern::parse(text)
            .map(drop)
            .map_err(|why| format!("`{}` is not a value: {why}", shown(text)))
    };
    RANGE Some("^[0-9a-fA-F.:/]+$"), |text| {
        let range = text.parse::<AddressRange>();
        range.map(drop).map_err(|_| {
            format!("`{}` is not a range of addresses such as `10.0.0.0/8` or `2001:db8::/32`", shown(text))
        })
    };
    RATE Some("^[0-9]+\\s*/\\s*[0-9a-z]+$"), |text| {
        let rate = text.parse::<Rate>();
        let message = "is not a rate such as `10/s`, `100/m` or `5/10s`, of 1 to 1000000 in 1s to 24h";
        rate.map(drop).map_err(|_| format!("`{}` {message}", shown(text)))
    };
    HEADER_NAME Some("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"), check_name;
    HEADER_VALUE None, check_value;
    ORIGIN Some("^(\\*|https?://)"), check_origin;
    METHOD Some("^[A-Z]+$"), |text| match text.len() <= 32 && text.bytes().all(|b| b.is_ascii_uppercase()) {
        true if !text.is_empty() => Ok(()),
        _ => Err(format!("`{}` is not a method such as `GET`", shown(text))),
    };
    ALLOWED_HEADER Some("^(\\*|[A-Za-z0-9_-]+)$"), |text| {
        let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        match text == "*" || ((1..=256).contains(&text.len()) && text.bytes().all(fine)) {
            true => Ok(()),
            false => Err(format!("`{}` is not the name of a header", shown(text))),
        }
    };
    USER Some("^[^:]{1,128}$"), |text| {
        let fine = (1..=128).contains(&text.len()) && !text.contains(|c: char| c == ':' || c.is_control());
        match fine {
            true => Ok(()),
            false => Err(format!("`{}` is not a name that can be asked for: it has 1 to 128 characters and no colon", shown(text))),
        }
    };
    PREFIX Some("^/[^?#]+$"), |text| {
        let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.' | b'~');
        let why = if !text.starts_with('/') || text.len() < 2 {
            "it begins with `/` and has something behind it"
        } else if text.contains("//") || text.split('/').any(|part| matches!(part, "." | "..")) {
            "each of its parts has a name"
        } else if !text.bytes().all(fine) || text.len() > 256 {
            "it has letters, digits, `-`, `_`, `.` and `~`, 256 at most"
        } else {
            return Ok(());
        };
        Err(format!("`{}` is not a path that leads to a process: {why}", shown(text)))
    };
}
