//! An index that was brought in with a copy of a storage: whoever wrote it is not trusted. It is looked at before it is the
//! index of anything, and so is whether the files that it names have come, each with the bytes that were put.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use s3s::crypto::{Checksum as _, Md5};

use super::object::{Object, Piece};
use super::part::Part;
use super::snapshot::{Holdings, holdings};
use super::{count, object, open, part, stored};
use crate::storage::contents::ContentId;
use crate::storage::error::{Result, StorageError};
use crate::storage::names::{BucketName, ObjectKey};

/// What is noted of the files while they come: on the disk, for there may be more than the memory should hold.
const EXPECTED: &str = "
    CREATE TEMP TABLE expected (
        content BLOB PRIMARY KEY, size INTEGER NOT NULL, uses INTEGER NOT NULL, md5 BLOB
    ) STRICT, WITHOUT ROWID";

/// An index that waits for its files.
pub struct Brought(Connection);

impl Brought {
    /// Opens it, and refuses what no HostKit wrote. Blocks; every row is read.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        open::check_ours(&connection)?;
        let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(StorageError::Damaged("its pages do not fit together"));
        }
        if connection.prepare("PRAGMA foreign_key_check")?.exists([])? {
            return Err(StorageError::Damaged(
                "it names a bucket or an upload that is not there",
            ));
        }
        let brought = Brought(connection);
        brought.0.execute_batch(EXPECTED)?;
        brought.0.execute_batch("BEGIN")?;
        brought.expect_all()?;
        brought.0.execute_batch("COMMIT")?;
        brought.check_sums()?;
        Ok(brought)
    }

    /// The bytes that a file must have; none where no object or part consists of it, or it has come.
    pub fn expected(&self, id: ContentId) -> Result<Option<u64>> {
        let mut statement = self
            .0
            .prepare_cached("SELECT size FROM temp.expected WHERE content = ?1 AND md5 IS NULL")?;
        let size: Option<i64> = statement.query_row([id.bytes()], |row| row.get(0)).optional()?;
        size.map(count).transpose()
    }

    /// Notes that a file has come, and the MD5 of its bytes.
    pub fn came(&self, id: ContentId, md5: [u8; 16]) -> Result<()> {
        let mut statement = self
            .0
            .prepare_cached("UPDATE temp.expected SET md5 = ?2 WHERE content = ?1")?;
        statement.execute((id.bytes(), md5))?;
        Ok(())
    }

    /// Whether all files have come, and every object and part is what was put: its entity tag says so.
    pub fn check_whole(&self) -> Result<()> {
        let missing = self.ask("SELECT count(*) FROM temp.expected WHERE md5 IS NULL")?;
        if missing > 0 {
            return Err(StorageError::Incomplete(missing));
        }
        self.each_object(|key, object| {
            let wrong = || StorageError::OtherBytes(String::from_utf8_lossy(key).into_owned());
            match self.etag(&object)? {
                Some(etag) if etag != object.etag => Err(wrong()),
                _ => Ok(()),
            }
        })?;
        self.each_part(|key, part| match hex(&self.md5(part.content)?) == part.etag {
            true => Ok(()),
            false => Err(StorageError::OtherBytes(
                String::from_utf8_lossy(key).into_owned(),
            )),
        })
    }

    /// Makes the one bucket there is that of another environment. Where there are several, each keeps its name.
    pub fn name_bucket(&self, wanted: &BucketName) -> Result<()> {
        self.0.execute(
            "UPDATE bucket SET name = ?1 WHERE (SELECT count(*) FROM bucket) = 1",
            [wanted.as_str()],
        )?;
        Ok(())
    }

    /// What it says that there is.
    pub fn holdings(&self) -> Result<Holdings> {
        holdings(&self.0)
    }

    fn ask(&self, question: &str) -> Result<u64> {
        count(self.0.query_row(question, [], |row| row.get(0))?)
    }

    /// Notes every file that an object or a part consists of.
    fn expect_all(&self) -> Result<()> {
        let mut names = self.0.prepare("SELECT name FROM bucket")?;
        let mut rows = names.query([])?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            BucketName::parse(&name).ok_or(StorageError::Damaged("a bucket has no name of a bucket"))?;
        }
        self.each_object(|_, object| {
            let sum = object
                .pieces
                .iter()
                .try_fold(0_u64, |sum, piece| sum.checked_add(piece.size));
            if sum != Some(object.size) {
                return Err(StorageError::Damaged("an object has not the size of its files"));
            }
            object.pieces.iter().try_for_each(|piece| self.expect(piece))
        })?;
        self.each_part(|_, part| {
            self.expect(&Piece {
                content: part.content,
                size: part.size,
            })
        })
    }

    fn expect(&self, piece: &Piece) -> Result<()> {
        let mut statement = self.0.prepare_cached(
            "INSERT INTO temp.expected (content, size, uses) VALUES (?1, ?2, 1)
             ON CONFLICT (content) DO UPDATE SET uses = uses + 1 WHERE size = excluded.size",
        )?;
        match statement.execute((piece.content.bytes(), stored(piece.size)?))? {
            0 => Err(StorageError::Damaged("a file has two sizes")),
            _ => Ok(()),
        }
    }

    /// Whether what it keeps beside the objects fits to them: files would be removed too early, quotas never be kept.
    fn check_sums(&self) -> Result<()> {
        let wrong_uses = self.ask(
            "SELECT (SELECT count(*) FROM temp.expected e LEFT JOIN content_use u USING (content)
                     WHERE u.uses IS NOT e.uses)
                  + (SELECT count(*) FROM content_use u WHERE NOT EXISTS
                        (SELECT 1 FROM temp.expected e WHERE e.content = u.content))",
        )?;
        if wrong_uses > 0 {
            return Err(StorageError::Damaged("it counts the uses of a file wrongly"));
        }
        let wrong_buckets = self.ask(
            "SELECT count(*) FROM bucket b
             WHERE objects <> (SELECT count(*) FROM object o WHERE o.bucket = b.id)
                OR bytes <> (SELECT coalesce(sum(size), 0) FROM object o WHERE o.bucket = b.id)
                          + (SELECT coalesce(sum(size), 0) FROM part p WHERE p.bucket = b.id)",
        )?;
        match wrong_buckets {
            0 => Ok(()),
            _ => Err(StorageError::Damaged("it counts what a bucket holds wrongly")),
        }
    }

    fn each_object(&self, mut look: impl FnMut(&[u8], Object) -> Result<()>) -> Result<()> {
        let mut statement = self
            .0
            .prepare(&format!("SELECT {}, key FROM object", object::COLUMNS))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key = row.get_ref(6)?.as_blob().map_err(|_| BAD_KEY)?;
            check_key(key)?;
            look(key, object::of_row(row)?)?;
        }
        Ok(())
    }

    fn each_part(&self, mut look: impl FnMut(&[u8], Part) -> Result<()>) -> Result<()> {
        // By its upload, which must be there.
        let mut statement = self.0.prepare(&format!(
            "SELECT {}, u.key FROM part LEFT JOIN upload u ON u.id = part.upload AND u.bucket = part.bucket",
            part::OF_PART
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key = row.get_ref(6)?.as_blob().map_err(|_| BAD_KEY)?;
            check_key(key)?;
            look(key, part::of_row(row)?)?;
        }
        Ok(())
    }

    /// The entity tag of an object, as it follows from its files. None where an object was made in a way that has none.
    fn etag(&self, object: &Object) -> Result<Option<String>> {
        match (object.pieces.as_slice(), object.etag.split_once('-')) {
            ([one], None) => Ok(Some(hex(&self.md5(one.content)?))),
            (several, Some((_, number))) if *number == several.len().to_string() => {
                let mut md5 = Md5::new();
                for piece in several {
                    md5.update(&self.md5(piece.content)?);
                }
                Ok(Some(format!("{}-{number}", hex(&md5.finalize()))))
            }
            _ => Ok(None),
        }
    }

    fn md5(&self, id: ContentId) -> Result<[u8; 16]> {
        let mut statement = self
            .0
            .prepare_cached("SELECT md5 FROM temp.expected WHERE content = ?1")?;
        Ok(statement.query_row([id.bytes()], |row| row.get(0))?)
    }
}

const BAD_KEY: StorageError = StorageError::Damaged("an object has no key");

fn check_key(bytes: &[u8]) -> Result<()> {
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(ObjectKey::parse).map(drop).ok_or(BAD_KEY)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
