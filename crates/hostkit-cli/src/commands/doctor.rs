//! `doctor`: what was found, line by line, and what mends it.

use hostkit_api::endpoints::{GetDoctor, GetEnvironmentDoctor, NoQuery};
use hostkit_api::installation::{Finding, Outcome};
use hostkit_api::target::Installation;
use hostkit_core::kind::Failure;
use hostkit_core::names::EnvironmentName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::server::{CheckReport, ItemState};

use super::daemon::failure_of;
use super::{isolation, server};
use crate::args::{DoctorArgs, DoctorCommand};
use crate::local::Hooks;
use crate::output::{Printer, Style, plural};
use crate::session::Session;
use crate::stop::Stop;

/// Looks at the machine first where that is asked for, then calls the API.
pub(crate) fn run(session: &Session<'_>, args: DoctorArgs, hooks: &Hooks) -> Result<(), Stop> {
    if let Some(DoctorCommand::Isolation { from, to }) = &args.command {
        return isolation::run(session, from, to, hooks);
    }
    let is_here = args.project.is_none() && !session.is_remote() && session.is_server();
    let machine = is_here.then(|| (hooks.server_check)(server::wish(false)).map_err(failure_of));
    crate::waiting_for(call(session, args, machine))
}

async fn call(
    session: &Session<'_>,
    args: DoctorArgs,
    machine: Option<Result<CheckReport, Failure>>,
) -> Result<(), Stop> {
    let client = session.client()?;
    let project = match args.project {
        Some(project) => Some(project),
        // Whoever may look at one project alone means that one.
        None => session.own_project().await,
    };
    let findings = match project {
        Some(project) => {
            let environment = args.environment.unwrap_or_else(EnvironmentName::production);
            let id = EnvironmentId::new(project, environment);
            session.is_about(&id);
            client.call::<GetEnvironmentDoctor>(&id, &NoQuery {}, &()).await?
        }
        None => {
            let mut findings = client.call::<GetDoctor>(&Installation, &NoQuery {}, &()).await?;
            findings.extend(machine.into_iter().flat_map(of_machine));
            findings
        }
    };
    tell(session.printer(), &findings)
}

/// What `server check` says, in short: each item that is not as it should be.
fn of_machine(checked: Result<CheckReport, Failure>) -> Vec<Finding> {
    let finding = |check: String, outcome, message: String, hint| Finding {
        check,
        outcome,
        message,
        hint,
    };
    let report = match checked {
        Ok(report) => report,
        Err(failure) => {
            return vec![finding(
                "server".into(),
                Outcome::Warning,
                failure.message,
                failure.hint,
            )];
        }
    };
    let is_fine = |state| matches!(state, ItemState::Ok | ItemState::NotApplicable);
    let bad = report.items.iter().filter(|item| !is_fine(item.state));
    let mut findings: Vec<Finding> = bad
        .map(|item| {
            let why = match item.findings.is_empty() {
                true => "it is not as it should be".to_owned(),
                false => item.findings.join("; "),
            };
            let hint = item
                .fix
                .clone()
                .or_else(|| Some("`sudo hostkit server check`".to_owned()));
            finding(format!("server {}", item.name), Outcome::Problem, why, hint)
        })
        .collect();
    if findings.is_empty() {
        let message = format!(
            "all {} are as they should be",
            plural(report.items.len() as u64, "item")
        );
        findings.push(finding("server".into(), Outcome::Fine, message, None));
    }
    findings
}

/// Shows findings; the exit code says whether one of them is a problem.
fn tell(printer: &Printer, findings: &[Finding]) -> Result<(), Stop> {
    let count = |outcome: Outcome| findings.iter().filter(|f| f.outcome == outcome).count() as u64;
    let (problems, warnings) = (count(Outcome::Problem), count(Outcome::Warning));
    if printer.wants_json() {
        printer.json(&findings)?;
    } else {
        for finding in findings {
            show(printer, finding)?;
        }
        let warned = match warnings {
            0 => String::new(),
            warnings => format!(", {}", plural(warnings, "warning")),
        };
        match problems {
            0 => printer.say(&format!("No problem found{warned}.")),
            problems => printer.say(&format!("{} found{warned}.", plural(problems, "problem"))),
        }
    }
    if problems == 0 { Ok(()) } else { Err(Stop::Code(1)) }
}

fn show(printer: &Printer, finding: &Finding) -> Result<(), Stop> {
    let word = match finding.outcome {
        Outcome::Fine => printer.on_out("fine   ", Style::Good),
        Outcome::Warning => printer.on_out("warning", Style::Warning),
        Outcome::Problem => printer.on_out("problem", Style::Bad),
    };
    let said = format!("{}: {}", finding.check, finding.message);
    printer.line(&format!("{word}  {}", printer.foreign_on_out(&said)))?;
    if let Some(hint) = &finding.hint {
        let (name, hint) = (printer.on_out("hint:", Style::Name), printer.foreign_on_out(hint));
        printer.line(&format!("         {name} {hint}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hostkit_core::kind::Kind;
    use hostkit_core::server::CheckedItem;

    use super::*;

    fn item(name: &'static str, state: ItemState, findings: &[&str]) -> CheckedItem {
        CheckedItem {
            name,
            title: name,
            why: "",
            state,
            findings: findings.iter().map(ToString::to_string).collect(),
            notes: Vec::new(),
            fix: (state == ItemState::Drift).then(|| "hostkit server setup".to_owned()),
        }
    }

    #[test]
    fn of_the_machine_only_what_is_wrong_is_told() {
        let mut items = vec![
            item("time", ItemState::Ok, &[]),
            item("swap", ItemState::NotApplicable, &[]),
        ];
        let told = of_machine(Ok(CheckReport {
            ok: true,
            items: items.clone(),
        }));
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].outcome, told[0].message.as_str()),
            (Outcome::Fine, "all 2 items are as they should be")
        );
        items.push(item(
            "ssh",
            ItemState::Drift,
            &["passwords are taken", "root may"],
        ));
        items.push(item("logs", ItemState::Missing, &[]));
        let told = of_machine(Ok(CheckReport { ok: false, items }));
        let words: Vec<_> = told
            .iter()
            .map(|f| (f.check.as_str(), f.outcome, f.message.as_str()))
            .collect();
        assert_eq!(
            words,
            [
                ("server ssh", Outcome::Problem, "passwords are taken; root may"),
                ("server logs", Outcome::Problem, "it is not as it should be"),
            ]
        );
        assert!(told.iter().all(|finding| finding.hint.is_some()));
        let refused = Failure::new(Kind::Denied, "only root may").hint("sudo hostkit doctor");
        let told = of_machine(Err(refused));
        assert_eq!(told[0].outcome, Outcome::Warning);
    }
}
