//! The file of keys in a project's home.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProjectName;
use tokio::sync::Mutex;

use super::{Authorized, Fingerprint, PublicKey, SshKeys, wire};
use crate::accounts::Account;
use crate::beneath::{Folder, Rights};
use crate::change::Change;

const NAME: &str = "authorized_keys";

/// Thousands of keys.
const LARGEST: u64 = 1024 * 1024;

/// Files of keys in the homes below a folder of root's. Clones take turns.
#[derive(Debug, Clone)]
pub struct AuthorizedKeys {
    homes: PathBuf,
    root: Account,
    turn: Arc<Mutex<()>>,
}

impl Default for AuthorizedKeys {
    fn default() -> Self {
        AuthorizedKeys::below("/home", Account { uid: 0, gid: 0 })
    }
}

impl AuthorizedKeys {
    /// Homes somewhere else, where `root` takes the part of root.
    pub fn below(homes: impl Into<PathBuf>, root: Account) -> Self {
        AuthorizedKeys {
            homes: homes.into(),
            root,
            turn: Arc::default(),
        }
    }

    fn folder(&self, project: &ProjectName) -> Result<Folder, Failure> {
        let missing = || {
            Failure::new(
                Kind::NotFound,
                format!("cannot open the keys of `{project}`: it has no home with a folder `.ssh`"),
            )
            .hint(format!("hostkit project create {project}"))
        };
        let home = Folder::open(&self.homes)?
            .folder(project.as_str())?
            .ok_or_else(missing)?;
        home.folder(".ssh")?.ok_or_else(missing)
    }

    /// Reads the lines, lets `act` change them, and writes them where it did.
    async fn change(
        &self,
        project: &ProjectName,
        act: impl FnOnce(&mut Vec<String>) + Send + 'static,
    ) -> Result<Change, Failure> {
        let _turn = self.turn.lock().await;
        let (own, project) = (self.clone(), project.clone());
        apart(move || {
            let folder = own.folder(&project)?;
            let before = read(&folder)?;
            let mut lines = before.clone();
            act(&mut lines);
            if lines == before {
                return Ok(Change::Unneeded);
            }
            let mut text = lines.join("\n");
            text.push('\n');
            let rights = Rights::new(own.root.uid, own.root.gid, 0o644);
            folder.ensure_file(NAME, text.as_bytes(), &rights)
        })
        .await
    }
}

#[async_trait]
impl SshKeys for AuthorizedKeys {
    async fn list(&self, project: &ProjectName) -> Result<Vec<Authorized>, Failure> {
        let (own, project) = (self.clone(), project.clone());
        apart(move || {
            let lines = read(&own.folder(&project)?)?;
            Ok(lines.iter().filter_map(|line| authorized(line)).collect())
        })
        .await
    }

    async fn add(&self, project: &ProjectName, key: &PublicKey) -> Result<Change, Failure> {
        let key = key.clone();
        self.change(project, move |lines| {
            let is_in = |line: &String| {
                authorized(line)
                    .is_some_and(|there| !there.has_options && there.key.fingerprint() == key.fingerprint())
            };
            if !lines.iter().any(is_in) {
                lines.push(key.line());
            }
        })
        .await
    }

    async fn remove(&self, project: &ProjectName, key: &Fingerprint) -> Result<Change, Failure> {
        let key = key.clone();
        self.change(project, move |lines| {
            lines.retain(|line| authorized(line).is_none_or(|there| there.key.fingerprint() != key));
        })
        .await
    }
}

fn read(folder: &Folder) -> Result<Vec<String>, Failure> {
    let bytes = folder.read_file(NAME, LARGEST)?.unwrap_or_default();
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::new(
            Kind::Conflict,
            format!(
                "cannot read `{}`: it is not text",
                folder.path().join(NAME).display()
            ),
        )
    })?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// The key that a line lets in, also behind options: who removes a key means every line with it. The comment of a
/// line that we did not write may be anything: where it is not to be shown, the key is taken without it.
pub(super) fn authorized(line: &str) -> Option<Authorized> {
    let line = line.trim_matches([' ', '\t']);
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let begins_with_key = |text: &str| {
        wire::KINDS
            .iter()
            .any(|(kind, _)| text.split([' ', '\t']).next() == Some(kind))
    };
    let (text, has_options) = if begins_with_key(line) {
        (line, false)
    } else {
        (behind_options(line)?, true)
    };
    let key = PublicKey::parse(text).or_else(|_| {
        let words: Vec<&str> = text.split_ascii_whitespace().take(2).collect();
        PublicKey::parse(&words.join(" "))
    });
    Some(Authorized {
        key: key.ok()?,
        has_options,
    })
}

/// What follows the options: they end at the first blank outside of quotes.
fn behind_options(line: &str) -> Option<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ' ' | '\t' if !is_quoted => return Some(line[at..].trim_start_matches([' ', '\t'])),
            _ => {}
        }
    }
    None
}

async fn apart<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(act)
        .await
        .map_err(|e| Failure::new(Kind::Internal, format!("cannot act on a file of keys: {e}")))?
}
