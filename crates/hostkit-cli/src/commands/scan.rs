//! `scan`: secrets in the files that a deploy would send, found here and told to nobody else.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest;
use hostkit_core::names::RelativePath;
use hostkit_core::scan::{Choice, Finding, MAX_FILE_BYTES, Scanner};
use serde::Serialize;

use crate::args::ScanArgs;
use crate::output::{Style, plural};
use crate::session::{Session, read_manifest};
use crate::stop::Stop;
use crate::upload;

/// What was found, and what was not looked at.
#[derive(Serialize, Default)]
struct Report {
    findings: Vec<Finding>,
    /// How many files were looked at.
    files: u64,
    /// Files that were not, because they are too large.
    too_large: Vec<RelativePath>,
    /// How many the manifest passes over.
    ignored: u64,
}

pub(crate) fn run(session: &Session<'_>, args: &ScanArgs) -> Result<(), Stop> {
    let root = std::path::absolute(&args.path).unwrap_or_else(|_| args.path.clone());
    if !root.is_dir() {
        let message = format!("cannot scan `{}`: it is no folder", args.path.display());
        return Err(Failure::new(Kind::Invalid, message)
            .hint("name a folder: `hostkit scan PATH`")
            .into());
    }
    let report = scan(&root)?;
    let printer = session.printer();
    if printer.wants_json() {
        printer.json(&report)?;
    } else {
        for finding in &report.findings {
            let place = printer.foreign_on_out(&format!("{}:{}", finding.path, finding.line));
            let rest = format!("{} ({})", finding.title, finding.rule);
            let excerpt = printer.foreign_on_out(&finding.excerpt);
            printer.line(&format!(
                "{}  {rest}  {excerpt}",
                printer.on_out(&place, Style::Bad)
            ))?;
        }
        for path in &report.too_large {
            printer.warn(&format!("`{path}` is over 1 MB and was not looked at"));
        }
        say(session, &report);
    }
    match report.findings.is_empty() {
        true => Ok(()),
        false => Err(Stop::Code(1)),
    }
}

fn say(session: &Session<'_>, report: &Report) {
    let printer = session.printer();
    let files = plural(report.files, "file");
    if report.findings.is_empty() {
        printer.say(&format!("No secret found in {files}."));
        return;
    }
    let count = plural(report.findings.len() as u64, "secret");
    printer.say(&format!("{count} found in {files}."));
    printer.next(
        "take them out, make new ones, and set those with `hostkit env set`; what is none is passed over with \
         `hostkit:allow-secret` in its line",
    );
}

fn scan(root: &Path) -> Result<Report, Failure> {
    let rule = read_manifest(&root.join(manifest::FILE_NAME))?
        .unwrap_or_default()
        .scan;
    let scanner = Scanner::new(&rule.ignore);
    let mut report = Report::default();
    for (path, size) in upload::names(root)? {
        match scanner.choose(&path, size) {
            Choice::Ignored => report.ignored += 1,
            Choice::TooLarge => report.too_large.push(path),
            Choice::Look => {
                let mut bytes = Vec::new();
                File::open(path.under(root))
                    .and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut bytes))
                    .map_err(|error| upload::read_failure(path.as_str(), &error))?;
                report.findings.extend(scanner.look(&path, &bytes));
                report.files += 1;
            }
        }
    }
    Ok(report)
}
