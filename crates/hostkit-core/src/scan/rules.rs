//! THE table of what is looked for, special rules first. A rule has the words it begins with, a pattern with two
//! groups (a name that may be told, and the secret), how much of the secret is the same in all of its kind, and a
//! judgement over the match. Where a format is published, the rule says where.

use super::judge::{self, Found};

/// One kind of secret.
pub(super) struct Rule {
    /// Its name, stable.
    pub(super) id: &'static str,
    /// What it is, for people.
    pub(super) title: &'static str,
    /// Words of which one is in every match, lower case.
    pub(super) words: &'static [&'static str],
    /// What it looks like; tried on one line.
    pub(super) pattern: &'static str,
    /// So many of its first characters are no secret: the format has them.
    pub(super) open: usize,
    /// In which files.
    pub(super) reach: Reach,
    /// Whether a match is one.
    pub(super) judge: fn(&Found<'_>) -> bool,
}

/// In which files a rule is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// In all.
    Everywhere,
    /// In those that people write.
    Written,
    /// In those with names and values that need no quotes.
    Settings,
    /// In those that hold real values of variables.
    Environment,
}

macro_rules! rules {
    ($($id:literal $title:literal, [$($word:literal),+], $pattern:expr, open $open:literal, $reach:ident, $judge:path;)*) => {
        &[$(Rule {
            id: $id,
            title: $title,
            words: &[$($word),+],
            pattern: $pattern,
            open: $open,
            reach: Reach::$reach,
            judge: $judge,
        }),*]
    };
}

/// Names of what is secret, in any style.
macro_rules! secret_name {
    () => {
        "(?:secret|passw(?:or)?d|passphrase|token|api[_-]?key|private[_-]?key|access[_-]?key|auth[_-]?key|account[_-]?key|encryption[_-]?key|signing[_-]?key|credentials?)"
    };
}

