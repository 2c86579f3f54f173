//! `hostkit token`.

use hostkit_api::endpoints::{CreateToken, DeleteToken, ListTokens, NoQuery};
use hostkit_api::target::Installation;
use hostkit_api::token::NewToken;
use hostkit_core::access::Role;
use serde_json::json;

use crate::args::TokenCommand;
use crate::output::{Style, Table, ago};
use crate::session::Session;
use crate::stop::Stop;

pub(crate) async fn run(session: &Session<'_>, command: TokenCommand) -> Result<(), Stop> {
    let client = session.client()?;
    let printer = session.printer();
    match command {
        TokenCommand::Create { name, role, project } => {
            let body = NewToken {
                name,
                role: role.into(),
                project,
                replace: false,
            };
            let made = client
                .call::<CreateToken>(&Installation, &NoQuery {}, &body)
                .await?;
            if printer.wants_json() {
                return printer.json(&made);
            }
            let scope = made
                .token
                .project
                .as_ref()
                .map_or("all projects".to_owned(), |p| format!("project `{p}`"));
            printer.say(&format!(
                "Made token `{}`: {} on {scope}. It is shown this once:",
                made.token.name,
                word(made.token.role)
            ));
            printer.line(&made.secret)?;
            printer.next("set HOSTKIT_URL and HOSTKIT_TOKEN where it is used; `hostkit status` shows the URL of the API");
            Ok(())
        }
        TokenCommand::List => {
            let tokens = client.call::<ListTokens>(&Installation, &NoQuery {}, &()).await?;
            if printer.wants_json() {
                return printer.json(&tokens);
            }
            let now = jiff::Timestamp::now();
            let mut table = Table::new(&["TOKEN", "ROLE", "PROJECT", "MADE"]);
            for token in &tokens {
                table.row(vec![
                    (token.name.to_string(), Style::Name),
                    (word(token.role).to_owned(), Style::Plain),
                    (
                        token
                            .project
                            .as_ref()
                            .map_or("all".to_owned(), ToString::to_string),
                        Style::Plain,
                    ),
                    (ago(now, token.created_at), Style::Plain),
                ]);
            }
            printer.table(&table)
        }
        TokenCommand::Revoke { name } => {
            client.call::<DeleteToken>(&name, &NoQuery {}, &()).await?;
            if printer.wants_json() {
                return printer.json(&json!({ "revoked": name }));
            }
            printer.say(&format!(
                "Revoked token `{name}`: it is worth nothing from now on."
            ));
            Ok(())
        }
    }
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Developer => "developer",
        Role::Viewer => "viewer",
    }
}
