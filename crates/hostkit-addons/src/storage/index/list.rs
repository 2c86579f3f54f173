//! Lists: a range of keys in the order of their bytes. With a delimiter, what has it behind the prefix is answered as a
//! common prefix, and the next look begins behind all of that.

use rusqlite::Connection;

use super::{bucket, count};
use crate::storage::error::Result;
use crate::storage::names::BucketName;

/// Which keys are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Keys begin with it.
    pub prefix: String,
    /// Where keys behind the prefix are cut. Empty: nowhere.
    pub delimiter: String,
    /// The first key that may be answered: from where the list before this one ended.
    pub from: Vec<u8>,
    /// How many, keys and common prefixes together.
    pub most: usize,
}

/// An object as a list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub size: u64,
    /// When it was put, in milliseconds since 1970.
    pub modified: i64,
    /// Its entity tag, without quotes.
    pub etag: String,
}

/// What there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectList {
    /// Objects, by key.
    pub objects: Vec<Listed>,
    /// Common prefixes, in order.
    pub prefixes: Vec<String>,
    /// The `from` of the list behind this one. None: there is nothing more.
    pub next: Option<Vec<u8>>,
}

impl Query {
    /// Lets the list begin behind a key or a common prefix, as `start-after` and `marker` say it.
    pub fn behind(&mut self, marker: &str) {
        if marker.is_empty() {
            return;
        }
        let is_common_prefix = self.common_prefix(marker).is_some_and(|common| common == marker);
        self.from = if is_common_prefix {
            after_prefix(marker.as_bytes()).unwrap_or_else(|| behind_key(marker.as_bytes()))
        } else {
            behind_key(marker.as_bytes())
        };
    }

    fn common_prefix<'a>(&self, key: &'a str) -> Option<&'a str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let rest = key.strip_prefix(self.prefix.as_str())?;
        let at = rest.find(self.delimiter.as_str())?;
        key.get(..self.prefix.len() + at + self.delimiter.len())
    }
}

/// The first key behind all that begin with a prefix. None: there can be none.
pub(super) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte < 0xff)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

/// The first key that may stand behind a key.
fn behind_key(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// The objects of a bucket that a query asks for.
pub fn objects(connection: &Connection, bucket: &BucketName, query: &Query) -> Result<ObjectList> {
    let bucket = bucket::number(connection, bucket)?;
    let mut list = ObjectList::default();
    if query.most == 0 {
        return Ok(list);
    }
    let end = after_prefix(query.prefix.as_bytes());
    let mut from = query.from.clone().max(query.prefix.as_bytes().to_vec());
    let mut statement = connection.prepare_cached(
        "SELECT key, size, modified, etag FROM object
         WHERE bucket = ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3) ORDER BY key",
    )?;
    'look: loop {
        let mut rows = statement.query((bucket, &from, &end))?;
        while let Some(row) = rows.next()? {
            let bytes: Vec<u8> = row.get(0)?;
            if list.objects.len() + list.prefixes.len() == query.most {
                list.next = Some(from);
                return Ok(list);
            }
            // What was put came through [`ObjectKey`], which is text.
            let key = String::from_utf8_lossy(&bytes).into_owned();
            if let Some(common) = query.common_prefix(&key) {
                list.prefixes.push(common.to_owned());
                match after_prefix(common.as_bytes()) {
                    Some(next) => from = next,
                    None => return Ok(list),
                }
                continue 'look;
            }
            from = behind_key(&bytes);
            list.objects.push(Listed {
                key,
                size: count(row.get(1)?)?,
                modified: row.get(2)?,
                etag: row.get(3)?,
            });
        }
        return Ok(list);
    }
}
