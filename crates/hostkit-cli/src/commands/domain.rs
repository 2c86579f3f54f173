//! `hostkit domain`, and `hostkit nginx add`.

use hostkit_api::domain::NewDomain;
use hostkit_api::endpoints::{AddDomain, CheckDomain, ListDomains, NoQuery, RemoveDomain};
use hostkit_api::target::OneDomain;
use hostkit_core::certificate::Reach;
use hostkit_core::domain::{AddressesFrom, DnsRecord, DnsState, DomainName, DomainReport, DomainSource};
use hostkit_core::names::EnvironmentName;
use hostkit_core::project::EnvironmentId;
use serde_json::json;

use crate::args::{DomainCommand, NginxCommand, Target};
use crate::output::{Printer, Style, Table, ago};
use crate::session::{Session, spelled};
use crate::stop::Stop;

pub(crate) async fn run(session: &Session<'_>, command: DomainCommand) -> Result<(), Stop> {
    match command {
        DomainCommand::Add { domain, target } => add(session, &session.target(&target).await?, &domain).await,
        DomainCommand::List { target } => list(session, &target).await,
        DomainCommand::Remove { domain, target } => {
            remove(session, session.target(&target).await?, domain).await
        }
        DomainCommand::Check { domain, target } => {
            check(session, session.target(&target).await?, domain).await
        }
    }
}

pub(crate) async fn nginx(session: &Session<'_>, command: NginxCommand) -> Result<(), Stop> {
    let NginxCommand::Add { name, domain } = command;
    let environment = EnvironmentId::new(name, EnvironmentName::production());
    session.is_about(&environment);
    add(session, &environment, &domain).await
}

/// Adds it, then looks where it leads: what the DNS does not say yet is said, and no failure.
async fn add(session: &Session<'_>, environment: &EnvironmentId, domain: &DomainName) -> Result<(), Stop> {
    let printer = session.printer();
    let new = NewDomain {
        domain: domain.to_string(),
    };
    let client = session.client()?;
    let added = client.call::<AddDomain>(environment, &NoQuery {}, &new).await?;
    match added.is_new {
        true => printer.say(&format!("`{environment}` answers {domain} now.")),
        false => printer.say(&format!(
            "`{environment}` answers {domain} already: nothing to do."
        )),
    }
    let one = OneDomain {
        environment: environment.clone(),
        domain: domain.clone(),
    };
    let report = match client.call::<CheckDomain>(&one, &NoQuery {}, &()).await {
        Ok(report) => Some(report),
        // It is added all the same.
        Err(failure) => {
            printer.warn(&failure.message);
            None
        }
    };
    if printer.wants_json() {
        let mut told = serde_json::to_value(&added).unwrap_or_default();
        told["check"] = json!(report);
        return printer.json(&told);
    }
    let Some(report) = report else { return Ok(()) };
    if report.ok {
        printer.say(&format!("Visitors of {domain} arrive here."));
        return Ok(());
    }
    printer.warn(&format!("visitors of {domain} do not arrive here yet"));
    for line in explained(&report) {
        printer.say(&line);
    }
    printer.next(&format!(
        "`hostkit domain check {}{}` looks again",
        typed(domain),
        spelled(environment)
    ));
    Ok(())
}

/// As it is typed: a shell makes names of files of a star.
fn typed(domain: &DomainName) -> String {
    match domain.reach() {
        Reach::Host => domain.to_string(),
        Reach::Below => format!("'{domain}'"),
    }
}

async fn list(session: &Session<'_>, target: &Target) -> Result<(), Stop> {
    let environment = session.target(target).await?;
    let domains = session
        .client()?
        .call::<ListDomains>(&environment, &NoQuery {}, &())
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&domains);
    }
    let now = jiff::Timestamp::now();
    let mut table = Table::new(&["DOMAIN", "FROM", "ADDED", "BY"]);
    for domain in domains {
        let added = domain.added_at.map(|at| ago(now, at)).unwrap_or_default();
        table.row(vec![
            (domain.host.to_string(), Style::Name),
            (domain.source.as_str().to_owned(), Style::Plain),
            (added, Style::Plain),
            (domain.added_by.unwrap_or_default(), Style::Plain),
        ]);
    }
    printer.table(&table)
}

