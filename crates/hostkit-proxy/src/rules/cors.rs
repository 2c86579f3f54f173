//! Cross-origin requests: what browsers ask before they send one, and what they need to see in the answer.

use hostkit_core::route::headers::Cors;
use http::{HeaderMap, HeaderValue, Method, header};

/// The rule, as headers.
pub(super) struct LiveCors {
    rule: Cors,
    methods: HeaderValue,
    /// Nothing where whatever is asked for is allowed.
    headers: Option<HeaderValue>,
    expose: Option<HeaderValue>,
    max_age: HeaderValue,
    /// Every origin may read, and none is told apart.
    is_open: bool,
}

const ANY: HeaderValue = HeaderValue::from_static("*");
/// The longest list of headers that is repeated to who asks for them.
const LONGEST_ASKED: usize = 2048;

impl LiveCors {
    pub(super) fn new(rule: &Cors) -> Result<LiveCors, String> {
        let list = |words: &[String]| {
            HeaderValue::from_str(&words.join(", "))
                .map_err(|_| "a word of its CORS rule cannot be sent".to_owned())
        };
        let any_header = rule.headers.iter().any(|name| name == "*");
        Ok(LiveCors {
            methods: list(&rule.methods)?,
            headers: match any_header {
                true => None,
                false => Some(list(&rule.headers)?),
            },
            expose: match rule.expose.is_empty() {
                true => None,
                false => Some(list(&rule.expose)?),
            },
            max_age: HeaderValue::from(rule.max_age.0.as_secs()),
            is_open: rule.origins.iter().any(|origin| origin == "*"),
            rule: rule.clone(),
        })
    }

    /// The answer to a question a browser asks before it sends a request; nothing for any other request.
    pub(super) fn preflight(&self, method: &Method, asked: &HeaderMap) -> Option<HeaderMap> {
        let wanted = asked.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
        let origin = asked.get(header::ORIGIN)?;
        if *method != Method::OPTIONS {
            return None;
        }
        let mut headers = HeaderMap::new();
        self.allow(Some(origin), &mut headers);
        for name in ["access-control-request-method", "access-control-request-headers"] {
            headers.append(header::VARY, HeaderValue::from_static(name));
        }
        let fits = self
            .rule
            .methods
            .iter()
            .any(|method| method.as_bytes() == wanted.as_bytes());
        if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) && fits {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            let names = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
            let names = names.filter(|names| names.len() <= LONGEST_ASKED);
            if let Some(names) = self.headers.as_ref().or(names) {
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
            }
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        }
        Some(headers)
    }

    /// Notes on an answer who may read it, in place of what the application said.
    pub(super) fn dress(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        headers.remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
        self.allow(origin, headers);
        if let Some(names) = &self.expose
            && headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
        {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, names.clone());
        }
    }

    fn allow(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if self.is_open {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
            return;
        }
        // Also where it is not allowed: a cache must not give one origin what was made for another.
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        let Some(origin) = origin.filter(|origin| self.accepts(origin)) else {
            return;
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.rule.credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
    }

    fn accepts(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        self.rule
            .origins
            .iter()
            .any(|known| match known.split_once("*.") {
                // At least one label, and nothing but labels: the host of an origin ends where its name does.
                Some((scheme, host)) => origin.strip_prefix(scheme).is_some_and(|rest| {
                    rest.strip_suffix(host)
                        .and_then(|labels| labels.strip_suffix('.'))
                        .is_some_and(|labels| {
                            let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
                            !labels.is_empty() && labels.bytes().all(fine)
                        })
                }),
                None => known == origin,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_those_that_are_named() {
        let cors = LiveCors::new(&Cors {
            origins: vec!["https://shop.example.com".into(), "https://*.example.org".into()],
            ..Cors::default()
        })
        .unwrap();
        let accepts = |origin: &'static str| cors.accepts(&HeaderValue::from_static(origin));
        assert!(accepts("https://shop.example.com"));
        assert!(accepts("https://a.example.org") && accepts("https://a.b.example.org"));
        for other in [
            "http://shop.example.com",
            "https://shop.example.com.evil.com",
            "https://evil-shop.example.com",
            "https://example.org",
            "https://evilexample.org",
            "https://evil.com/.example.org",
            "https://evil.com#.example.org",
            "https://user@a.example.org",
            "https://.example.org",
            "http://a.example.org",
            "null",
            "",
        ] {
            assert!(!accepts(other), "{other}");
        }
    }
}
