//! `hostkit access`.

use std::io::Read;

use hostkit_api::endpoints::{AddOperatorKey, ListOperatorKeys, NoQuery, RemoveOperatorKey};
use hostkit_api::operator_key::{NewOperatorKey, WhichOperatorKey};
use hostkit_core::kind::{Failure, Kind};

use crate::args::AccessCommand;
use crate::output::{Style, Table};
use crate::session::Session;
use crate::stop::Stop;
use crate::upload::reason;

/// Many times what the longest key takes.
const LARGEST: u64 = 64 * 1024;

pub(crate) async fn run(session: &Session<'_>, command: AccessCommand) -> Result<(), Stop> {
    let printer = session.printer();
    match command {
        AccessCommand::Add { name, key } => {
            let key = public_key(&key)?;
            let added = session
                .client()?
                .call::<AddOperatorKey>(&name, &NoQuery {}, &NewOperatorKey { key })
                .await?;
            if printer.wants_json() {
                return printer.json(&added);
            }
            let (fingerprint, comment) = (&added.key.fingerprint, printer.foreign_on_err(&added.key.comment));
            match added.is_new {
                true => printer.say(&format!("Key {fingerprint} {comment} may log in as `{name}`.")),
                false => printer.say(&format!(
                    "Key {fingerprint} may log in as `{name}` already: nothing to do."
                )),
            }
            if added.is_new {
                printer.next(&format!("`ssh {name}@SERVER hostkit status` tries it"));
            }
            Ok(())
        }
        AccessCommand::List { name } => {
            let name = session.project(name.as_ref()).await?;
            let keys = session
                .client()?
                .call::<ListOperatorKeys>(&name, &NoQuery {}, &())
                .await?;
            if printer.wants_json() {
                return printer.json(&keys);
            }
            if keys.is_empty() {
                printer.say(&format!("No key may log in as `{name}`."));
                printer.next(&format!("`hostkit access add {name} ~/.ssh/id_ed25519.pub`"));
                return Ok(());
            }
            let mut table = Table::new(&["FINGERPRINT", "TYPE", "COMMENT"]);
            for key in keys {
                table.row(vec![
                    (key.fingerprint, Style::Name),
                    (key.kind, Style::Plain),
                    (key.comment, Style::Plain),
                ]);
            }
            printer.table(&table)
        }
        AccessCommand::Remove { name, key } => {
            let key = named_key(&key)?;
            let removed = session
                .client()?
                .call::<RemoveOperatorKey>(&name, &NoQuery {}, &WhichOperatorKey { key })
                .await?;
            if printer.wants_json() {
                return printer.json(&removed);
            }
            printer.say(&format!(
                "Key {} {} may not log in as `{name}` any more.",
                removed.fingerprint,
                printer.foreign_on_err(&removed.comment)
            ));
            Ok(())
        }
    }
}

/// The line of a public key, from its text, its file or stdin. What does not begin like one is not sent anywhere, and no
/// word of it is repeated: it may be a private key.
fn public_key(given: &str) -> Result<String, Failure> {
    if is_key(given) || is_private(given) {
        return checked(given.to_owned());
    }
    checked(contents(given)?)
}

/// What a key is known by: the line of a key, or words of a person.
fn named_key(given: &str) -> Result<String, Failure> {
    match given {
        "-" => checked(contents(given)?),
        path if !is_fingerprint(path) && (path.contains('/') || path.ends_with(".pub")) && !is_key(path) => {
            checked(contents(path)?)
        }
        words if is_private(words) => Err(private()),
        words => Ok(words.to_owned()),
    }
}

fn contents(file: &str) -> Result<String, Failure> {
    let shown = match file {
        "-" => "the key on stdin".to_owned(),
        file => format!("`{file}`"),
    };
    let refused = |why: String| {
        Failure::new(Kind::Invalid, format!("cannot read {shown}: {why}"))
            .hint("give the file of a public key (it ends with `.pub`), its text, or `-` for stdin")
    };
    let mut text = String::new();
    let read = match file {
        "-" => std::io::stdin().lock().take(LARGEST).read_to_string(&mut text),
        file => std::fs::File::open(file).and_then(|file| file.take(LARGEST).read_to_string(&mut text)),
    };
    read.map_err(|error| refused(reason(&error)))?;
    Ok(text)
}

fn checked(text: String) -> Result<String, Failure> {
    let line = text.trim_end_matches(['\n', '\r']);
    if is_private(line) {
        return Err(private());
    }
    if line.contains(['\n', '\r']) || !is_key(line) {
        return Err(Failure::new(
            Kind::Invalid,
            "cannot use this key: it is not the one line of a public key",
        )
        .hint("it begins like `ssh-ed25519 AAAA…`; `ssh-keygen -t ed25519` makes one"));
    }
    Ok(line.to_owned())
}

fn private() -> Failure {
    Failure::new(
        Kind::Invalid,
        "cannot use this key: it is a private one, and was not sent anywhere",
    )
    .hint("use the file beside it that ends with `.pub`; keep this one to yourself")
}

fn is_private(text: &str) -> bool {
    text.contains("PRIVATE KEY") || text.contains("PuTTY-User-Key-File")
}

fn is_key(text: &str) -> bool {
    let kind = text.trim_start().split([' ', '\t']).next().unwrap_or_default();
    text.trim_start().len() > kind.len()
        && ["ssh-", "ecdsa-sha2-", "sk-"]
            .iter()
            .any(|begin| kind.starts_with(begin))
}

fn is_fingerprint(text: &str) -> bool {
    text.starts_with("SHA256:")
}
