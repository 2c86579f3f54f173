//! What browsers are told for visitors' safety, where an answer does not say it itself.

use std::sync::{Arc, LazyLock};

use hostkit_core::names::HostName;
use hostkit_core::route::Route;
use hostkit_core::route::headers::{SecurityHeader, SecurityHeaders};
use http::header::{Entry, STRICT_TRANSPORT_SECURITY};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The headers of a route.
#[derive(Clone)]
pub(crate) struct Security(Arc<[(HeaderName, HeaderValue)]>);

/// Those of all routes about which nothing is said.
static STANDARD: LazyLock<Security> = LazyLock::new(|| Security::made(&SecurityHeaders::default()));

impl Security {
    /// The headers a route's rules ask for.
    pub(crate) fn of(route: &Route) -> Security {
        let headers = &route.rules.security_headers;
        if headers.hsts == SecurityHeader::Standard
            && route.hosts.iter().chain(&route.wildcards).any(is_this_machine)
        {
            return Security::made(&SecurityHeaders {
                hsts: SecurityHeader::Off,
                ..headers.clone()
            });
        }
        match headers.is_standard() {
            true => STANDARD.clone(),
            false => Security::made(headers),
        }
    }

    fn made(headers: &SecurityHeaders) -> Security {
        let each = headers.all().into_iter();
        let made = each.filter_map(|(_, name, standard, header)| {
            let value = match header {
                SecurityHeader::Standard => HeaderValue::from_static(standard?),
                SecurityHeader::Off => return None,
                // It was checked to be a header's value.
                SecurityHeader::Value(value) => HeaderValue::from_bytes(value.as_bytes()).ok()?,
            };
            Some((HeaderName::from_static(name), value))
        });
        Security(made.collect())
    }

    /// Adds what an answer does not have.
    pub(super) fn dress(&self, headers: &mut HeaderMap, is_tls: bool) {
        headers.reserve(self.0.len());
        for (name, value) in &*self.0 {
            // Without TLS a browser must not believe it.
            if !is_tls && *name == STRICT_TRANSPORT_SECURITY {
                continue;
            }
            if let Entry::Vacant(place) = headers.entry(name) {
                place.insert(value.clone());
            }
        }
    }
}

/// Whether a host is the browser's own machine. Told to speak TLS to it, the browser would for a year, on every port, also to
/// whatever else is developed there.
fn is_this_machine(host: &HostName) -> bool {
    let host = host.as_str();
    host == "localhost" || host.ends_with(".localhost")
}
