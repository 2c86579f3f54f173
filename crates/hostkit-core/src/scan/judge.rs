//! Whether a match is a secret: placeholders, names, words and addresses at home are none.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

/// A match.
pub(super) struct Found<'a> {
    /// The name that stands before it.
    pub(super) label: &'a [u8],
    /// What may be a secret.
    pub(super) secret: &'a [u8],
    /// The rest of the match behind it.
    pub(super) rest: &'a [u8],
    /// What follows the match, up to a limit.
    pub(super) behind: &'a [u8],
}

/// Texts that stand in the place of a secret, lower case.
const PLACEHOLDERS: [&str; 24] = [
    "example",
    "placeholder",
    "changeme",
    "change-me",
    "change_me",
    "replace",
    "your-",
    "your_",
    "yourtoken",
    "yourkey",
    "yoursecret",
    "insert",
    "xxxx",
    "dummy",
    "fake",
    "sample",
    "redacted",
    "****",
    "....",
    "00000000",
    "12345678",
    "todo",
    "notreal",
    "deadbeef",
];

/// Ends of names whose values are no secrets, lower case without `_` and `-`.
const HARMLESS_ENDS: [&str; 27] = [
    "url",
    "uri",
    "path",
    "file",
    "name",
    "id",
    "type",
    "field",
    "header",
    "endpoint",
    "expiry",
    "prefix",
    "suffix",
    "label",
    "hint",
    "error",
    "message",
    "regex",
    "pattern",
    "placeholder",
    "length",
    "algorithm",
    "format",
    "version",
    "arn",
    "sha",
    "hash",
];

fn lower(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).to_ascii_lowercase()
}

fn is_placeholder(secret: &[u8]) -> bool {
    let text = lower(secret);
    PLACEHOLDERS.iter().any(|word| text.contains(word))
        || ["${", "$(", "{{", "<%", "%(", "#{"]
            .iter()
            .any(|open| text.contains(open))
        || text.starts_with(['$', '<', '%', '{', '[', '@'])
        || text.ends_with('>')
}

/// Bits of a character, by how often each stands in the text (Shannon).
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let all = bytes.len() as f64;
    let shares = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / all);
    -shares.map(|share| share * share.log2()).sum::<f64>()
}

/// Of a published format, and drawn at random: documentation shows keys of one letter.
pub(super) fn is_random(found: &Found<'_>) -> bool {
    !is_placeholder(found.secret) && entropy(found.secret) >= 3.0
}

/// Keys in Amazon's own documentation end so.
pub(super) fn is_no_example(found: &Found<'_>) -> bool {
    !found.secret.ends_with(b"EXAMPLE") && entropy(&found.secret[4..]) >= 2.5
}

/// A header alone is in every program that reads keys; a key has base 64 behind it.
pub(super) fn has_key_behind(found: &Found<'_>) -> bool {
    let (mut key, mut at) = (0, 0);
    let behind = &found.behind[..found.behind.len().min(600)];
    while at < behind.len() && key < 64 {
        match behind[at] {
            // Line breaks as they stand in JSON and in programs.
            b'\\' => at += 1,
            byte if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=') => key += 1,
            b'\r' | b'\n' | b' ' | b'\t' | b'"' | b'\'' | b',' => {}
            // The end, or a header of the old format: `Proc-Type: 4,ENCRYPTED`.
            _ => return false,
        }
        at += 1;
    }
    key >= 64
}

/// A password of a host that others reach too.
pub(super) fn is_password_of_elsewhere(found: &Found<'_>) -> bool {
    const GUESSES: [&str; 12] = [
        "password",
        "pass",
        "passwd",
        "pwd",
        "secret",
        "postgres",
        "root",
        "user",
        "admin",
        "test",
        "mypassword",
        "token",
    ];
    let text = lower(found.secret);
    !is_placeholder(found.secret) && !GUESSES.contains(&text.as_str()) && !is_local(found)
}

