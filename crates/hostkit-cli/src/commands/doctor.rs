//! `doctor`: what was found, line by line, and what mends it.

use hostkit_api::endpoints::{GetDoctor, GetEnvironmentDoctor, NoQuery};
use hostkit_api::installation::{Finding, Outcome};
use hostkit_api::target::Installation;
use hostkit_core::names::EnvironmentName;
use hostkit_core::project::EnvironmentId;

use crate::args::DoctorArgs;
use crate::output::{Printer, Style, plural};
use crate::session::Session;
use crate::stop::Stop;

pub(crate) async fn run(session: &Session<'_>, args: DoctorArgs) -> Result<(), Stop> {
    if let Some(command) = args.command {
        match command {}
    }
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
        None => client.call::<GetDoctor>(&Installation, &NoQuery {}, &()).await?,
    };
    tell(session.printer(), &findings)
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
