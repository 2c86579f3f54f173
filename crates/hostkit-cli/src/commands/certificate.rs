//! `hostkit cert`.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hostkit_api::certificate::NewCertificate;
use hostkit_api::endpoints::{
    ImportCertificate, ListCertificates, NoQuery, RemoveCertificate, RenewCertificate,
};
use hostkit_api::target::Installation;
use hostkit_core::certificate::{CertificateName, CertificateSource, CertificateState, CertificateStatus};
use hostkit_core::kind::{Failure, Kind};
use serde_json::json;

use crate::args::CertificateCommand;
use crate::output::{Printer, Style, Table};
use crate::session::Session;
use crate::stop::Stop;
use crate::upload::reason;

/// Many times what the longest chain takes.
const LARGEST: u64 = 256 * 1024;
/// The bits of a file's mode by which others than its owner read it.
const READ_BY_OTHERS: u32 = 0o044;

pub(crate) async fn run(session: &Session<'_>, command: CertificateCommand) -> Result<(), Stop> {
    match command {
        CertificateCommand::List => list(session).await,
        CertificateCommand::Import { chain, key } => import(session, &chain, &key).await,
        CertificateCommand::Renew { name } => renew(session, &name).await,
        CertificateCommand::Remove { name } => remove(session, &name).await,
    }
}

async fn list(session: &Session<'_>) -> Result<(), Stop> {
    let client = session.client()?;
    let all = client
        .call::<ListCertificates>(&Installation, &NoQuery {}, &())
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&all);
    }
    if all.is_empty() {
        printer.say("There is no certificate yet.");
        printer.next("`hostkit domain add shop.example.com`, or `hostkit cert import CHAIN KEY`");
        return Ok(());
    }
    let mut table = Table::new(&["NAME", "SOURCE", "ISSUER", "UNTIL", "STATE"]);
    for one in &all {
        let until = one.not_after.map(|at| at.strftime("%Y-%m-%d").to_string());
        let (state, style) = match one.state {
            CertificateState::Served => ("served", Style::Good),
            CertificateState::Pending => ("pending", Style::Warning),
            CertificateState::Failed => ("failed", Style::Bad),
        };
        let source = match one.source {
            CertificateSource::Imported => "imported",
            CertificateSource::Acme => "acme",
            CertificateSource::Local => "local",
        };
        table.row(vec![
            (one.name.to_string(), Style::Name),
            (source.to_owned(), Style::Plain),
            (one.issuer.clone().unwrap_or_default(), Style::Plain),
            (until.unwrap_or_default(), Style::Plain),
            (state.to_owned(), style),
        ]);
        for line in trouble(one) {
            table.note(&line);
        }
    }
    printer.table(&table)
}

/// What is wrong with one, and when it is tried again.
fn trouble(one: &CertificateStatus) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(trouble) = &one.trouble {
        lines.push(match trouble.next {
            Some(next) => format!(
                "{}; tried again at {}",
                trouble.why,
                next.strftime("%Y-%m-%d %H:%M UTC")
            ),
            None => format!("{}; not tried again by itself", trouble.why),
        });
    }
    if let Some(other) = &one.shown_instead {
        lines.push(format!("visitors are shown another one: {other}"));
    }
    lines
}

async fn import(session: &Session<'_>, chain: &Path, key: &Path) -> Result<(), Stop> {
    let printer = session.printer();
    let new = NewCertificate {
        chain: read("certificate", chain)?,
        key: read("key", key)?,
    };
    warn_of_readers(printer, key);
    let client = session.client()?;
    let imported = client
        .call::<ImportCertificate>(&Installation, &NoQuery {}, &new)
        .await?;
    if printer.wants_json() {
        return printer.json(&imported);
    }
    let names: Vec<String> = imported.names.iter().map(ToString::to_string).collect();
    printer.say(&format!(
        "The certificate is shown for {} from now on.",
        names.join(", ")
    ));
    printer.next("`hostkit cert list` shows until when; bring a newer one in time");
    Ok(())
}

async fn renew(session: &Session<'_>, name: &CertificateName) -> Result<(), Stop> {
    let client = session.client()?;
    client.call::<RenewCertificate>(name, &NoQuery {}, &()).await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&json!({ "renewing": name }));
    }
    printer.say(&format!("The certificate of {name} is ordered now."));
    printer.next("`hostkit cert list` shows how it went");
    Ok(())
}

async fn remove(session: &Session<'_>, name: &CertificateName) -> Result<(), Stop> {
    let client = session.client()?;
    client.call::<RemoveCertificate>(name, &NoQuery {}, &()).await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&json!({ "removed": name }));
    }
    printer.say(&format!(
        "The certificate that was imported for {name} is not shown any more."
    ));
    Ok(())
}

fn read(what: &str, file: &Path) -> Result<String, Failure> {
    let cannot = |why: &str| {
        let message = format!("cannot read the {what} `{}`: {why}", file.display());
        Failure::new(Kind::Invalid, message)
            .hint("give two PEM files: `hostkit cert import fullchain.pem privkey.pem`")
    };
    let mut text = String::new();
    let opened = File::open(file).map_err(|error| cannot(&reason(&error)))?;
    let read = opened.take(LARGEST + 1).read_to_string(&mut text);
    match read {
        Ok(length) if length as u64 > LARGEST => Err(cannot("it is no PEM file: it is too large")),
        Ok(_) => Ok(text),
        Err(error) => Err(cannot(&reason(&error))),
    }
}

fn warn_of_readers(printer: &Printer, key: &Path) {
    let mode = std::fs::metadata(key).map(|found| found.permissions().mode());
    if mode.is_ok_and(|mode| mode & READ_BY_OTHERS != 0) {
        let file = key.display();
        printer.warn(&format!(
            "others on this machine may read the key: `chmod 600 {file}` keeps it yours"
        ));
    }
}
