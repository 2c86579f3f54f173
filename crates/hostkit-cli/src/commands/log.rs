//! `hostkit logs`.

use futures_util::StreamExt;
use hostkit_api::endpoints::GetLogs;
use hostkit_api::log::LogsQuery;
use hostkit_core::log::{LogLine, LogStream};
use jiff::Timestamp;

use crate::args::LogsArgs;
use crate::output::{Printer, Style, clock};
use crate::session::{Session, spelled};
use crate::stop::Stop;

pub(crate) async fn run(session: &Session<'_>, args: &LogsArgs) -> Result<(), Stop> {
    let environment = session.target(&args.target).await?;
    let query = LogsQuery {
        process: args.process.clone(),
        since: args.since,
        grep: args.grep.clone(),
        last: args.last,
        follow: args.follow,
    };
    let printer = session.printer();
    let mut lines = session.client()?.lines::<GetLogs>(&environment, &query).await?;
    let mut any = false;
    while let Some(line) = lines.next().await {
        let line = line?;
        any = true;
        if printer.wants_json() {
            printer.json_line(&line)?;
        } else {
            printer.line(&shown(printer, Timestamp::now(), &line))?;
        }
    }
    if !any {
        printer.say(&format!("No line of `{environment}` fits."));
        let target = spelled(&environment);
        printer.next(&format!(
            "`hostkit ps{target}` shows what runs, `hostkit deployments{target}` what was deployed"
        ));
    }
    Ok(())
}

/// `12:03:01 web.1 | text`; the stream is told by a colour and, for HostKit's own words, by `*`.
fn shown(printer: &Printer, now: Timestamp, line: &LogLine) -> String {
    let time = printer.on_out(&clock(now, line.at), Style::Dim);
    let name = match (&line.instance, &line.process) {
        (Some(instance), _) => short(instance),
        (None, Some(process)) => process.to_string(),
        (None, None) => String::new(),
    };
    let name = printer.name_on_out(&name);
    let text = printer.foreign_on_out(&line.text);
    match line.stream {
        LogStream::Out => format!("{time} {name} | {text}"),
        LogStream::Err => format!("{time} {name} {} {text}", printer.on_out("|", Style::Warning)),
        LogStream::Hostkit => format!("{time} {name} * {}", printer.on_out(&text, Style::Dim)),
    }
}

/// `shop.production.web.42.1` as `web.1`.
fn short(instance: &str) -> String {
    match instance.split('.').collect::<Vec<_>>()[..] {
        [_, _, process, _, number] => format!("{process}.{number}"),
        _ => instance.to_owned(),
    }
}