pub(super) const RULES: &[Rule] = rules! {
    // RFC 7468 and RFC 4716; OpenSSH's PROTOCOL.key. An encrypted one is no secret by itself.
    "private-key" "private key", ["private key"],
        r"()(-----BEGIN (?:RSA |EC |DSA |OPENSSH |PGP )?PRIVATE KEY(?: BLOCK)?-----)", open 10, Everywhere, judge::has_key_behind;
    // docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html: AKIA for lasting keys, base 32.
    "aws-access-key" "AWS access key", ["akia"],
        r"()\b(AKIA[A-Z2-7]{16})\b", open 4, Everywhere, judge::is_no_example;
    // The secret half has no mark of its own, but a name that every tool gives it.
    "aws-secret-key" "AWS secret access key", ["aws_secret", "secretaccesskey", "secret_access_key"],
        r#"(?i)((?:aws_?)?secret_?access_?key)["']?\s{0,4}[:=]\s{0,4}["']?([A-Za-z0-9/+]{40})(?:["'\s,;]|$)"#, open 0, Everywhere, judge::is_random;
    // cloud.google.com/docs/authentication/api-keys; service accounts have a private key, which is found as such.
    "google-api-key" "Google API key", ["aiza"],
        r"()\b(AIza[0-9A-Za-z_-]{35})(?:[^0-9A-Za-z_-]|$)", open 4, Everywhere, judge::is_random;
    "google-oauth-secret" "Google OAuth client secret", ["gocspx-"],
        r"()\b(GOCSPX-[0-9A-Za-z_-]{28})(?:[^0-9A-Za-z_-]|$)", open 7, Everywhere, judge::is_random;
    // learn.microsoft.com/azure/storage/common/storage-configure-connection-string: 64 bytes, base 64.
    "azure-storage-key" "Azure storage key", ["accountkey="],
        r"()AccountKey=([A-Za-z0-9+/]{86}==)", open 0, Everywhere, judge::is_random;
    // Microsoft Entra client secrets: a digit and `Q~` from the fourth character on.
    "azure-client-secret" "Azure client secret", ["q~"],
        r"()(?:^|[^A-Za-z0-9_~.-])([A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})(?:[^A-Za-z0-9_~.-]|$)", open 0, Everywhere, judge::is_random;
    // docs.stripe.com/keys: secret and restricted keys of the live account.
    "stripe-live-key" "Stripe live key", ["sk_live_", "rk_live_"],
        r"()\b([sr]k_live_[0-9A-Za-z]{16,247})\b", open 8, Everywhere, judge::is_random;
    "stripe-webhook-secret" "Stripe webhook secret", ["whsec_"],
        r"()\b(whsec_[0-9A-Za-z+/=]{32,100})", open 6, Everywhere, judge::is_random;
    // github.blog/2021-04-05-behind-githubs-new-authentication-token-formats.
    "github-token" "GitHub token", ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        r"()\b(gh[pousr]_[0-9A-Za-z]{36,255})\b", open 4, Everywhere, judge::is_random;
    "github-token" "GitHub token", ["github_pat_"],
        r"()\b(github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59})\b", open 11, Everywhere, judge::is_random;
    // docs.gitlab.com/security/tokens: prefixes of its tokens.
    "gitlab-token" "GitLab token", ["glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glsoat-"],
        r"()\b(gl(?:pat|dt|rt|ptt|cbt|soat)-[0-9A-Za-z_-]{20,60}(?:\.[0-9a-z.]{9,20})?)", open 5, Everywhere, judge::is_random;
    // docs.slack.dev/authentication/tokens; incoming webhooks are addresses that need no other proof.
    "slack-token" "Slack token", ["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xapp-"],
        r"()\b(x(?:ox[bpars]|app)-[0-9]{1,13}-[0-9A-Za-z-]{20,200})", open 5, Everywhere, judge::is_random;
    "slack-webhook" "Slack webhook", ["hooks.slack.com"],
        r"(hooks\.slack\.com)/services/(T[A-Z0-9]{7,12}/B[A-Z0-9]{7,12}/[A-Za-z0-9]{24})\b", open 0, Everywhere, judge::is_random;
    // `T3BlbkFJ` is "OpenAI" in base 64, in the middle of each key.
    "openai-key" "OpenAI API key", ["t3blbkfj"],
        r"()\b(sk-(?:(?:proj|svcacct|admin)-)?[0-9A-Za-z_-]{20,100}T3BlbkFJ[0-9A-Za-z_-]{20,100})", open 3, Everywhere, judge::is_random;
    "anthropic-key" "Anthropic API key", ["sk-ant-"],
        r"()\b(sk-ant-(?:api|admin)[0-9]{2}-[0-9A-Za-z_-]{80,120})", open 7, Everywhere, judge::is_random;
    // twilio.com/docs/iam/api-keys: SK and 32 hexadecimal digits.
    "twilio-key" "Twilio API key", ["sk"],
        r"()\b(SK[0-9a-f]{32})\b", open 2, Written, judge::is_random;
    // twilio.com/docs/sendgrid/ui/account-and-settings/api-keys: `SG.`, 22 and 43 characters.
    "sendgrid-key" "SendGrid API key", ["sg."],
        r"()\b(SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43})(?:[^0-9A-Za-z_-]|$)", open 3, Everywhere, judge::is_random;
    // github.blog/changelog/2021-09-23-npm-has-a-new-access-token-format.
    "npm-token" "npm token", ["npm_"],
        r"()\b(npm_[0-9A-Za-z]{36})\b", open 4, Everywhere, judge::is_random;
    // .npmrc(5): the token of a registry, written out.
    "npm-token" "npm token", [":_authtoken"],
        r"()(?i::_authToken)\s{0,4}=\s{0,4}([0-9A-Za-z_-]{20,200})", open 0, Everywhere, judge::is_random;
    // pypi.org/help/#apitoken: a macaroon, which begins with the same bytes for pypi.org.
    "pypi-token" "PyPI token", ["pypi-ageichlwas5vcmc"],
        r"()\b(pypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{50,500})", open 5, Everywhere, judge::is_random;
    // supabase.com/docs/guides/api/api-keys: the new secret keys, and the older ones, which are JWTs that say so.
    "supabase-key" "Supabase secret key", ["sb_secret_"],
        r"()\b(sb_secret_[0-9A-Za-z_-]{22,60})", open 10, Everywhere, judge::is_random;
    "service-jwt" "service key (JWT)", ["eyj"],
        r"()\b(eyJ[0-9A-Za-z_-]{10,400}\.eyJ[0-9A-Za-z_-]{10,1000}\.[0-9A-Za-z_-]{20,400})", open 3, Everywhere, judge::is_service_jwt;
    // Tokens of this very program.
    "hostkit-token" "HostKit token", ["hk_"],
        r"()\b(hk_[0-9A-Za-z_-]{40,64})(?:[^0-9A-Za-z_-]|$)", open 3, Everywhere, judge::is_random;
    // RFC 3986: a password before the host. Only where the host is elsewhere: at home it guards nothing.
    "database-url" "address with a password", ["://"],
        r#"\b((?i:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|mssql|sqlserver|smtps?|https?)://)[^\s:/@'"`<>{}$]{0,60}:([^\s@/'"`<>{}]{3,200})@[A-Za-z0-9.-]{1,200}"#, open 0, Everywhere, judge::is_password_of_elsewhere;
    "env-file" "real value in a file of variables", ["secret", "passw", "token", "key", "credential", "dsn", "_url"],
        r#"(?i)^\s{0,8}(?:export\s{1,4})?([A-Z0-9_]{0,60}(?:secret|passw(?:or)?d|passphrase|token|_key|apikey|credentials?|database_url|redis_url|mongo_url|dsn)[A-Z0-9_]{0,40})\s{0,4}=\s{0,4}["']?([^\s"'#]{8,500})"#, open 0, Environment, judge::is_real_value;
    "assigned-secret" "value of a secret", ["secret", "passw", "passphrase", "token", "key", "credential"],
        concat!(r#"(?i)([a-z0-9_.-]{0,40}"#, secret_name!(), r#"[a-z0-9_-]{0,20})["'\]]{0,2}\s{0,4}(?:=>|:=|=|:)\s{0,4}["'`]([^"'`\s]{16,200})["'`]"#), open 0, Written, judge::is_assigned;
    "assigned-secret" "value of a secret", ["secret", "passw", "passphrase", "token", "key", "credential"],
        concat!(r#"(?i)^\s{0,40}(?:-\s{1,4})?([a-z0-9_.-]{0,40}"#, secret_name!(), r#"[a-z0-9_-]{0,20})\s{0,4}[=:]\s{0,4}([^\s"'`#]{16,200})(?:\s|$)"#), open 0, Settings, judge::is_assigned;
};
