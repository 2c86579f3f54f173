//! `server check`: a line for each item, what is wrong with it, and what mends it.

use hostkit_core::server::{CheckReport, ItemState, SetupWish};

use crate::commands::daemon::failure_of;
use crate::local::Hooks;
use crate::output::{Printer, Style};
use crate::session::Session;
use crate::stop::Stop;

pub(super) fn run(session: &Session<'_>, wish: SetupWish, hooks: &Hooks) -> Result<(), Stop> {
    let printer = session.printer();
    let report = (hooks.server_check)(wish).map_err(failure_of)?;
    if printer.wants_json() {
        printer.json(&report)?;
    } else {
        show(printer, &report)?;
    }
    if report.ok { Ok(()) } else { Err(Stop::Code(1)) }
}

fn show(printer: &Printer, report: &CheckReport) -> Result<(), Stop> {
    for item in &report.items {
        let (word, style) = match item.state {
            ItemState::Ok => ("ok", Style::Good),
            ItemState::Drift => ("drift", Style::Bad),
            ItemState::Missing => ("missing", Style::Bad),
            ItemState::NotApplicable => ("not here", Style::Dim),
        };
        let word = printer.on_out(&format!("{word:<8}"), style);
        printer.line(&format!("{word}  {:<10}  {}", item.name, item.title))?;
        for finding in &item.findings {
            printer.line(&format!("{:22}{}", "", printer.foreign_on_out(finding)))?;
        }
        for note in &item.notes {
            let note = printer.foreign_on_out(note);
            printer.line(&format!("{:22}{}", "", printer.on_out(&note, Style::Dim)))?;
        }
        if let Some(fix) = &item.fix {
            printer.line(&format!("{:22}fix: {}", "", printer.foreign_on_out(fix)))?;
        }
    }
    Ok(())
}
