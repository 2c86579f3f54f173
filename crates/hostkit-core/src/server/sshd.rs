//! What sshd is told: its effective settings as `sshd -T` prints them, and which line of which file each comes from.
//! The first value wins, and a `Match` block wins over all.

use std::collections::BTreeMap;

/// The file sshd begins with.
pub const SSHD_MAIN: &str = "/etc/ssh/sshd_config";

/// What `sshd -T` prints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effective(BTreeMap<String, Vec<String>>);

impl Effective {
    /// Reads `keyword value` lines.
    pub fn parse(text: &str) -> Self {
        let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in text.lines() {
            let (keyword, value) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            if !keyword.is_empty() {
                let keyword = keyword.to_ascii_lowercase();
                settings.entry(keyword).or_default().push(value.trim().to_owned());
            }
        }
        Effective(settings)
    }

    /// The value of a keyword that has one; empty where sshd says nothing of it.
    pub fn value(&self, keyword: &str) -> &str {
        self.0
            .get(keyword)
            .and_then(|values| values.first())
            .map_or("", String::as_str)
    }

    /// Every word of a keyword that may stand on several lines.
    pub fn words(&self, keyword: &str) -> Vec<&str> {
        let lines = self.0.get(keyword).into_iter().flatten();
        lines.flat_map(|line| line.split_whitespace()).collect()
    }
}

/// One setting, as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The value.
    pub value: String,
    /// Whether it stands in a `Match` block, and so holds for some only.
    pub conditional: bool,
}

/// The files of sshd, by path.
#[derive(Debug, Clone, Default)]
pub struct SshdFiles {
    files: BTreeMap<String, String>,
}

impl SshdFiles {
    /// Adds a file, or replaces it.
    pub fn insert(&mut self, path: &str, text: &str) {
        self.files.insert(path.to_owned(), text.to_owned());
    }

    /// Whether a file is already here.
    pub fn contains(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// The patterns of all `Include` lines, absolute.
    pub fn includes(&self) -> Vec<String> {
        let settings = self
            .files
            .values()
            .flat_map(|text| text.lines())
            .filter_map(setting);
        let includes = settings.filter(|(keyword, _)| keyword == "include");
        includes.flat_map(|(_, value)| patterns(&value)).collect()
    }

    /// Whether the pattern of an `Include` line means a file.
    pub fn is_meant(pattern: &str, path: &str) -> bool {
        file_matches(pattern, path)
    }

    /// Every line that sets a keyword, in the order sshd reads them. The first that is not conditional is the one
    /// that holds.
    pub fn occurrences(&self, keyword: &str) -> Vec<Occurrence> {
        let mut found = Vec::new();
        self.read(SSHD_MAIN, false, 0, &mut |occurrence, name| {
            if name == keyword {
                found.push(occurrence);
            }
        });
        found
    }

    /// Whether sshd reads a file at all, for everybody.
    pub fn reads(&self, path: &str) -> bool {
        let mut reached = path == SSHD_MAIN;
        let mut with_mark = self.clone();
        with_mark.insert(path, "HostkitMark yes\n");
        with_mark.read(SSHD_MAIN, false, 0, &mut |occurrence, name| {
            reached |= name == "hostkitmark" && !occurrence.conditional;
        });
        reached
    }

    fn read(&self, path: &str, conditional: bool, depth: usize, see: &mut dyn FnMut(Occurrence, &str)) {
        /// As deep as sshd itself goes.
        const DEPTH: usize = 16;
        let Some(text) = self.files.get(path).filter(|_| depth < DEPTH) else {
            return;
        };
        let mut in_match = conditional;
        for (at, line) in text.lines().enumerate() {
            let Some((keyword, value)) = setting(line) else {
                continue;
            };
            match keyword.as_str() {
                "match" => in_match = conditional || !value.eq_ignore_ascii_case("all"),
                "include" => {
                    for pattern in patterns(&value) {
                        for inner in self.files.keys().filter(|path| file_matches(&pattern, path)) {
                            self.read(inner, in_match, depth + 1, see);
                        }
                    }
                }
                _ => see(
                    Occurrence {
                        path: path.to_owned(),
                        line: at + 1,
                        value,
                        conditional: in_match,
                    },
                    &keyword,
                ),
            }
        }
    }
}

/// The word for root's login that takes no right back that somebody took from it: `no` and `forced-commands-only`
/// stay, anything else becomes keys only. `ours` is the file that is about to be written.
pub fn strictest_root_login(files: &SshdFiles, ours: &str) -> &'static str {
    let others = files.occurrences("permitrootlogin");
    let holding = others
        .iter()
        .find(|occurrence| !occurrence.conditional && occurrence.path != ours);
    match holding
        .map(|occurrence| occurrence.value.to_ascii_lowercase())
        .as_deref()
    {
        Some("no") => "no",
        Some("forced-commands-only") => "forced-commands-only",
        _ => "prohibit-password",
    }
}

fn setting(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=')?;
    let value = line[end..].trim_start_matches(|c: char| c.is_whitespace() || c == '=');
    let value = value.split(" #").next().unwrap_or(value).trim();
    let value = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value);
    Some((line[..end].to_ascii_lowercase(), value.to_owned()))
}

fn patterns(value: &str) -> Vec<String> {
    let words = value.split_whitespace().map(|word| word.trim_matches('"'));
    words
        .map(|word| match word.starts_with('/') {
            true => word.to_owned(),
            false => format!("/etc/ssh/{word}"),
        })
        .collect()
}

/// A pattern of file names, in which a star stays within one folder and passes over hidden files.
fn file_matches(pattern: &str, path: &str) -> bool {
    let (Some((pattern_folder, pattern)), Some((folder, name))) =
        (pattern.rsplit_once('/'), path.rsplit_once('/'))
    else {
        return false;
    };
    pattern_folder == folder && (!name.starts_with('.') || pattern.starts_with('.')) && matches(pattern, name)
}

/// A pattern of sshd: `*` and `?`.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                // The last star takes one letter more.
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// Whether a name is meant by a list of patterns, as in `AllowUsers`: one that begins with `!` takes out again, and
/// what follows an `@` is about the address, which nobody knows beforehand.
pub fn matches_any(list: &[&str], name: &str) -> bool {
    let account = |pattern: &str| pattern.split('@').next().unwrap_or_default().to_owned();
    let excluded = list
        .iter()
        .filter_map(|pattern| pattern.strip_prefix('!'))
        .any(|pattern| matches(&account(pattern), name));
    !excluded
        && list
            .iter()
            .filter(|pattern| !pattern.starts_with('!'))
            .any(|pattern| matches(&account(pattern), name))
}
