//! Addresses that rules make of the one that was asked for.

use hostkit_core::names::HostName;
use http::HeaderValue;

use crate::exchange::Exchange;

/// The same path on another host.
pub(super) fn on_host(exchange: &Exchange, host: &HostName) -> Option<HeaderValue> {
    let asked = exchange.host.as_ref()?;
    let name = asked.name().strip_suffix(b".").unwrap_or(asked.name());
    if name.eq_ignore_ascii_case(host.as_str().as_bytes()) {
        return None;
    }
    let scheme = if exchange.client.is_tls() { "https" } else { "http" };
    let port = &asked.value.as_bytes()[asked.name().len()..];
    let mut location = format!("{scheme}://{host}").into_bytes();
    location.extend_from_slice(port);
    // `OPTIONS *` is about the server as a whole.
    let target = exchange.uri.path_and_query().map(|target| target.as_str());
    let target = target.filter(|target| target.starts_with('/')).unwrap_or("/");
    location.extend_from_slice(target.as_bytes());
    HeaderValue::from_bytes(&location).ok()
}

/// The form of a path that pages have. `clean`: they end without `.html`; `slash`: with a slash, without one, or as they like.
pub(super) fn of_page(path: &str, clean: bool, slash: Option<bool>) -> Option<String> {
    if path.starts_with("/.well-known/") {
        return None;
    }
    let mut wanted = path;
    if clean && let Some(page) = path.strip_suffix(".html") {
        wanted = page
            .strip_suffix("index")
            .filter(|folder| folder.ends_with('/'))
            .unwrap_or(page);
        if slash != Some(true) && wanted.len() > 1 {
            wanted = wanted.trim_end_matches('/');
        }
    }
    let name = wanted.rsplit('/').next().unwrap_or_default();
    let wanted = match slash {
        Some(true) if !name.is_empty() && !name.contains('.') => format!("{wanted}/"),
        Some(false) => wanted.trim_end_matches('/').to_owned(),
        _ => wanted.to_owned(),
    };
    // More slashes than one at the beginning would name a host.
    let wanted = format!("/{}", wanted.trim_start_matches('/'));
    (wanted != path).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_one_address() {
        for (path, clean, slash, wanted) in [
            ("/about.html", true, None, Some("/about")),
            ("/index.html", true, None, Some("/")),
            ("/a/index.html", true, None, Some("/a")),
            ("/a/index.html", true, Some(true), Some("/a/")),
            ("/a/index.html", true, Some(false), Some("/a")),
            ("/about.html", true, Some(true), Some("/about/")),
            ("/about", true, Some(true), Some("/about/")),
            ("/about/", true, Some(false), Some("/about")),
            ("/aindex.html", true, None, Some("/aindex")),
            ("/about", true, None, None),
            ("/about/", true, None, None),
            ("/about.html", false, None, None),
            ("/", true, Some(true), None),
            ("/", true, Some(false), None),
            ("/app.js", true, Some(true), None),
            ("/a//", false, Some(false), Some("/a")),
            ("//evil.com/", false, Some(false), Some("/evil.com")),
            ("///evil.com/", false, Some(false), Some("/evil.com")),
            ("//evil", false, Some(true), Some("/evil/")),
            ("//evil.html", true, None, Some("/evil")),
            ("//", false, Some(false), Some("/")),
            ("/.well-known/x", false, Some(true), None),
            ("/.html", true, None, Some("/")),
        ] {
            assert_eq!(
                of_page(path, clean, slash).as_deref(),
                wanted,
                "{path} {clean} {slash:?}"
            );
        }
    }
}
