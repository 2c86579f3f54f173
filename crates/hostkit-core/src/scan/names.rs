//! What the name of a file says about how it is read.

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By the rules for known formats, and for values in quotes.
    Plain,
    /// Written by a program: only by the rules for known formats.
    Made,
    /// Names and values, not always in quotes.
    Settings,
    /// Real values of variables, which should not be in a source at all.
    Environment,
}

/// Lists of versions and hashes that package managers write.
const LOCKS: [&str; 12] = [
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "Cargo.lock",
    "poetry.lock",
    "uv.lock",
    "Pipfile.lock",
    "composer.lock",
    "Gemfile.lock",
    "go.sum",
];
/// Ends of names of what is made from something else.
const MADE: [&str; 6] = [".min.js", ".min.css", ".map", ".svg", ".ipynb", ".snap"];
const SETTINGS: [&str; 9] = [
    ".ini",
    ".cfg",
    ".conf",
    ".properties",
    ".yml",
    ".yaml",
    ".toml",
    ".tfvars",
    ".npmrc",
];
/// What follows `.env.` in the name of a template.
const TEMPLATES: [&str; 7] = [
    "example", "sample", "template", "dist", "defaults", "schema", "tpl",
];

impl Kind {
    /// The kind of a file by its path.
    pub(super) fn of(path: &str) -> Kind {
        let name = path.rsplit('/').next().unwrap_or(path);
        if LOCKS.contains(&name) || MADE.iter().any(|end| name.ends_with(end)) {
            return Kind::Made;
        }
        if name == ".env" || name == ".envrc" {
            return Kind::Environment;
        }
        if let Some(rest) = name.strip_prefix(".env.") {
            let is_template = rest.split('.').any(|part| TEMPLATES.contains(&part));
            return if is_template {
                Kind::Settings
            } else {
                Kind::Environment
            };
        }
        match SETTINGS.iter().any(|end| name.ends_with(end)) {
            true => Kind::Settings,
            false => Kind::Plain,
        }
    }
}
