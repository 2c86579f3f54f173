//! The address of something that somebody else keeps, as a person gives it: one URL, or lines `NAME=VALUE` as the pages of
//! those who keep it show them. It is kept as it was given.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;

/// The longest text, in bytes.
const LONGEST: usize = 64 * 1024;

/// What was given.
#[derive(Debug)]
pub(crate) enum Given {
    /// One URL.
    Url(Secret),
    /// Values by name.
    Lines(Vec<(String, Secret)>),
}

impl Given {
    /// Reads it. A failure says nothing of the text: there are passwords in it.
    pub(crate) fn parse(text: &Secret) -> Result<Self, Failure> {
        let refused = |why: &str| Failure::new(Kind::Invalid, format!("cannot use this address: {why}"));
        if text.reveal().len() > LONGEST {
            return Err(refused("it is too long for one"));
        }
        let mut lines = Vec::new();
        for line in text.reveal().lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.chars().any(char::is_control) {
                return Err(refused("it has a control character inside"));
            }
            lines.push(line);
        }
        if let [one] = lines[..]
            && pair(one).is_none()
        {
            return Ok(Given::Url(Secret::new(one)));
        }
        let pairs: Option<Vec<_>> = lines.iter().map(|line| pair(line)).collect();
        match pairs {
            Some(pairs) if !pairs.is_empty() => Ok(Given::Lines(pairs)),
            _ => Err(refused("it is neither one URL nor lines `NAME=VALUE`")),
        }
    }

    /// The value of the first of these names that is there; nothing of one that is empty.
    pub(crate) fn value(&self, names: &[&str]) -> Option<&Secret> {
        let Given::Lines(lines) = self else {
            return None;
        };
        let value = |name: &&str| lines.iter().find(|(known, _)| known == name);
        let found = names.iter().find_map(value).map(|(_, value)| value);
        found.filter(|value| !value.reveal().is_empty())
    }
}

/// `NAME=VALUE`, also behind `export` and in quotes.
fn pair(line: &str) -> Option<(String, Secret)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let quoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
    is_name.then(|| (name.to_owned(), Secret::new(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_or_lines_are_read_and_nothing_of_them_is_said() {
        let parsed = |text: &str| Given::parse(&Secret::new(text));
        match parsed("  postgres://u:p@h/d?a=b\n").unwrap() {
            Given::Url(url) => assert_eq!(url.reveal(), "postgres://u:p@h/d?a=b"),
            other => panic!("{other:?}"),
        }
        let given = parsed("# from the page\nexport A_URL=\"x=y\"\nB='z'\nC=\n").unwrap();
        assert_eq!(given.value(&["NONE", "A_URL"]).unwrap().reveal(), "x=y");
        assert_eq!(given.value(&["B"]).unwrap().reveal(), "z");
        assert!(given.value(&["C"]).is_none());
        for bad in [
            "",
            "# nothing",
            "secret\nsecret",
            "A=secret\nsecret",
            "A=sec\u{7}ret",
        ] {
            let failure = parsed(bad).unwrap_err();
            assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
        }
    }
}
