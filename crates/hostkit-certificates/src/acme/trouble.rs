//! Why there is no certificate, and whether that is about one name or about the authority.

use std::time::Duration;

use instant_acme::Error;
use jiff::Timestamp;

use super::client::Client;
use crate::schedule;

const RATE_LIMITED: &str = "urn:ietf:params:acme:error:rateLimited";
const THEIR_FAULT: &str = "urn:ietf:params:acme:error:serverInternal";
/// The rate limits of authorities are counted by the hour at least.
const LIMITED: Duration = Duration::from_secs(3600);
/// More is not shown of what others say.
const LONGEST: usize = 1000;

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The authority is not there, or wants to be left alone until then: no name would fare better.
    Authority { why: String, until: Option<Timestamp> },
    /// It is about this name.
    Name(String),
}

impl Trouble {
    /// Without what would change the terminal of a reader: an authority may say anything.
    pub(super) fn cleaned(self) -> Trouble {
        let clean = |why: String| why.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        match self {
            Trouble::Authority { why, until } => Trouble::Authority {
                why: clean(why),
                until,
            },
            Trouble::Name(why) => Trouble::Name(clean(why)),
        }
    }
}

/// What an error of the library means for other names.
pub(super) fn trouble(why: Error, client: &Client) -> Trouble {
    let now = Timestamp::now();
    let wished = client.wished().filter(|until| now < *until);
    match &why {
        Error::Api(problem) => {
            let detail = problem.detail.clone().unwrap_or_else(|| problem.to_string());
            match problem.r#type.as_deref() {
                Some(RATE_LIMITED) => Trouble::Authority {
                    why: format!("it wants fewer orders: {detail}"),
                    until: Some(wished.unwrap_or_else(|| schedule::after(now, LIMITED))),
                },
                Some(THEIR_FAULT) => Trouble::Authority {
                    why: detail,
                    until: wished,
                },
                _ => Trouble::Name(detail),
            }
        }
        Error::Json(_) => Trouble::Authority {
            why: format!("it does not answer as an authority does: {why}"),
            until: wished,
        },
        Error::Http(_) | Error::Hyper(_) | Error::InvalidUri(_) | Error::Other(_) => Trouble::Authority {
            why: why.to_string(),
            until: wished,
        },
        _ => Trouble::Name(why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_authority_says_changes_no_terminal_and_has_an_end() {
        let hostile = format!("\u{1b}]0;x\u{7}\r\n{}", "a".repeat(1 << 20));
        for trouble in [
            Trouble::Name(hostile.clone()),
            Trouble::Authority {
                why: hostile,
                until: None,
            },
        ] {
            let (Trouble::Name(why) | Trouble::Authority { why, .. }) = trouble.cleaned();
            assert!(why.starts_with("]0;xaaa") && why.len() == LONGEST, "{why}");
        }
    }
}
