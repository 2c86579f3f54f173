//! Scripts with a flag that only Upstash knows. `allow-key-locking` promises that a script touches no keys but those it
//! names; Redis has no use for that and refuses what it does not know. It is taken out of the script, and who asks for the
//! script by the hash of what it sent gets the one that Redis has.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha1::{Digest, Sha1};

use super::commands::Command;

const FLAG: &str = "allow-key-locking";
/// How many scripts are known at once; with more, all are forgotten, and sent again by their clients.
const MOST: usize = 1000;

/// For the hash of a script as it was sent, that of the script as Redis has it; both as hexadecimal digits.
#[derive(Default)]
pub(super) struct Scripts {
    known: Mutex<HashMap<String, String>>,
}

impl Scripts {
    /// Makes of a command what Redis understands.
    pub(super) fn translate(&self, command: &mut Command) {
        let is = |at: usize, words: &[&str]| {
            command
                .get(at)
                .is_some_and(|word| words.iter().any(|one| word.eq_ignore_ascii_case(one.as_bytes())))
        };
        if is(0, &["EVALSHA", "EVALSHA_RO"]) {
            let asked = command
                .get(1)
                .map(|hash| String::from_utf8_lossy(hash).to_ascii_lowercase());
            if let Some(real) = asked.and_then(|asked| self.known().get(&asked).cloned()) {
                command[1] = real.into_bytes();
            }
            return;
        }
        let script = match is(0, &["SCRIPT"]) && is(1, &["LOAD"]) {
            true => 2,
            false if is(0, &["EVAL", "EVAL_RO"]) => 1,
            false => return,
        };
        if let Some(plain) = command.get(script).and_then(|text| without_flag(text)) {
            let mut known = self.known();
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(hash(&command[script]), hash(&plain));
            command[script] = plain;
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(script: &[u8]) -> String {
    Sha1::digest(script)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The script without the flag, where its first line is `#!lua flags=…` with it.
fn without_flag(script: &[u8]) -> Option<Vec<u8>> {
    let end = script.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&script[..end]).ok()?.trim_end();
    let (engine, flags) = line.strip_prefix("#!")?.split_once(" flags=")?;
    let others: Vec<&str> = flags.split(',').filter(|flag| flag.trim() != FLAG).collect();
    if others.len() == flags.split(',').count() {
        return None;
    }
    let mut plain = format!("#!{engine}").into_bytes();
    if !others.is_empty() {
        plain.extend_from_slice(format!(" flags={}", others.join(",")).as_bytes());
    }
    plain.extend_from_slice(&script[end..]);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_taken_out_of_the_first_line_alone() {
        let plain =
            |script: &str| without_flag(script.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(
            plain("#!lua flags=allow-key-locking\nreturn 1").unwrap(),
            "#!lua\nreturn 1"
        );
        assert_eq!(
            plain("#!lua flags=no-writes,allow-key-locking\nreturn 1").unwrap(),
            "#!lua flags=no-writes\nreturn 1"
        );
        for script in [
            "return 1",
            "#!lua\nreturn 1",
            "#!lua flags=no-writes\nx",
            "#!lua flags=allow-key-locking",
            "-- flags=allow-key-locking\n",
        ] {
            assert_eq!(plain(script), None, "{script}");
        }
    }

    #[test]
    fn a_script_is_found_by_the_hash_of_what_was_sent() {
        let scripts = Scripts::default();
        let sent = b"#!lua flags=allow-key-locking\nreturn 1".to_vec();
        let mut eval = vec![b"eval".to_vec(), sent.clone(), b"0".to_vec()];
        scripts.translate(&mut eval);
        assert_eq!(eval[1], b"#!lua\nreturn 1");

        let mut by_hash = vec![
            b"EVALSHA".to_vec(),
            hash(&sent).to_uppercase().into_bytes(),
            b"0".to_vec(),
        ];
        scripts.translate(&mut by_hash);
        assert_eq!(by_hash[1], hash(b"#!lua\nreturn 1").into_bytes());

        let mut other = vec![b"EVALSHA".to_vec(), b"abc".to_vec()];
        scripts.translate(&mut other);
        assert_eq!(other[1], b"abc");
        scripts.translate(&mut vec![b"EVAL".to_vec()]);
        scripts.translate(&mut Vec::new());
    }
}
