//! A public key as a value, and its one line.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hostkit_core::kind::{Failure, Kind};
use sha2::{Digest, Sha256};

use super::wire;

/// Longer than the line of the longest RSA key that is taken.
const LONGEST_LINE: usize = 8 * 1024;
const LONGEST_COMMENT: usize = 200;

/// A public key that has passed every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: &'static str,
    bytes: Vec<u8>,
    comment: String,
}

/// What a key is known by: `SHA256:` and 43 characters, as `ssh-keygen -l` prints it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(String);

impl PublicKey {
    /// Reads the line of a `.pub` file: kind, key and perhaps a comment, nothing before and nothing after it.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let text = text
            .strip_suffix('\n')
            .map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        if text.len() > LONGEST_LINE {
            return Err(refused("it is too long"));
        }
        if text.contains(['\n', '\r']) {
            return Err(refused("it has more than one line"));
        }
        if text.contains("PRIVATE KEY") {
            return Err(refused("it is a private key")
                .hint("use the file that ends with `.pub`; keep this one to yourself"));
        }
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return Err(refused("it has control characters"));
        }
        let text = text.trim_matches([' ', '\t']);
        let mut words = text.splitn(2, [' ', '\t']);
        let named = words.next().unwrap_or_default();
        let Some((kind, _)) = wire::KINDS.iter().find(|(kind, _)| *kind == named) else {
            return Err(refused("it does not begin with a kind of key that may be used")
                .hint("make one with `ssh-keygen -t ed25519`"));
        };
        let rest = words.next().unwrap_or_default().trim_start_matches([' ', '\t']);
        let (data, comment) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        let bytes = STANDARD
            .decode(data)
            .map_err(|_| refused("its second word is not base64"))?;
        if wire::kind_of(&bytes) != Some(*kind) {
            return Err(refused("what it holds is not a key of the kind it names"));
        }
        Ok(PublicKey {
            kind,
            bytes,
            comment: checked_comment(comment.trim_matches([' ', '\t']))?,
        })
    }

    /// The kind: `ssh-ed25519`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Whose it is, in the words of who made it.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// What it is known by.
    pub fn fingerprint(&self) -> Fingerprint {
        let hash = STANDARD_NO_PAD.encode(Sha256::digest(&self.bytes));
        Fingerprint(format!("SHA256:{hash}"))
    }

    /// Its line in a file of keys, without the line's end.
    pub fn line(&self) -> String {
        let data = STANDARD.encode(&self.bytes);
        match self.comment.as_str() {
            "" => format!("{} {data}", self.kind),
            comment => format!("{} {data} {comment}", self.kind),
        }
    }
}

impl Fingerprint {
    /// Reads what `ssh-keygen -l` and `hostkit access list` print; `SHA256:` may be left out.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        let hash = text.strip_prefix("SHA256:").unwrap_or(text);
        match STANDARD_NO_PAD.decode(hash) {
            Ok(bytes) if bytes.len() == 32 => Ok(Fingerprint(format!("SHA256:{hash}"))),
            _ => Err(Failure::new(
                Kind::Invalid,
                "cannot read the fingerprint of a key: it is not `SHA256:` and 43 characters",
            )
            .hint("ssh-keygen -l -f KEY.pub")),
        }
    }

    /// The fingerprint as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A comment is shown to people: what would change how a line reads is not for it.
fn checked_comment(text: &str) -> Result<String, Failure> {
    if text.chars().count() > LONGEST_COMMENT {
        return Err(refused("its comment is too long"));
    }
    let misleading = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if text.chars().any(misleading) {
        return Err(refused("its comment has characters that cannot be seen"));
    }
    Ok(text.to_owned())
}

fn refused(why: &str) -> Failure {
    Failure::new(Kind::Invalid, format!("cannot use this public key: {why}"))
        .hint("give one line of a `.pub` file, as in `ssh-ed25519 AAAA… name@laptop`")
}
