//! Names of units, parsed: only such as HostKit makes, never a path, never a pattern.

/// The longest name systemd takes.
const LONGEST: usize = 255;

/// How systemd writes a hyphen that is part of a name in the name of a slice, where `-` means "inside of".
const ESCAPED_HYPHEN: &str = "\\x2d";

/// What sort of unit a name is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitKind {
    /// A program that is kept running.
    Service,
    /// What units share: limits and weights.
    Slice,
    /// Sockets systemd listens on.
    Socket,
    /// The clock.
    Timer,
}

impl UnitKind {
    const ALL: [UnitKind; 4] = [
        UnitKind::Service,
        UnitKind::Slice,
        UnitKind::Socket,
        UnitKind::Timer,
    ];

    fn suffix(self) -> &'static str {
        match self {
            UnitKind::Service => ".service",
            UnitKind::Slice => ".slice",
            UnitKind::Socket => ".socket",
            UnitKind::Timer => ".timer",
        }
    }
}

/// Why a text is not the name of a unit of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{value}` is not the name of a unit of HostKit: use `hostkit-` and lowercase letters, digits, `.`, `_` and `-`, then `.service`, `.slice`, `.socket` or `.timer`"
)]
pub struct UnitNameError {
    /// The text that was refused, shortened and without control characters.
    pub value: String,
}

/// The name of a unit that HostKit made: `hostkit-shop.production.web.42.1.service`, `hostkit-projects.slice`.
///
/// It begins with `hostkit-` (or is `hostkit.slice` and the like), so that no unit of anybody else can be named; it has
/// no `/`, no `@` and nothing a pattern would know, so it is safe as a file name and as an argument.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitName {
    text: String,
    kind: UnitKind,
}

impl UnitName {
    /// Checks a text.
    pub fn parse(text: &str) -> Result<Self, UnitNameError> {
        let refused = || UnitNameError {
            value: text
                .chars()
                .take(64)
                .map(|c| if c.is_control() { '\u{fffd}' } else { c })
                .collect(),
        };
        let (stem, kind) = UnitKind::ALL
            .iter()
            .find_map(|kind| Some((text.strip_suffix(kind.suffix())?, *kind)))
            .ok_or_else(refused)?;
        let is_ours = stem == "hostkit" || stem.strip_prefix("hostkit-").is_some_and(is_rest);
        // `hostkit--web.slice` would be inside of a slice without a name.
        let is_slice = kind == UnitKind::Slice && (stem.contains("--") || stem.ends_with('-'));
        if !is_ours || is_slice || text.len() > LONGEST {
            return Err(refused());
        }
        Ok(UnitName {
            text: text.to_owned(),
            kind,
        })
    }

    /// `hostkit-STEM.service`.
    pub fn service(stem: &str) -> Result<Self, UnitNameError> {
        Self::parse(&format!("hostkit-{stem}.service"))
    }

    /// The slice `parts` deep inside of `hostkit.slice`: `["projects", "my-shop"]` is `hostkit-projects-my\x2dshop.slice`,
    /// in `hostkit-projects.slice`. A hyphen of a part is escaped: it would be one level more, and `my-shop` would lie
    /// inside of the slice of `my`.
    pub fn slice(parts: &[&str]) -> Result<Self, UnitNameError> {
        let mut text = "hostkit".to_owned();
        for part in parts {
            text.push('-');
            text.push_str(&part.replace('-', ESCAPED_HYPHEN));
        }
        Self::parse(&(text + UnitKind::Slice.suffix()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What sort of unit it names.
    pub fn kind(&self) -> UnitKind {
        self.kind
    }

    /// The name without `hostkit-` and the kind: `shop.production.web.42.1`.
    pub fn stem(&self) -> &str {
        let stem = self.text.strip_suffix(self.kind.suffix()).unwrap_or(&self.text);
        stem.strip_prefix("hostkit-").unwrap_or("")
    }
}

/// What may follow `hostkit-`. `\` stands only where systemd itself writes it.
fn is_rest(text: &str) -> bool {
    let plain = text.replace(ESCAPED_HYPHEN, "-");
    !plain.is_empty()
        && !plain.starts_with('.')
        && !plain.contains("..")
        && plain
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
}

impl std::fmt::Display for UnitName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for UnitName {
    type Err = UnitNameError;
    fn from_str(text: &str) -> Result<Self, UnitNameError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_names_are_taken() {
        for (text, kind, stem) in [
            (
                "hostkit-shop.production.web.42.1.service",
                UnitKind::Service,
                "shop.production.web.42.1",
            ),
            ("hostkit-shop.service", UnitKind::Service, "shop"),
            ("hostkit-projects.slice", UnitKind::Slice, "projects"),
            (
                "hostkit-projects-my\\x2dshop.slice",
                UnitKind::Slice,
                "projects-my\\x2dshop",
            ),
            ("hostkit.slice", UnitKind::Slice, ""),
            ("hostkit-proxy.socket", UnitKind::Socket, "proxy"),
            ("hostkit-shop.backup.timer", UnitKind::Timer, "shop.backup"),
        ] {
            let name = UnitName::parse(text).unwrap();
            assert_eq!((name.as_str(), name.kind(), name.stem()), (text, kind, stem));
        }
    }

    #[test]
    fn strangers_paths_and_patterns_are_refused() {
        let long = format!("hostkit-{}.service", "a".repeat(255));
        for text in [
            "",
            "ssh.service",
            "hostkit",
            ".service",
            "hostkit-.service",
            "hostkit-shop",
            "hostkit-shop.mount",
            "hostkit-shop.target",
            "xhostkit-shop.service",
            "hostkit-../ssh.service",
            "/etc/systemd/system/hostkit-shop.service",
            "hostkit-a/b.service",
            "hostkit-..service",
            "hostkit-a..b.service",
            "hostkit-.hidden.service",
            "hostkit-*.service",
            "hostkit-a?.service",
            "hostkit-[a].service",
            "hostkit-a@b.service",
            "hostkit-Shop.service",
            "hostkit-a b.service",
            "hostkit-a\n.service",
            "hostkit-a\0.service",
            "hostkit-a%i.service",
            "hostkit-a$b.service",
            "hostkit-a\\x2f.service",
            "hostkit-a\\.service",
            "hostkit-gr\u{fc}n.service",
            "hostkit--a.slice",
            "hostkit-a-.slice",
            "hostkit-a.service ",
            " hostkit-a.service",
            "hostkit-a.service\n",
            "-hostkit-a.service",
            long.as_str(),
        ] {
            let refused = UnitName::parse(text).unwrap_err();
            assert!(!refused.value.contains(['\n', '\0']), "{text:?}");
        }
    }

    #[test]
    fn hyphens_of_projects_do_not_nest_their_slices() {
        let slice = UnitName::slice(&["projects", "my-shop"]).unwrap();
        assert_eq!(slice.as_str(), "hostkit-projects-my\\x2dshop.slice");
        assert_eq!(UnitName::slice(&[]).unwrap().as_str(), "hostkit.slice");
        assert!(UnitName::slice(&["projects", ""]).is_err());
        assert!(UnitName::slice(&["../x"]).is_err());
    }
}
