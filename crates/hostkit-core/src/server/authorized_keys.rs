//! Which lines of an `authorized_keys` file let somebody in to work. Stricter than sshd: a key with a forced command,
//! as hosters give to root, lets nobody work.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Which keys sshd takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Algorithms {
    /// `pubkeyacceptedalgorithms`, word by word; empty for sshd's own choice.
    pub accepted: Vec<String>,
    /// `requiredrsasize`.
    pub rsa_bits: usize,
}

impl Algorithms {
    fn take(&self, key_type: &str) -> bool {
        let names: &[&str] = match key_type {
            "ssh-rsa" => &["rsa-sha2-512", "rsa-sha2-256"],
            "ssh-ed25519"
            | "ecdsa-sha2-nistp256"
            | "ecdsa-sha2-nistp384"
            | "ecdsa-sha2-nistp521"
            | "sk-ssh-ed25519@openssh.com"
            | "sk-ecdsa-sha2-nistp256@openssh.com" => &[key_type],
            // Among others `ssh-dss`, which no sshd of today takes.
            _ => return false,
        };
        self.accepted.is_empty()
            || names
                .iter()
                .any(|name| self.accepted.iter().any(|accepted| accepted == name))
    }
}

/// How many keys of a file let somebody in to work, and why the other lines do not, as `line 3: …`.
pub fn usable_keys(text: &str, algorithms: &Algorithms) -> (usize, Vec<String>) {
    let (mut usable, mut refused) = (0, Vec::new());
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match judge(line, algorithms) {
            Ok(()) => usable += 1,
            Err(why) => refused.push(format!("line {}: {why}", at + 1)),
        }
    }
    (usable, refused)
}

fn judge(line: &str, algorithms: &Algorithms) -> Result<(), &'static str> {
    let (first, rest) = split_word(line);
    let is_type =
        |word: &str| word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-");
    let (options, key_type, rest) = if is_type(first) {
        ("", first, rest)
    } else {
        let (key_type, rest) = split_word(rest);
        (first, key_type, rest)
    };
    for option in options_of(options) {
        let name = option.split('=').next().unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            "command" => return Err("runs one command only"),
            "cert-authority" => return Err("signs certificates, and is no key itself"),
            "expiry-time" => return Err("ends some day"),
            _ => {}
        }
    }
    if !is_type(key_type) {
        return Err("is no key");
    }
    if !algorithms.take(key_type) {
        return Err("is of a type that sshd does not take");
    }
    let blob = split_word(rest).0;
    let blob = STANDARD.decode(blob).map_err(|_| "is damaged")?;
    check_blob(key_type, &blob, algorithms)
}

/// A word, in which a quoted part may have spaces, and what follows it.
fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => return text.split_at(at),
            _ => {}
        }
    }
    (text, "")
}

fn options_of(text: &str) -> Vec<&str> {
    let (mut quoted, mut escaped, mut start, mut options) = (false, false, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                options.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    options.push(&text[start..]);
    options
}

/// Every field of a key is there, and nothing behind the last.
fn check_blob(key_type: &str, blob: &[u8], algorithms: &Algorithms) -> Result<(), &'static str> {
    let mut fields = Vec::new();
    let mut rest = blob;
    while !rest.is_empty() {
        let (length, after) = rest.split_at_checked(4).ok_or("is damaged")?;
        let length = u32::from_be_bytes(length.try_into().map_err(|_| "is damaged")?);
        let (field, after) = after.split_at_checked(length as usize).ok_or("is damaged")?;
        fields.push(field);
        rest = after;
    }
    if fields.first().copied() != Some(key_type.as_bytes()) {
        return Err("is damaged: it is of another type than it says");
    }
    let whole = match (key_type, &fields[1..]) {
        ("ssh-ed25519", [key]) | ("sk-ssh-ed25519@openssh.com", [key, _]) => key.len() == 32,
        ("ssh-rsa", [_, modulus]) => {
            if bits(modulus) < algorithms.rsa_bits {
                return Err("is an RSA key that is too short for sshd");
            }
            true
        }
        ("sk-ecdsa-sha2-nistp256@openssh.com", [curve, point, _]) => {
            *curve == b"nistp256" && point.len() == 65
        }
        (_, [curve, point]) => {
            let length = match *curve {
                b"nistp256" => 65,
                b"nistp384" => 97,
                b"nistp521" => 133,
                _ => 0,
            };
            key_type.as_bytes().ends_with(curve) && point.len() == length
        }
        _ => false,
    };
    if whole { Ok(()) } else { Err("is damaged") }
}

fn bits(number: &[u8]) -> usize {
    let digits: Vec<u8> = number.iter().copied().skip_while(|&byte| byte == 0).collect();
    let first = digits.first().map_or(0, |byte| 8 - byte.leading_zeros() as usize);
    (digits.len().saturating_sub(1)) * 8 + first
}