async fn remove(session: &Session<'_>, environment: EnvironmentId, domain: DomainName) -> Result<(), Stop> {
    let one = OneDomain { environment, domain };
    session
        .client()?
        .call::<RemoveDomain>(&one, &NoQuery {}, &())
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&json!({ "removed": one.domain }));
    }
    printer.say(&format!(
        "`{}` does not answer {} any more.",
        one.environment, one.domain
    ));
    Ok(())
}

async fn check(
    session: &Session<'_>,
    environment: EnvironmentId,
    named: Option<DomainName>,
) -> Result<(), Stop> {
    let (client, printer) = (session.client()?, session.printer());
    let domains = match &named {
        Some(domain) => vec![domain.clone()],
        None => {
            let all = client.call::<ListDomains>(&environment, &NoQuery {}, &()).await?;
            let chosen = all.into_iter().filter(|d| d.source != DomainSource::Default);
            chosen.map(|domain| domain.host).collect()
        }
    };
    if domains.is_empty() {
        printer.say(&format!("`{environment}` has no domain but its own."));
        printer.next(&format!(
            "`hostkit domain add shop.example.com{}`",
            spelled(&environment)
        ));
    }
    let mut reports = Vec::new();
    for domain in domains {
        let one = OneDomain {
            environment: environment.clone(),
            domain,
        };
        let report = client.call::<CheckDomain>(&one, &NoQuery {}, &()).await?;
        if !printer.wants_json() {
            show(printer, &report)?;
        }
        reports.push(report);
    }
    if printer.wants_json() {
        match (&named, reports.as_slice()) {
            (Some(_), [report]) => printer.json(report)?,
            _ => printer.json(&reports)?,
        }
    }
    match reports.iter().all(|report| report.ok) {
        true => Ok(()),
        false => Err(Stop::Code(1)),
    }
}

fn show(printer: &Printer, report: &DomainReport) -> Result<(), Stop> {
    let (word, style, said) = match report.ok {
        true => ("fine   ", Style::Good, "visitors arrive here"),
        false => ("problem", Style::Bad, "visitors do not arrive here"),
    };
    let domain = printer.name_on_out(&report.domain.to_string());
    printer.line(&format!("{}  {domain}: {said}", printer.on_out(word, style)))?;
    for line in explained(report) {
        printer.line(&format!("         {}", printer.foreign_on_out(&line)))?;
    }
    Ok(())
}

/// What was seen and what to set, line by line.
fn explained(report: &DomainReport) -> Vec<String> {
    let mut lines = report.problems.clone();
    if report.dns != DnsState::Missing && report.dns != DnsState::Unknown {
        let found: Vec<String> = report.found.iter().map(ToString::to_string).collect();
        lines.push(format!("the DNS says {}", found.join(", ")));
    }
    if report.ok {
        return lines;
    }
    let records = |verb: &str, records: &[DnsRecord]| -> Vec<String> {
        let lines = records.iter();
        lines
            .map(|record| {
                format!(
                    "{verb} in the DNS: {} {} {}",
                    record.kind, record.name, record.value
                )
            })
            .collect()
    };
    lines.extend(records("set", &report.set));
    lines.extend(records("remove", &report.remove));
    lines.push(match (report.own_from, report.own.is_empty()) {
        (AddressesFrom::Setting, _) => "the addresses of this server are those in server.toml".to_owned(),
        (AddressesFrom::Interfaces, false) => {
            "the addresses of this server are those of its network interfaces".to_owned()
        }
        (AddressesFrom::Interfaces, true) => {
            "no network interface of this server has a public address: name the one \
                                        its router has as `public_addresses` in server.toml"
                .to_owned()
        }
        (AddressesFrom::Loopback, _) => "in local mode only this machine itself comes here".to_owned(),
    });
    lines
}
