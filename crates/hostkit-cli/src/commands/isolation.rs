//! `doctor isolation`: every attempt with what became of it.

use hostkit_core::isolation::{AttemptOutcome, IsolationReport};
use hostkit_core::names::ProjectName;

use super::daemon::{failure_of, refuse_remote};
use crate::local::Hooks;
use crate::output::{Printer, Style, plural};
use crate::session::Session;
use crate::stop::Stop;

pub(crate) fn run(
    session: &Session<'_>,
    from: &ProjectName,
    to: &ProjectName,
    hooks: &Hooks,
) -> Result<(), Stop> {
    refuse_remote(session, "doctor isolation")?;
    let report = (hooks.isolation)(from, to).map_err(failure_of)?;
    let printer = session.printer();
    if printer.wants_json() {
        printer.json(&report)?;
    } else {
        show(printer, &report)?;
    }
    if report.is_fine() {
        Ok(())
    } else {
        Err(Stop::Code(1))
    }
}

fn show(printer: &Printer, report: &IsolationReport) -> Result<(), Stop> {
    for attempt in &report.attempts {
        let (word, style) = match attempt.outcome {
            AttemptOutcome::Refused => ("ok", Style::Good),
            AttemptOutcome::Succeeded => ("open", Style::Bad),
            AttemptOutcome::NotMade => ("-", Style::Dim),
        };
        let word = printer.on_out(&format!("{word:<4}"), style);
        let why = match (attempt.outcome, &attempt.why) {
            (AttemptOutcome::NotMade, Some(why)) => format!(": {why}"),
            _ => String::new(),
        };
        let line = format!("{:<14}  {}{why}", attempt.noun, attempt.sentence());
        printer.line(&format!("{word}  {}", printer.foreign_on_out(&line)))?;
    }
    let (open, made) = (
        report.count(AttemptOutcome::Succeeded),
        report.attempts.len() - report.count(AttemptOutcome::NotMade),
    );
    printer.say(&match open {
        0 => format!(
            "`{}` was refused all of {made} attempts at `{}`.",
            report.from, report.to
        ),
        open => format!(
            "`{}` is not kept apart from `{}`: {} of {made} succeeded.",
            report.to,
            report.from,
            plural(open as u64, "attempt")
        ),
    });
    Ok(())
}
