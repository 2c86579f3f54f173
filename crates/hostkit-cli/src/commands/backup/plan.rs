//! `hostkit backup plan`: what rules keep in the course of time. Asks nobody.

use hostkit_core::backup::retention::Retention;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::word;
use crate::args::Keep;
use crate::output::{Style, Table};
use crate::session::Session;
use crate::stop::Stop;

pub(super) fn plan(session: &Session<'_>, days: u32, keep: &Keep) -> Result<(), Stop> {
    let rules = keep.over(Retention::default());
    let now = Timestamp::now();
    let times = (0..i64::from(days))
        .rev()
        .map(|back| now - SignedDuration::from_hours(24 * back));
    let simulation = rules.simulate(times);
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&json!({
            "days": days,
            "keep": rules,
            "most": simulation.most,
            "kept": simulation.verdict.keep,
            "backups": simulation.kept,
        }));
    }
    let mut table = Table::new(&["MADE", "STAYS AS"]);
    for (backup, kept) in simulation.kept.iter().zip(&simulation.verdict.keep) {
        let reasons: Vec<&str> = kept.reasons.iter().map(|reason| word(*reason)).collect();
        table.row(vec![
            (backup.at.strftime("%Y-%m-%d").to_string(), Style::Name),
            (reasons.join(", "), Style::Plain),
        ]);
    }
    printer.table(&table)?;
    printer.say(&format!(
        "Of {days} daily backups, all of them good, {} are left; there were never more than {} at once.",
        simulation.kept.len(),
        simulation.most
    ));
    Ok(())
}
