//! The forms in which a value turns up in output: encoded for URLs, JSON, shells, and as base64 at any place of a
//! longer text.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Shorter stretches of base64 turn up by chance.
const SHORTEST_BASE64: usize = 8;

/// Adds `value` as it is, and as JSON has it.
pub(super) fn add_plain(value: &str, patterns: &mut BTreeSet<String>) {
    let json = json_escaped(value);
    patterns.insert(value.to_owned());
    patterns.insert(json.replace('/', "\\/"));
    patterns.insert(json);
    patterns.insert(ascii_json_escaped(value));
    patterns.insert(html_safe_json_escaped(value));
}

/// Adds the forms `value` has in URLs, in shells and as base64.
pub(super) fn add_encoded(value: &str, patterns: &mut BTreeSet<String>) {
    let mut add = |form: String| {
        patterns.insert(form);
    };
    // What the encoders in use leave as it is: RFC 3986, `encodeURIComponent`, `encodeURI`, Python's `quote`, and the
    // forms of HTML pages (which also write a space as `+`).
    for left in ["-_.~", "-_.!~*'()", "-_.!~*'();/?:@&=+$,#", "-_.~/"] {
        add(percent_encoded(value, left, "%20", true));
        add(percent_encoded(value, left, "%20", false));
    }
    for left in ["-_.*", "-_.~"] {
        add(percent_encoded(value, left, "+", true));
        add(percent_encoded(value, left, "+", false));
    }
    for upper in [false, true] {
        add(hex(value, upper));
    }
    add(shell_escaped(value));
    add(value.replace('\'', "'\\''"));
    for engine in [STANDARD, URL_SAFE] {
        let whole = engine.encode(value);
        add(whole.trim_end_matches('=').to_owned());
        add(whole);
        for before in 0..3 {
            let inner = base64_inside(&engine, value, before);
            if inner.len() >= SHORTEST_BASE64 {
                add(inner);
            }
        }
    }
}

/// The characters that `value` gives wherever it stands in a longer text: with so many bytes `before` it (modulo 3),
/// and without the characters that the bytes around it share.
fn base64_inside(engine: &impl Engine, value: &str, before: usize) -> String {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(value.as_bytes());
    let encoded = engine.encode(&bytes);
    let first = [0, 2, 3][before];
    let whole = bytes.len() / 3 * 4;
    // Of one byte left over one character is its own, of two bytes two.
    let end = whole + bytes.len() % 3;
    encoded.get(first..end).unwrap_or_default().to_owned()
}

fn hex(value: &str, upper: bool) -> String {
    let digits = |byte| match upper {
        true => format!("{byte:02X}"),
        false => format!("{byte:02x}"),
    };
    value.bytes().map(digits).collect()
}

fn percent_encoded(value: &str, left: &str, space: &str, upper: bool) -> String {
    let mut out = String::with_capacity(value.len() * 3);
    for byte in value.bytes() {
        match byte {
            b' ' => out.push_str(space),
            _ if byte.is_ascii_alphanumeric() || left.as_bytes().contains(&byte) => out.push(byte.into()),
            _ if upper => out.push_str(&format!("%{byte:02X}")),
            _ => out.push_str(&format!("%{byte:02x}")),
        }
    }
    out
}

/// The text behind percent-encoding; what is none stays as it is.
pub(super) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

fn json_escaped(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// As Python writes JSON: everything outside ASCII as `\uXXXX`.
fn ascii_json_escaped(value: &str) -> String {
    let mut out = String::new();
    for c in json_escaped(value).chars() {
        if c.is_ascii() && c != '\u{7f}' {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// As Go writes JSON.
fn html_safe_json_escaped(value: &str) -> String {
    json_escaped(value)
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

fn shell_escaped(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        if matches!(c, '\\' | '"' | '$' | '`') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
