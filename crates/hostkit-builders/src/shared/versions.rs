//! Version rules as people write them for Node.js and Python: `20`, `22.x`, `>=18.17 <21`, `^20.1`, `~=3.10`,
//! `18 || 20`, `3.11`.

/// Whether a version such as `20.11.1` fits a rule. A rule that cannot be read fits everything: it is the user's
/// word to other tools (`lts/iron`), and refusing to deploy over it would help nobody.
pub(crate) fn fits(rule: &str, version: &str) -> bool {
    let Some(version) = numbers(version).map(padded) else {
        return true;
    };
    rule.split("||").any(|range| range_fits(range.trim(), version))
}

type Version = [u64; 3];

fn range_fits(range: &str, version: Version) -> bool {
    if let Some((low, high)) = range.split_once(" - ") {
        return one_fits(&format!(">={}", low.trim()), version)
            && one_fits(&format!("<={}", high.trim()), version);
    }
    // An operator may stand apart from its number.
    let mut pending = String::new();
    for word in range.split([',', ' ']).filter(|word| !word.is_empty()) {
        pending.push_str(word);
        if pending.ends_with(|c: char| "<>=^~!".contains(c)) {
            continue;
        }
        if !one_fits(&pending, version) {
            return false;
        }
        pending.clear();
    }
    true
}

fn one_fits(rule: &str, version: Version) -> bool {
    let split = rule.find(|c: char| !"<>=^~!".contains(c)).unwrap_or(rule.len());
    let (operator, text) = rule.split_at(split);
    let Some(given) = numbers(text) else { return true };
    let wanted = padded(given.clone());
    let same_prefix = |n: usize| version[..n] == wanted[..n];
    let given = given.len().min(3);
    match operator {
        ">=" => version >= wanted,
        ">" if given < 3 => version > wanted && !same_prefix(given),
        ">" => version > wanted,
        "<" => version < wanted,
        "<=" => version <= wanted || same_prefix(given),
        "!=" => !same_prefix(given),
        "^" if wanted[0] > 0 => version >= wanted && same_prefix(1),
        "^" => version >= wanted && same_prefix(2.min(given)),
        "~" => version >= wanted && same_prefix(2.min(given)),
        "~=" => version >= wanted && same_prefix(given.saturating_sub(1).max(1)),
        _ => same_prefix(given),
    }
}

/// The leading numbers of a version, at least one: `v20.11.1` is 20, 11, 1 and `22.x` is 22.
fn numbers(text: &str) -> Option<Vec<u64>> {
    let text = text.trim().trim_start_matches(['v', 'V']);
    let mut found = Vec::new();
    for part in text.split('.') {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        let Ok(number) = digits.parse() else { break };
        found.push(number);
        if digits.len() < part.len() {
            break;
        }
    }
    (!found.is_empty()).then_some(found)
}

fn padded(mut numbers: Vec<u64>) -> Version {
    numbers.resize(3, 0);
    [numbers[0], numbers[1], numbers[2]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_both_worlds() {
        for (rule, yes, no) in [
            ("20", "20.11.1", "22.0.0"),
            ("22.x", "22.9.0", "20.0.0"),
            ("3.11", "3.11.7", "3.12.0"),
            (">=3.10", "3.13.1", "3.9.2"),
            (">= 18.17 < 21", "20.0.0", "21.0.0"),
            (">=3.9,<3.13", "3.12.8", "3.13.0"),
            ("^20.1", "20.9.0", "20.0.9"),
            ("~3.11", "3.11.9", "3.12.0"),
            ("~=3.10", "3.13.0", "4.0.0"),
            ("==3.11.*", "3.11.2", "3.10.2"),
            ("18 || 20", "20.1.0", "19.0.0"),
            ("18 - 20", "20.9.0", "21.0.0"),
            (">20", "21.0.0", "20.9.9"),
            ("<=20", "20.9.9", "21.0.0"),
            ("!=3.12", "3.11.0", "3.12.1"),
            ("v20.20.2", "20.20.2", "20.20.3"),
        ] {
            assert!(fits(rule, yes), "{rule} {yes}");
            assert!(!fits(rule, no), "{rule} {no}");
        }
        for anything in ["*", "lts/*", "", "x", "latest"] {
            assert!(fits(anything, "20.1.0"), "{anything}");
        }
    }
}
