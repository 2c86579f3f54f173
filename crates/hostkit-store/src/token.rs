//! Tokens: 256 random bits each, of which only the hash is stored.

use std::fs;

use hostkit_core::access::{Caller, Identity, Role};
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::names::{ProjectName, TokenName};
use hostkit_core::secret::Secret;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use crate::column::Word;
use crate::error::{Result, conflict, not_found};
use crate::{Store, Write, project, seal};

/// The name of the token made at the first start.
const FIRST: &str = "admin";
const PREFIX: &str = "hk_";

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The one project it covers; all where none is named.
    pub project: Option<ProjectName>,
    /// When it was made.
    pub created_at: Timestamp,
}

fn hash(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}

fn random_token() -> std::result::Result<Secret, Failure> {
    let mut bytes = [0u8; 32];
    seal::random(&mut bytes)?;
    Ok(Secret::new(format!("{PREFIX}{}", *seal::to_hex(&bytes))))
}

impl Store {
    /// Makes a token and answers its text, which is stored nowhere. A name can be taken once.
    pub fn create_token(
        &self,
        name: &str,
        role: Role,
        project: Option<&ProjectName>,
    ) -> std::result::Result<Secret, Failure> {
        self.make_token(name, role, project, Taken::Refused)
    }

    /// Makes a token in the place of the one of this name, if there is one, which is worth nothing from then on.
    pub fn replace_token(
        &self,
        name: &str,
        role: Role,
        project: Option<&ProjectName>,
    ) -> std::result::Result<Secret, Failure> {
        self.make_token(name, role, project, Taken::Replaced)
    }

    fn make_token(
        &self,
        name: &str,
        role: Role,
        project: Option<&ProjectName>,
        taken: Taken,
    ) -> std::result::Result<Secret, Failure> {
        // What the API cannot name could never be revoked.
        TokenName::parse(name)
            .map_err(|why| Failure::new(Kind::Invalid, format!("cannot create a token: {why}")))?;
        let token = random_token()?;
        self.write(&format!("create token `{name}`"), |write| {
            if let Some(project) = project {
                project::check_usable(&write.sql, project)?;
            }
            if taken == Taken::Replaced && remove(write, name)? {
                write.event_of(None, None, revoked(name))?;
            }
            insert(write, name, role, project, &token)
        })?;
        Ok(token)
    }

    /// Revokes a token, or a NotFound failure.
    pub fn revoke_token(&self, name: &str) -> std::result::Result<(), Failure> {
        self.write("revoke a token", |write| {
            if !remove(write, name)? {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
                return Err(not_found(
                    format!("cannot revoke token `{shown}`: there is none of this name"),
                    "see all with `hostkit token list`",
                ));
            }
            write.event_of(None, None, revoked(name))
        })
    }

    /// All tokens, by name.
    pub fn tokens(&self) -> std::result::Result<Vec<TokenInfo>, Failure> {
        self.read("list tokens", |sql| {
            let mut statement =
                sql.prepare_cached("SELECT name, role, project, created_at FROM token ORDER BY name")?;
            let rows = statement.query_map([], info)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Who a token belongs to; nobody where it is not known. It is found by its hash: the time taken tells nothing.
    pub fn caller(&self, token: &str) -> std::result::Result<Option<Caller>, Failure> {
        self.read("look up a token", |sql| {
            let found = sql
                .prepare_cached("SELECT name, role, project, created_at FROM token WHERE hash = ?1")?
                .query_row([hash(token)], info)
                .optional()?;
            Ok(found.map(|info| Caller {
                identity: Identity::Token(info.name),
                role: info.role,
                project: info.project,
            }))
        })
    }

    /// Makes the administrator's token at the first start and writes it to [`Layout::token`] (0600); does nothing
    /// where there is any token. The result is whether one was made. The file is written first: a start that is cut
    /// short finds it there and takes it.
    pub fn bootstrap_token(&self, layout: &Layout) -> std::result::Result<bool, Failure> {
        if !self.tokens()?.is_empty() {
            return Ok(false);
        }
        let path = layout.token();
        let left = fs::read_to_string(&path)
            .ok()
            .filter(|text| text.trim_end().starts_with(PREFIX));
        let token = match left {
            Some(text) => Secret::new(text.trim_end()),
            None => {
                let token = random_token()?;
                seal::write_private(&path, format!("{}\n", token.reveal()).as_bytes()).map_err(|e| {
                    Failure::new(Kind::Internal, format!("cannot write `{}`: {e}", path.display()))
                })?;
                token
            }
        };
        self.write("create the first token", |write| {
            insert(write, FIRST, Role::Admin, None, &token)
        })?;
        Ok(true)
    }
}

/// What becomes of a token whose name is asked for again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Refused,
    Replaced,
}

/// Whether there was one.
fn remove(write: &Write<'_>, name: &str) -> Result<bool> {
    Ok(write.sql.execute("DELETE FROM token WHERE name = ?1", [name])? > 0)
}

fn revoked(name: &str) -> What {
    What::Token {
        name: name.to_owned(),
        created: false,
    }
}

fn insert(
    write: &mut Write<'_>,
    name: &str,
    role: Role,
    project: Option<&ProjectName>,
    token: &Secret,
) -> Result<()> {
    let made = write
        .sql
        .prepare_cached(
            "INSERT INTO token (name, hash, role, project, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (name) DO NOTHING",
        )?
        .execute(params![
            name,
            hash(token.reveal()),
            Word(role),
            project.map(ProjectName::as_str),
            Word(write.now)
        ])?;
    if made == 0 {
        return Err(conflict(
            format!("cannot create token `{name}`: there is one of this name"),
            "choose another name, or revoke that one first",
        ));
    }
    let what = What::Token {
        name: name.to_owned(),
        created: true,
    };
    write.event_of(None, None, what)
}

fn info(row: &Row<'_>) -> rusqlite::Result<TokenInfo> {
    Ok(TokenInfo {
        name: row.get(0)?,
        role: row.get::<_, Word<_>>(1)?.0,
        project: row.get::<_, Option<Word<_>>>(2)?.map(|w| w.0),
        created_at: row.get::<_, Word<_>>(3)?.0,
    })
}
