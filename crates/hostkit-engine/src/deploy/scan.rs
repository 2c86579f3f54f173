//! The look for secrets in a source before it is built. Contents are read from the store of uploads, which nobody but
//! control writes, never from the folder that is built in. What was clean in the project's last source is not looked
//! at again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::scan::{Choice, Finding, MAX_FILE_BYTES, Policy, ScanRule, Scanner, is_judged_by_content};
use hostkit_core::source::{ContentHash, SourceContent, SourceFile};
use tokio::time::Instant;

use super::fetch::source;
use crate::context::locked;
use crate::run::Run;

/// The longest a scan may take: a build waits for it.
const LONGEST: Duration = Duration::from_secs(60);
/// So many bytes are read before they are looked at.
const BATCH: usize = 4 << 20;
/// Of a larger source nothing is remembered: memory is for what runs.
const MOST_KNOWN: usize = 20_000;
/// The most findings that are told in the log, and in the event.
const MOST_TOLD: usize = 50;
const MOST_PLACES: usize = 10;

/// What a scan brought.
#[derive(Default)]
struct Report {
    findings: Vec<Finding>,
    looked_at: usize,
    known: usize,
    too_large: usize,
    /// Files that were not reached in time.
    left: usize,
    clean: HashSet<ContentHash>,
}

/// One file to look at.
struct Candidate {
    file: SourceFile,
    hash: ContentHash,
    bytes: Vec<u8>,
}

/// Tells what is found, and refuses the source where the manifest says so.
pub(super) async fn look_through(run: &Run, rule: &ScanRule) -> Result<(), Failure> {
    if rule.secrets == Policy::Off {
        return Ok(());
    }
    let begun = Instant::now();
    let report = scan(run, rule, begun).await?;
    tracing::debug!(
        deployment = run.deployment.id,
        files = report.looked_at,
        known = report.known,
        milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        "looked for secrets"
    );
    tell(run, &report);
    record(run, rule, &report)?;
    if rule.secrets == Policy::Stop {
        refuse(&report)?;
    }
    Ok(())
}

async fn scan(run: &Run, rule: &ScanRule, begun: Instant) -> Result<Report, Failure> {
    let (sources, project) = (&run.context.parts.sources, &run.deployment.environment.project);
    let files = sources.list(project, source(run)?).await?;
    let before = locked(&run.context.clean)
        .get(project)
        .cloned()
        .unwrap_or_default();
    let scanner = Arc::new(Scanner::new(&rule.ignore));
    let mut report = Report::default();
    let (mut batch, mut held) = (Vec::new(), 0);
    for (place, file) in files.iter().enumerate() {
        let SourceContent::File { hash, size, .. } = &file.content else {
            continue;
        };
        match scanner.choose(&file.path, *size) {
            Choice::Look => {}
            Choice::Ignored => continue,
            Choice::TooLarge => {
                report.too_large += 1;
                continue;
            }
        }
        if before.contains(hash) && is_judged_by_content(&file.path) {
            report.known += 1;
            report.clean.insert(hash.clone());
            continue;
        }
        if begun.elapsed() > LONGEST {
            report.left = files.len() - place;
            break;
        }
        let limit = usize::try_from(MAX_FILE_BYTES).unwrap_or(usize::MAX);
        let bytes = sources.read(project, hash, limit).await?;
        held += bytes.len();
        batch.push(Candidate {
            file: file.clone(),
            hash: hash.clone(),
            bytes,
        });
        if held >= BATCH {
            report.look(&scanner, std::mem::take(&mut batch)).await?;
            held = 0;
        }
    }
    report.look(&scanner, batch).await?;
    let mut clean = std::mem::take(&mut report.clean);
    if clean.len() > MOST_KNOWN {
        clean.clear();
    }
    locked(&run.context.clean).insert(project.clone(), clean);
    Ok(report)
}

impl Report {
    /// Looks at files where it holds up nobody.
    async fn look(&mut self, scanner: &Arc<Scanner>, batch: Vec<Candidate>) -> Result<(), Failure> {
        self.looked_at += batch.len();
        let scanner = scanner.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let look = |one: Candidate| {
                let findings = scanner.look(&one.file.path, &one.bytes);
                let clean = findings.is_empty() && is_judged_by_content(&one.file.path);
                (findings, clean.then_some(one.hash))
            };
            batch.into_iter().map(look).collect::<Vec<_>>()
        });
        let looked = looked
            .await
            .map_err(|e| Failure::new(Kind::Internal, format!("cannot scan the source: {e}")))?;
        for (findings, clean) in looked {
            self.findings.extend(findings);
            self.clean.extend(clean);
        }
        Ok(())
    }
}

fn tell(run: &Run, report: &Report) {
    for finding in report.findings.iter().take(MOST_TOLD) {
        run.journal.say(&format!("secret in the source: {finding}"));
    }
    match report.findings.len() {
        0 => {}
        many if many > MOST_TOLD => run.journal.say(&format!(
            "{} more secrets in the source; `hostkit scan` shows them all",
            many - MOST_TOLD
        )),
        _ => run
            .journal
            .say("whoever has the source has them: take them out, make new ones and set those with `hostkit env set`"),
    }
    if report.too_large > 0 {
        run.journal.say(&format!(
            "not looked through for secrets: {} over 1 MB",
            match report.too_large {
                1 => "1 file".to_owned(),
                many => format!("{many} files"),
            }
        ));
    }
    if report.left > 0 {
        run.journal.say(&format!(
            "not looked through for secrets: {} files, it took longer than {} s",
            report.left,
            LONGEST.as_secs()
        ));
    }
}

fn record(run: &Run, rule: &ScanRule, report: &Report) -> Result<(), Failure> {
    if report.findings.is_empty() {
        return Ok(());
    }
    let first = report.findings.iter().take(MOST_PLACES);
    let what = What::SecretsFound {
        deployment: run.deployment.id,
        count: report.findings.len() as u64,
        places: first
            .map(|f| format!("{}:{} {}", f.path, f.line, f.rule))
            .collect(),
        stopped: rule.secrets == Policy::Stop,
    };
    let store = &run.context.parts.store;
    store.record(Some(&run.deployment.environment), what)
}

/// What a source is refused for. One that was not looked through as a whole is not known to be clean.
fn refuse(report: &Report) -> Result<(), Failure> {
    if report.findings.is_empty() && report.left == 0 {
        return Ok(());
    }
    if report.findings.is_empty() {
        let message = format!(
            "cannot build: the source could not be looked through for secrets within {} s",
            LONGEST.as_secs()
        );
        return Err(Failure::new(Kind::Unavailable, message)
            .hint("name what need not be looked at with `ignore` below [scan] in hostkit.toml"));
    }
    let count = match report.findings.len() {
        1 => "a secret".to_owned(),
        many => format!("{many} secrets"),
    };
    let told = report.findings.iter().take(MOST_PLACES).map(ToString::to_string);
    Err(Failure::new(Kind::Invalid, format!("cannot build: there is {count} in the source"))
        .details(told.collect())
        .hint(
            "take it out and set it with `hostkit env set`; what is none is passed over with `hostkit:allow-secret` in its line, or `ignore` below [scan] in hostkit.toml",
        ))
}
