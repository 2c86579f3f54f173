//! Secrets that can be guessed, and secrets that are missing where somebody calls from outside.

use super::{Values, ends_with};
use crate::doctor::Finding;

/// What signs or encrypts has at least so many characters.
const SIGNING_LENGTH: usize = 32;
/// What others prove themselves with has at least so many.
const WEBHOOK_LENGTH: usize = 16;

/// Names, or ends of names, of what signs or encrypts.
const SIGNING: [&str; 12] = [
    "JWT_SECRET",
    "JWT_SECRET_KEY",
    "SECRET_KEY",
    "SECRET_KEY_BASE",
    "SESSION_SECRET",
    "COOKIE_SECRET",
    "NEXTAUTH_SECRET",
    "AUTH_SECRET",
    "APP_SECRET",
    "ENCRYPTION_KEY",
    "SIGNING_KEY",
    "SIGNING_SECRET",
];

/// What stands in templates in the place of a secret.
const PLACEHOLDERS: [&str; 16] = [
    "changeme",
    "change-me",
    "change_me",
    "replaceme",
    "replace-me",
    "replace_me",
    "your-secret",
    "your_secret",
    "yoursecret",
    "placeholder",
    "insecure",
    "supersecret",
    "super-secret",
    "example",
    "dummy",
    "xxxxxxxx",
];

/// A key that is set, and the secret without which nobody can tell whether a call really comes from there.
const CALLERS: [(&str, &str, &str); 4] = [
    ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "Stripe"),
    ("GITHUB_APP_ID", "GITHUB_WEBHOOK_SECRET", "GitHub"),
    ("CLERK_SECRET_KEY", "CLERK_WEBHOOK_SECRET", "Clerk"),
    ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "Twilio"),
];

fn set_anew(name: &str) -> String {
    format!("`openssl rand -hex 32 | hostkit env set {name} - --apply {{}}` sets a good one")
}

pub(super) fn is_one(name: &str) -> bool {
    ends_with(name, &SIGNING) || ends_with(name, &["SECRET", "PASSWORD", "TOKEN", "API_KEY"])
}

pub(super) fn secrets(values: &Values<'_>) -> Vec<Finding> {
    let (mut findings, mut good) = (Vec::new(), 0_usize);
    for (name, value) in values.iter() {
        let signs = ends_with(name, &SIGNING);
        if !is_one(name) {
            continue;
        }
        let subject = format!("secret {name}");
        let lower = value.to_ascii_lowercase();
        if signs && value.chars().count() < SIGNING_LENGTH {
            let message = format!("it has fewer than {SIGNING_LENGTH} characters, and can be guessed");
            findings.push(Finding::problem(subject, message).hint(set_anew(name)));
        } else if PLACEHOLDERS.iter().any(|text| lower.contains(text)) || is_monotonous(value) {
            let message = "it looks like the placeholder of a template";
            let hint = match signs {
                true => set_anew(name),
                false => format!("`hostkit env set {name} - --apply {{}}` takes the real one from its input"),
            };
            findings.push(Finding::problem(subject, message).hint(hint));
        } else {
            good += 1;
        }
    }
    if findings.is_empty() && good > 0 {
        findings.push(Finding::fine("secrets", "none is short or a placeholder"));
    }
    findings
}

/// Whether a text has so few different characters that nobody drew it at random.
fn is_monotonous(value: &str) -> bool {
    let mut seen: Vec<char> = value.chars().collect();
    seen.sort_unstable();
    seen.dedup();
    value.chars().count() >= 8 && seen.len() <= 3
}

pub(super) fn webhooks(values: &Values<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, secret, whose) in CALLERS {
        if values.get(key).is_some() && values.get(secret).is_none() {
            let message = format!("`{key}` is set and `{secret}` is not: calls of {whose} cannot be proven");
            findings.push(Finding::warning("webhooks", message).hint(format!(
                "`hostkit env set {secret} - --apply {{}}`, or no webhook of {whose} is used"
            )));
        }
    }
    for (name, value) in values
        .iter()
        .filter(|(name, _)| ends_with(name, &["WEBHOOK_SECRET"]))
    {
        let short = value.chars().count() < WEBHOOK_LENGTH;
        let of_stripe = name.contains("STRIPE") && !value.starts_with("whsec_");
        let message = match (short, of_stripe) {
            (_, true) => "it is none of Stripe's, which begin with `whsec_`".to_owned(),
            (true, _) => format!("it has fewer than {WEBHOOK_LENGTH} characters, and can be guessed"),
            _ => continue,
        };
        findings.push(
            Finding::problem(format!("webhook secret {name}"), message).hint(format!(
                "`hostkit env set {name} - --apply {{}}` takes the right one from its input"
            )),
        );
    }
    findings
}
