//! `hostkit open`: the URL, and a browser where there is one.

use std::process::{Command, Stdio};

use hostkit_api::endpoints::{GetEnvironment, NoQuery};
use serde_json::json;

use crate::args::OpenArgs;
use crate::session::Session;
use crate::stop::Stop;

pub(crate) async fn run(session: &Session<'_>, args: &OpenArgs) -> Result<(), Stop> {
    let environment = session.target(&args.target).await?;
    let found = session
        .client()?
        .call::<GetEnvironment>(&environment, &NoQuery {}, &())
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&json!({ "url": found.url }));
    }
    printer.line(&found.url)?;
    if !args.print && printer.out_is_terminal() && has_screen() && !open(&found.url) {
        printer.say("No browser could be started; open the URL yourself.");
    }
    Ok(())
}

fn has_screen() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn open(url: &str) -> bool {
    Command::new("xdg-open")
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
