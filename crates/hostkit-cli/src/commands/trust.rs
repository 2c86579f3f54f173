//! `trust`: every place in which this machine's programs look for authorities, and what became of it.

use std::path::Path;

use hostkit_core::trust::{TrustOutcome, TrustReport, TrustWish};
use serde_json::json;

use super::daemon::{failure_of, refuse_remote};
use crate::args::TrustArgs;
use crate::local::Hooks;
use crate::output::{Printer, Style};
use crate::session::Session;
use crate::stop::Stop;

pub(crate) fn run(session: &Session<'_>, args: &TrustArgs, hooks: &Hooks) -> Result<(), Stop> {
    refuse_remote(session, "trust")?;
    let data = session.data()?;
    let printer = session.printer();
    if args.print {
        let file = (hooks.authority)(&data).map_err(failure_of)?;
        return match printer.wants_json() {
            true => printer.json(&json!({ "certificate": file })),
            false => printer.line(&file.display().to_string()),
        };
    }
    let wish = match args.remove {
        true => TrustWish::Remove,
        false => TrustWish::Add,
    };
    let report = (hooks.trust)(&data, wish, &command(&data, wish)).map_err(failure_of)?;
    match printer.wants_json() {
        true => printer.json(&report)?,
        false => show(printer, &report, wish)?,
    }
    match report.is_fine() {
        true => Ok(()),
        false => Err(Stop::Code(1)),
    }
}

/// What was typed, for somebody else to type: with the data folder, which another account has elsewhere.
fn command(data: &Path, wish: TrustWish) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    let mut data = data.display().to_string();
    if !data.chars().all(plain) {
        data = format!("'{}'", data.replace('\'', r"'\''"));
    }
    let remove = match wish {
        TrustWish::Add => "",
        TrustWish::Remove => " --remove",
    };
    format!("hostkit trust{remove} --data {data}")
}

fn show(printer: &Printer, report: &TrustReport, wish: TrustWish) -> Result<(), Stop> {
    for place in &report.places {
        let (word, style) = match place.outcome {
            TrustOutcome::Added => ("added", Style::Good),
            TrustOutcome::Removed => ("removed", Style::Good),
            TrustOutcome::Unchanged => ("as it was", Style::Dim),
            TrustOutcome::NotDone => ("not done", Style::Bad),
        };
        let word = printer.on_out(&format!("{word:<9}"), style);
        let path = printer.foreign_on_out(&place.path.display().to_string());
        printer.line(&format!("{word}  {:<10}  {path}", place.of))?;
        for line in [&place.why, &place.fix.as_ref().map(|fix| format!("fix: {fix}"))]
            .into_iter()
            .flatten()
        {
            printer.line(&format!("{:23}{}", "", printer.foreign_on_out(line)))?;
        }
    }
    let changed = report
        .places
        .iter()
        .any(|place| matches!(place.outcome, TrustOutcome::Added | TrustOutcome::Removed));
    if changed {
        printer.next("restart browsers that are open");
    }
    if wish == TrustWish::Add {
        printer.detail(&format!(
            "programs with a list of their own (Node.js, Python, Java) have to be told of `{}`",
            report.certificate.display()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_pasted_whatever_the_folder_is_called() {
        let of = |data: &str| command(Path::new(data), TrustWish::Remove);
        assert_eq!(
            of("/home/a/.local/share/hostkit"),
            "hostkit trust --remove --data /home/a/.local/share/hostkit"
        );
        assert_eq!(
            of("/a b;$(id)'c"),
            r"hostkit trust --remove --data '/a b;$(id)'\''c'"
        );
    }
}
