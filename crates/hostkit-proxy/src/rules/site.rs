//! Rules of static sites: pages without `.html`, folders without a slash, and where a request leads that no file answers.

use hostkit_core::route::rules::Stage;
use http::HeaderMap;

use super::LiveRules;
use crate::exchange::Exchange;

fn rules(exchange: &Exchange) -> Option<&LiveRules> {
    exchange.route.as_ref()?.rules.as_ref()
}

/// The file of a page that was asked for without `.html`, where pages are.
pub(crate) fn clean_name(exchange: &Exchange, name: &[u8]) -> Option<Vec<u8>> {
    let clean = rules(exchange).is_some_and(LiveRules::has_clean_urls);
    (clean && !name.is_empty()).then(|| [name, b".html"].concat())
}

/// Whether a folder that was asked for without its slash answers with its page at once: where addresses have no slash,
/// and where the visitor asked for another path and would be sent astray.
pub(crate) fn folder_is_page(exchange: &Exchange) -> bool {
    let has_no_slashes = rules(exchange).is_some_and(|rules| rules.rules.trailing_slash == Some(false));
    has_no_slashes || exchange.place() != &exchange.uri
}

/// Where a request leads that no file of a site answers; `true` if that is elsewhere.
pub(crate) fn fall_back(exchange: &mut Exchange, headers: &HeaderMap) -> bool {
    let route = exchange.route.clone();
    let Some(rules) = route.as_ref().and_then(|route| route.rules.as_ref()) else {
        return false;
    };
    if exchange.ruled.as_ref().is_none_or(|ruled| ruled.fell_back) {
        return false;
    }
    let target = rules.rewrite(&[Stage::AfterFiles], exchange, headers);
    let Some(ruled) = &mut exchange.ruled else {
        return false;
    };
    ruled.fell_back = true;
    let Some(target) = target else { return false };
    ruled.stripped = None;
    ruled.rewritten = Some(target);
    true
}
