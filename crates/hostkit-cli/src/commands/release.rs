//! `hostkit releases`.

use hostkit_api::endpoints::{ListReleases, NoQuery};
use hostkit_core::size::ByteSize;

use crate::args::ReleasesArgs;
use crate::output::{Style, Table, ago};
use crate::session::{Session, spelled};
use crate::stop::Stop;

pub(crate) async fn list(session: &Session<'_>, args: &ReleasesArgs) -> Result<(), Stop> {
    let environment = session.target(&args.target).await?;
    let releases = session
        .client()?
        .call::<ListReleases>(&environment, &NoQuery {}, &())
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&releases);
    }
    if releases.is_empty() {
        printer.say(&format!("`{environment}` has no release yet."));
        printer.next(&format!("`hostkit deploy{}`", spelled(&environment)));
        return Ok(());
    }
    let now = jiff::Timestamp::now();
    let mut table = Table::new(&["RELEASE", "STATE", "AGE", "BUILDER", "PROCESSES", "SIZE"]);
    for release in &releases {
        let processes: Vec<&str> = release.processes.keys().map(|name| name.as_str()).collect();
        table.row(vec![
            (release.name.to_string(), Style::Name),
            match release.canary {
                _ if release.live => ("live".to_owned(), Style::Good),
                Some(percent) => (format!("canary {percent}"), Style::Warning),
                None => (String::new(), Style::Dim),
            },
            (ago(now, release.created_at), Style::Plain),
            (release.builder.clone(), Style::Plain),
            (processes.join(", "), Style::Plain),
            (ByteSize(release.bytes).to_string(), Style::Plain),
        ]);
    }
    printer.table(&table)
}
