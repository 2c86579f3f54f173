//! `vercel.json`, as far as it means something here: redirects, rewrites, headers, the form of addresses, images in
//! other sizes, and how the folder is built. It stands beside `hostkit.toml`, whose keys win one by one. What is not understood is told.

use serde_json::{Map, Value};

use crate::kind::{Failure, Kind};
use crate::manifest::rules::shown;
use crate::manifest::{Command, Manifest};
use crate::names::RelativePath;
use crate::route::rules::Rules;

mod images;
mod read;
#[cfg(test)]
mod tests;

use read::Reader;

/// The file's name at the root of a source tree.
pub const FILE_NAME: &str = "vercel.json";
/// The largest file taken.
const MAX_BYTES: usize = 1 << 20;
/// So many problems are told.
const TOLD: usize = 50;

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VercelFile {
    rules: Rules,
    install: Option<Command>,
    build: Option<Command>,
    output: Option<RelativePath>,
    /// What of the file has no effect, one sentence each.
    pub ignored: Vec<String>,
}

/// Reads a file, or says everything that is wrong with it.
pub fn parse(text: &str) -> Result<VercelFile, Failure> {
    let refused = |message: String, details: Vec<String>| {
        Failure::new(Kind::Invalid, format!("cannot read `{FILE_NAME}`: {message}"))
            .hint(format!(
                "correct `{FILE_NAME}`, or say the same in `hostkit.toml` and take it out"
            ))
            .details(details)
    };
    if text.len() > MAX_BYTES {
        let message = format!("it has {} bytes, {MAX_BYTES} are taken", text.len());
        return Err(refused(message, Vec::new()));
    }
    let object: Map<String, Value> = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| refused(format!("it is not a JSON object: {error}"), Vec::new()))?;
    let mut reader = Reader::default();
    let mut file = VercelFile::default();
    for (key, value) in &object {
        match key.as_str() {
            "$schema" | "version" | "name" => {}
            "redirects" => file.rules.redirects = reader.each(key, value, Reader::redirect),
            "rewrites" => file.rules.rewrites = reader.each(key, value, Reader::rewrite),
            "headers" => file.rules.headers = reader.each(key, value, Reader::headers),
            "cleanUrls" => file.rules.clean_urls = reader.switch(key, value),
            "trailingSlash" => file.rules.trailing_slash = reader.switch(key, value),
            "images" => file.rules.images = reader.images(key, value),
            "buildCommand" => file.build = reader.text(key, value).map(Command::Line),
            "installCommand" => file.install = reader.text(key, value).map(Command::Line),
            "outputDirectory" => file.output = reader.folder(key, value),
            _ => reader.ignore(&shown(key), "it is not understood"),
        }
    }
    if reader.problems.is_empty()
        && let Err((table, _, why)) = file.rules.check()
    {
        reader.problems.push(format!("`{table}`: {why}"));
    }
    let (mut problems, found) = (reader.problems, reader.ignored);
    if problems.is_empty() {
        file.ignored = found;
        return Ok(file);
    }
    let count = problems.len();
    problems.truncate(TOLD);
    if count > TOLD {
        problems.push(format!("and {} more", count - TOLD));
    }
    let message = match count {
        1 => "1 problem found".to_owned(),
        _ => format!("{count} problems found"),
    };
    Err(refused(message, problems))
}

impl VercelFile {
    /// Adds to a manifest what it does not say itself. What the manifest wins over is told, one sentence each.
    pub fn merge(self, manifest: &mut Manifest) -> Vec<String> {
        let mut over = Vec::new();
        let mut note = |key: &str| {
            over.push(format!(
                "`{key}` of {FILE_NAME} has no effect: hostkit.toml says it itself"
            ))
        };
        let (own, theirs) = (&mut manifest.routing.rules, self.rules);
        add(&mut own.redirects, theirs.redirects, "redirects", &mut note);
        add(&mut own.rewrites, theirs.rewrites, "rewrites", &mut note);
        add(&mut own.headers, theirs.headers, "headers", &mut note);
        set(&mut own.clean_urls, theirs.clean_urls, "cleanUrls", &mut note);
        set(
            &mut own.trailing_slash,
            theirs.trailing_slash,
            "trailingSlash",
            &mut note,
        );
        set(&mut own.images, theirs.images, "images", &mut note);
        let build = &mut manifest.build;
        set(&mut build.install, self.install, "installCommand", &mut note);
        set(&mut build.command, self.build, "buildCommand", &mut note);
        set(&mut build.output, self.output, "outputDirectory", &mut note);
        over
    }
}

fn add<T>(own: &mut Vec<T>, theirs: Vec<T>, key: &str, note: &mut impl FnMut(&str)) {
    match (own.is_empty(), theirs.is_empty()) {
        (true, _) => *own = theirs,
        (false, true) => {}
        (false, false) => note(key),
    }
}

fn set<T>(own: &mut Option<T>, theirs: Option<T>, key: &str, note: &mut impl FnMut(&str)) {
    match (&own, theirs.is_some()) {
        (None, _) => *own = theirs,
        (Some(_), true) => note(key),
        (Some(_), false) => {}
    }
}
