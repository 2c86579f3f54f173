//! A block of ours in a file that somebody else keeps.

use crate::postgres::cluster::SUPERUSER;

const BEGIN: &str = "# >>> HostKit: this block is written by it, and nothing else of this file";
const END: &str = "# <<< HostKit";

/// Who of the machine's accounts HostKit's own role is.
pub(super) fn identities() -> String {
    format!("{SUPERUSER} root {SUPERUSER}\n")
}

/// The rules of admission: our own way in, then those of `others` of ours.
pub(super) fn admission(others: &str) -> String {
    format!("local all {SUPERUSER} peer map={SUPERUSER}\nhost all {SUPERUSER} all reject\n{others}")
}

/// The file with this block at its head, in the place of an earlier one: of rules, the first that fits is taken.
pub(super) fn put(file: &str, ours: &str) -> String {
    let mut rest = String::new();
    let mut lines = file.split_inclusive('\n');
    while let Some(line) = lines.next() {
        if line.trim_end() == BEGIN {
            // One without an end was cut by somebody: then only its first line is known to be ours.
            let mut ahead = lines.clone();
            if ahead.any(|line| line.trim_end() == END) {
                lines = ahead;
            }
            continue;
        }
        rest += line;
    }
    format!("{BEGIN}\n{ours}{END}\n{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_not_ours_stays() {
        let theirs = "# their comment\nlocal all postgres peer\nhost all all 127.0.0.1/32 scram-sha-256";
        let once = put(theirs, "local a\n");
        assert!(once.ends_with(theirs));
        assert!(once.starts_with(BEGIN));
        assert_eq!(put(&once, "local a\n"), once);
        let changed = put(&once, "local b\n");
        assert!(changed.contains("local b\n") && !changed.contains("local a\n") && changed.ends_with(theirs));
        assert_eq!(put("", "x\n"), format!("{BEGIN}\nx\n{END}\n"));
    }

    #[test]
    fn a_block_without_its_end_takes_nothing_of_theirs_along() {
        let cut = format!("{BEGIN}\nlocal all postgres peer\n");
        assert!(put(&cut, "x\n").ends_with("local all postgres peer\n"));
    }
}
