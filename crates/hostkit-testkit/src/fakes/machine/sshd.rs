//! What the fake machine's sshd makes of its files: the first word counts, and a `Match User` block over all.

use hostkit_core::server::{SSHD_MAIN, SshdFiles};

use super::State;

/// Defaults, as `sshd -T` prints them.
const DEFAULTS: &[(&str, &str)] = &[
    ("port", "22"),
    ("usepam", "yes"),
    ("strictmodes", "yes"),
    ("pubkeyauthentication", "yes"),
    ("passwordauthentication", "yes"),
    ("kbdinteractiveauthentication", "yes"),
    ("permitemptypasswords", "no"),
    ("permitrootlogin", "without-password"),
    ("authorizedkeysfile", ".ssh/authorized_keys .ssh/authorized_keys2"),
    ("authenticationmethods", "any"),
    ("requiredrsasize", "1024"),
];

/// Further keywords, without a default.
const OTHERS: &[&str] = &[
    "allowusers",
    "denyusers",
    "allowgroups",
    "denygroups",
    "listenaddress",
    "pubkeyacceptedalgorithms",
];

fn files(state: &State) -> SshdFiles {
    let mut files = SshdFiles::default();
    for (path, entry) in &state.files {
        if path.starts_with("/etc/ssh/") || path.starts_with("/var/lib/hostkit/setup/") {
            files.insert(path, &entry.text);
        }
    }
    files
}

/// What `sshd -T` prints.
pub(super) fn effective(state: &State) -> String {
    let files = files(state);
    let mut text = String::new();
    let keywords = DEFAULTS
        .iter()
        .map(|(keyword, _)| *keyword)
        .chain(OTHERS.iter().copied());
    for keyword in keywords {
        let all = files.occurrences(keyword);
        let holding = all
            .iter()
            .find(|one| one.conditional)
            .or_else(|| all.iter().find(|one| !one.conditional));
        let default = DEFAULTS
            .iter()
            .find(|(name, _)| *name == keyword)
            .map(|(_, value)| *value);
        if let Some(value) = holding.map(|one| one.value.as_str()).or(default) {
            text.push_str(&format!("{keyword} {value}\n"));
        }
    }
    text
}

/// What `sshd -t` complains of.
pub(super) fn complaint(state: &State, main: Option<&str>) -> Option<String> {
    let text = state.text(main.unwrap_or(SSHD_MAIN))?;
    let bad = |text: &str| text.lines().any(|line| line.starts_with("Nonsense"));
    let included = files(state);
    let nonsense = bad(text) || !included.occurrences("nonsense").is_empty();
    nonsense.then(|| "Bad configuration option: Nonsense".to_owned())
}
