//! The part of a URL that says whom it leads to, read leniently: values are anything.

/// Whom a URL leads to.
pub(super) struct Authority<'a> {
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// What stands between `://` and the path, without name and password.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let (_, rest) = text.trim().split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let place = authority.rsplit('@').next()?;
        if let Some(rest) = place.strip_prefix('[') {
            let (host, behind) = rest.split_once(']')?;
            let port = behind.strip_prefix(':').and_then(|port| port.parse().ok());
            return Some(Authority { host, port });
        }
        let (host, port) = place.split_once(':').unwrap_or((place, ""));
        Some(Authority {
            host,
            port: port.parse().ok(),
        })
    }

    pub(super) fn is_local(&self) -> bool {
        let host = self.host.to_ascii_lowercase();
        host == "localhost"
            || host.ends_with(".localhost")
            || host.starts_with("127.")
            || matches!(host.as_str(), "::1" | "0.0.0.0" | "::" | "host.docker.internal")
    }

    pub(super) fn is_below(&self, one: &str, other: &str) -> bool {
        let host = self.host.to_ascii_lowercase();
        [one, other].iter().any(|base| {
            host.strip_suffix(base)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}
