//! What is right for a developer and wrong in production.

use super::authority::Authority;
use super::{Values, ends_with};
use crate::doctor::{Finding, Observed};

/// Addresses that others are told: where browsers and other services shall go.
pub(super) fn addresses(values: &Values<'_>, base_host: &str) -> Vec<Finding> {
    const TOLD: [&str; 13] = [
        "SITE_URL",
        "APP_URL",
        "BASE_URL",
        "PUBLIC_URL",
        "NEXTAUTH_URL",
        "AUTH_URL",
        "FRONTEND_URL",
        "CLIENT_URL",
        "CALLBACK_URL",
        "REDIRECT_URI",
        "WEBHOOK_URL",
        "CORS_ORIGIN",
        "ALLOWED_ORIGINS",
    ];
    // Where nobody but this machine is served, that is the right address.
    if base_host == "localhost" || base_host.ends_with(".localhost") {
        return Vec::new();
    }
    let told = values
        .iter()
        .filter(|(name, _)| ends_with(name, &TOLD) || name.contains("_PUBLIC_"));
    told.filter(|(_, value)| {
        let mut parts = value.split([',', ' ']);
        parts.any(|part| Authority::of(part).is_some_and(|found| found.is_local()))
    })
    .map(|(name, _)| {
        Finding::warning(
            format!("address {name}"),
            "it leads to this machine itself, where no visitor is",
        )
        .hint(format!("`hostkit env set {name}=https://… --apply {{}}`"))
    })
    .collect()
}

/// Keys of accounts in which nothing is real.
pub(super) fn test_keys(values: &Values<'_>) -> Vec<Finding> {
    let is_test = |value: &str| {
        ["sk_test_", "pk_test_", "rk_test_"]
            .iter()
            .any(|prefix| value.starts_with(prefix))
            || Authority::of(value).is_some_and(|found| {
                found
                    .host
                    .split(['.', '-'])
                    .any(|label| label.eq_ignore_ascii_case("sandbox"))
            })
    };
    values
        .iter()
        .filter(|(_, value)| is_test(value))
        .map(|(name, _)| {
            Finding::warning(
                format!("test key {name}"),
                "it belongs to a test account or a sandbox",
            )
            .hint(format!(
                "`hostkit env set {name} - --apply {{}}` takes the real one from its input"
            ))
        })
        .collect()
}

pub(super) fn debugging(values: &Values<'_>) -> Vec<Finding> {
    let is_on = |value: &str| {
        ["1", "true", "yes", "on"]
            .iter()
            .any(|on| value.eq_ignore_ascii_case(on))
    };
    let is_verbose = |value: &str| {
        let lower = value.to_ascii_lowercase();
        let mut words = lower.split(|c: char| !c.is_ascii_alphanumeric());
        words.any(|word| matches!(word, "debug" | "trace" | "silly" | "verbose"))
    };
    let mut findings = Vec::new();
    let unset = |name: &str| format!("`hostkit env unset {name} --apply {{}}`");
    for (name, value) in values.iter() {
        let subject = || format!("debugging {name}");
        if ends_with(name, &["LOG_LEVEL", "LOGLEVEL"]) || name == "RUST_LOG" {
            if is_verbose(value) {
                findings.push(
                    Finding::warning(
                        subject(),
                        "it logs more than production needs, and perhaps secrets",
                    )
                    .hint(unset(name)),
                );
            }
        } else if ends_with(name, &["DEBUG"]) && (is_on(value) || value == "*") {
            findings.push(
                Finding::problem(
                    subject(),
                    "debugging is on: errors may show the program's insides to visitors",
                )
                .hint(unset(name)),
            );
        } else if ends_with(name, &["LOG_QUERIES"]) && is_on(value) {
            findings.push(
                Finding::warning(subject(), "database queries are logged, with the data in them")
                    .hint(unset(name)),
            );
        } else if name == "NODE_TLS_REJECT_UNAUTHORIZED" && value == "0" {
            findings.push(
                Finding::problem(subject(), "certificates of others are not checked").hint(unset(name)),
            );
        }
    }
    findings
}

pub(super) fn node(values: &Values<'_>, observed: &Observed<'_>) -> Option<Finding> {
    let builder = observed.live?.artifact.builder.as_str();
    if !matches!(builder, "node" | "nextjs") {
        return None;
    }
    Some(match values.get("NODE_ENV") {
        Some("production") => Finding::fine("NODE_ENV", "it is `production`"),
        _ => Finding::warning(
            "NODE_ENV",
            "it is not `production`: frameworks run slower and say more",
        )
        .hint("`hostkit env unset NODE_ENV --apply {}`; HostKit sets it by itself"),
    })
}