fn is_local(found: &Found<'_>) -> bool {
    // The match goes on with `@` and the host.
    let host = lower(found.rest.strip_prefix(b"@").unwrap_or(found.rest));
    host == "localhost"
        || !host.contains('.')
        || host.starts_with("127.")
        || host == "0.0.0.0"
        || host.ends_with(".localhost")
        || host.ends_with(".local")
        || host.ends_with(".test")
        || host.ends_with(".invalid")
        || host.split('.').any(|label| label == "example")
}

/// A file of variables that is no template has no business in a source, whatever the value looks like.
pub(super) fn is_real_value(found: &Found<'_>) -> bool {
    let label = lower(found.label);
    let is_public = ["public", "publishable", "vite_", "site_key", "anon"]
        .iter()
        .any(|word| label.contains(word));
    if is_public || is_harmless(&label) && !label.ends_with("_url") || is_placeholder(found.secret) {
        return false;
    }
    let text = lower(found.secret);
    match text.split_once("://") {
        Some((_, rest)) => rest.rsplit_once('@').is_some_and(|(before, place)| {
            let host = place.split([':', '/', '?']).next().unwrap_or_default();
            before.contains(':') && host.contains('.') && !host.starts_with("127.")
        }),
        None => true,
    }
}

fn is_harmless(label: &str) -> bool {
    let plain: String = label.chars().filter(|c| !matches!(c, '_' | '-')).collect();
    HARMLESS_ENDS.iter().any(|end| plain.ends_with(end))
        || plain.contains("public")
        || plain.contains("publishable")
}

/// A text that only chance writes, behind a name that says what it is.
pub(super) fn is_assigned(found: &Found<'_>) -> bool {
    let secret = found.secret;
    if is_harmless(&lower(found.label)) || is_placeholder(secret) || !secret.is_ascii() {
        return false;
    }
    let has = |test: fn(&u8) -> bool| secret.iter().any(test);
    let is_drawn = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
    let is_code = has(|byte| {
        matches!(
            byte,
            b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b'\\' | b','
        )
    });
    let is_place =
        secret.starts_with(b"/") || secret.starts_with(b"./") || secret.windows(3).any(|w| w == b"://");
    is_drawn && !is_code && !is_place && !is_made_of_words(secret) && entropy(secret) >= needed(secret)
}

fn needed(secret: &[u8]) -> f64 {
    let is_hex = secret.iter().all(u8::is_ascii_hexdigit);
    match secret.len() {
        // Sixteen symbols have four bits at most.
        _ if is_hex => 3.0,
        0..20 => 3.4,
        _ => 3.6,
    }
}

/// `password-reset-token-v2`, `config.auth.token`, a UUID: parts of letters, or of digits, or short ones.
fn is_made_of_words(secret: &[u8]) -> bool {
    let parts: Vec<&[u8]> = secret
        .split(|byte| matches!(byte, b'-' | b'_' | b'.' | b'/' | b':'))
        .collect();
    let is_word = |part: &&[u8]| {
        let letters = part.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
        let trailing = part.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        letters == part.len() || (letters + trailing == part.len() && trailing <= 4)
    };
    let is_uuid = parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && secret
            .iter()
            .all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    is_uuid || parts.iter().all(is_word)
}

/// A JSON web token that says it is that of a service, which may everything. Those of visitors are public, and those
/// of people do not last.
pub(super) fn is_service_jwt(found: &Found<'_>) -> bool {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::URL_SAFE,
        NO_PAD.with_decode_allow_trailing_bits(true),
    );
    let payload = found
        .secret
        .split(|byte| *byte == b'.')
        .nth(1)
        .unwrap_or_default();
    let Ok(json) = LENIENT.decode(payload) else {
        return false;
    };
    let role = serde_json::from_slice::<serde_json::Value>(&json)
        .ok()
        .and_then(|claims| Some(claims.get("role")?.as_str()?.to_owned()));
    role.is_some_and(|role| {
        matches!(
            role.as_str(),
            "service_role" | "supabase_admin" | "service" | "admin"
        )
    })
}
