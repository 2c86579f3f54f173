//! Everything that is sealed, found and sealed again.

use rusqlite::{Transaction, params};

use crate::error::Result;
use crate::seal::Sealer;

/// Every column with sealed values, and what each value of it is bound to, in the words of its noun's file. A test holds
/// that no column of the schema is missing.
pub(super) const SEALED: [(&str, &str, &str); 6] = [
    (
        "variable",
        "sealed",
        "project || '/' || environment || '/' || name",
    ),
    (
        "release",
        "variables",
        "project || '/' || environment || '/release/' || name",
    ),
    (
        "addon",
        "operator",
        "project || '/' || environment || '/addon/' || kind || '/operator'",
    ),
    (
        "credential",
        "sealed",
        "project || '/' || environment || '/addon/' || kind || '/credential/' || number",
    ),
    (
        "shared_service",
        "operator",
        "'shared service/' || role || '/operator'",
    ),
    ("backup_place", "target", "'backup target'"),
];

/// Seals again what an older key sealed, and answers how many values that were. One that cannot be read ends it: with
/// the old key gone, nobody could find out what it was.
pub(super) fn all(sql: &Transaction<'_>, sealer: &Sealer) -> Result<u64> {
    let mut values = 0;
    for (table, column, place) in SEALED {
        let mut rows = sql.prepare(&format!("SELECT rowid FROM {table} WHERE {column} NOT NULL"))?;
        let rows: Vec<i64> = rows
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        // One by one: the variables of all releases together may be more than fits into memory.
        let mut read = sql.prepare(&format!("SELECT {column}, {place} FROM {table} WHERE rowid = ?1"))?;
        let mut write = sql.prepare(&format!("UPDATE {table} SET {column} = ?2 WHERE rowid = ?1"))?;
        for row in rows {
            let (sealed, place): (Vec<u8>, String) =
                read.query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if sealer.is_old(&sealed) {
                let text = sealer.unseal(&place, &sealed)?;
                write.execute(params![row, sealer.seal(&place, &text)?])?;
                values += 1;
            }
        }
    }
    Ok(values)
}
