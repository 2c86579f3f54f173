//! `server setup`: a line for each item as it is done, each change below it; what is left to do at the end.

use hostkit_core::kind::Failure;
use hostkit_core::server::{ChangeReport, Progress, SetupItem, SetupOutcome, SetupReport, SetupWish};

use crate::commands::daemon::failure_of;
use crate::local::Hooks;
use crate::output::{Printer, Style, plural};
use crate::session::Session;
use crate::stop::Stop;

pub(super) fn run(session: &Session<'_>, wish: SetupWish, hooks: &Hooks) -> Result<(), Stop> {
    let printer = session.printer();
    let plan = wish.plan;
    let mut tell = |progress: Progress<'_>| match progress {
        Progress::Begun(_) => {}
        Progress::Changing(item, change) => printer.detail(&format!("  {item}: {}", change.summary())),
        Progress::Ended(item) if !plan => told(printer, item),
        Progress::Ended(_) => {}
    };
    let report = (hooks.server_setup)(wish, &mut tell).map_err(failure_of)?;
    if printer.wants_json() {
        printer.json(&report)?;
    } else if plan {
        planned(printer, &report)?;
    } else {
        ended(printer, &report);
    }
    if report.is_fine() {
        Ok(())
    } else {
        Err(Stop::Code(1))
    }
}

/// One item, when it is done with.
fn told(printer: &Printer, item: &SetupItem) {
    let (words, fine) = match item.outcome {
        SetupOutcome::Unchanged => ("as it should be".to_owned(), true),
        SetupOutcome::NotApplicable => ("not here".to_owned(), true),
        SetupOutcome::Changed | SetupOutcome::Planned => (plural(item.changes.len() as u64, "change"), true),
        SetupOutcome::Refused => ("not done".to_owned(), false),
        SetupOutcome::Failed => ("failed".to_owned(), false),
        SetupOutcome::Skipped => ("skipped".to_owned(), false),
    };
    printer.step(item.name, &words, fine);
    for change in &item.changes {
        printer.say(&format!("             {}", change.summary));
    }
    for note in &item.notes {
        printer.say(&format!("             {}", printer.on_err(note, Style::Dim)));
    }
    if let Some(failure) = &item.failure {
        printer.error(failure);
    }
}

fn ended(printer: &Printer, report: &SetupReport) {
    let open = report.items.iter().filter(|item| !item.outcome.is_fine()).count() as u64;
    printer.say("");
    printer.say(&match (report.changes, open) {
        (0, 0) => "Nothing to change: the machine is as it should be.".to_owned(),
        (changes, 0) => format!(
            "The machine is as it should be, after {}.",
            plural(changes as u64, "change")
        ),
        (changes, open) => format!(
            "{} made; {} not as it should be: {}.",
            plural(changes as u64, "change"),
            plural(open, "item"),
            names(report)
        ),
    });
    for next in &report.next {
        printer.next(next);
    }
}

/// The plan is data: it goes to stdout.
fn planned(printer: &Printer, report: &SetupReport) -> Result<(), Stop> {
    for item in &report.items {
        let head = printer.on_out(&format!("{}: {}", item.name, item.title), Style::Strong);
        if item.outcome == SetupOutcome::Unchanged {
            printer.line(&format!("{head}: as it should be"))?;
            continue;
        }
        printer.line(&head)?;
        for change in &item.changes {
            show(printer, change)?;
        }
        for note in &item.notes {
            printer.line(&format!("  note: {}", printer.foreign_on_out(note)))?;
        }
        if let Some(failure) = &item.failure {
            refused(printer, failure)?;
        }
    }
    printer.line("")?;
    printer.line(&match report.changes {
        0 => "Nothing would be changed.".to_owned(),
        changes => format!(
            "{} would be made. Nothing was done.",
            plural(changes as u64, "change")
        ),
    })
}

fn show(printer: &Printer, change: &ChangeReport) -> Result<(), Stop> {
    printer.line(&format!("  {}", printer.foreign_on_out(&change.summary)))?;
    for line in change.diff.iter().flat_map(|diff| diff.lines()) {
        let style = match line.as_bytes().first() {
            Some(b'+') => Style::Good,
            Some(b'-') => Style::Bad,
            _ => Style::Dim,
        };
        let line = printer.foreign_on_out(line);
        printer.line(&format!("    {}", printer.on_out(&line, style)))?;
    }
    Ok(())
}

fn refused(printer: &Printer, failure: &Failure) -> Result<(), Stop> {
    printer.line(&format!("  {}", printer.foreign_on_out(&failure.message)))?;
    for detail in &failure.details {
        printer.line(&format!("    {}", printer.foreign_on_out(detail)))?;
    }
    match &failure.hint {
        Some(hint) => printer.line(&format!("  hint: {}", printer.foreign_on_out(hint))),
        None => Ok(()),
    }
}

fn names(report: &SetupReport) -> String {
    let open = report.items.iter().filter(|item| !item.outcome.is_fine());
    open.map(|item| item.name).collect::<Vec<_>>().join(", ")
}
