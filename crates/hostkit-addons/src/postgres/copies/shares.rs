//! Who dumps which table of a large database: several dumps of one moment share its large tables among them.

use std::num::NonZero;
use std::thread::available_parallelism;

use hostkit_core::backup::woven::MOST_STRANDS;
use hostkit_core::kind::Failure;
use hostkit_core::size::ByteSize;

use super::moment::Moment;

/// So many tables are given to a dump of their own at the most: each is named to two programs.
const MOST_TABLES: i64 = 200;

/// When a database is dumped by several programs at the same time, and by how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// The size from which on a table is large; with two of them several dumps are worth it.
    pub large: ByteSize,
    /// How many dumps there may be.
    pub most: usize,
}

impl Sharing {
    /// As it is worth it on this machine: one for each processor, up to four.
    pub fn of_machine() -> Self {
        Sharing {
            large: ByteSize::mib(64),
            most: available_parallelism().map_or(1, NonZero::get).min(MOST_STRANDS),
        }
    }
}

/// A table, and how large it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Table {
    schema: String,
    name: String,
    bytes: u64,
}

/// The tables that have a dump of their own, by dump: those of the second, of the third, … All others are the first one's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shares(Vec<Vec<Table>>);

impl Shares {
    /// The shares of a database at a moment; none where one dump is enough.
    pub(super) async fn of(moment: &Moment, sharing: Sharing) -> Result<Option<Self>, Failure> {
        if sharing.most < 2 {
            return Ok(None);
        }
        // What extensions keep is dumped as they want it. Names go to the programs as they are: in UTF-8.
        let question = "
            WITH tables AS (
                SELECT n.nspname::text AS schema, c.relname::text AS name, pg_table_size(c.oid) AS bytes
                FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
                    AND current_setting('server_encoding') = 'UTF8'
                    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.deptype = 'e'
                        AND (e.classid, e.objid) IN (('pg_class'::regclass, c.oid), ('pg_namespace'::regclass, n.oid)))
            ), large AS (SELECT * FROM tables WHERE bytes >= $1 ORDER BY bytes DESC, schema, name LIMIT $2)
            SELECT schema, name, bytes, (SELECT sum(bytes) FROM tables)::bigint FROM large";
        let least = i64::try_from(sharing.large.0).unwrap_or(i64::MAX);
        let rows = moment
            .session
            .rows("look for large tables", question, &[&least, &MOST_TABLES])
            .await?;
        let bytes = |number: i64| u64::try_from(number).unwrap_or_default();
        let all = rows.first().map_or(0, |row| bytes(row.get(3)));
        let large = rows.iter().map(|row| Table {
            schema: row.get(0),
            name: row.get(1),
            bytes: bytes(row.get(2)),
        });
        Ok(Self::divide(large.collect(), all, sharing.most))
    }

    /// Divides large tables, the largest first, where all tables have so many bytes: each goes to who has least so far.
    fn divide(large: Vec<Table>, all: u64, most: usize) -> Option<Self> {
        let known: u64 = large.iter().map(|table| table.bytes).sum();
        let others = all.saturating_sub(known);
        let dumps = most.min(large.len() + usize::from(others > 0));
        if large.len() < 2 || dumps < 2 {
            return None;
        }
        let mut loads = vec![0; dumps];
        loads[0] = others;
        let mut shares = vec![Vec::new(); dumps];
        for table in large {
            let least = (0..dumps).min_by_key(|&dump| loads[dump]).unwrap_or(0);
            loads[least] += table.bytes;
            shares[least].push(table);
        }
        shares.remove(0);
        shares.retain(|tables| !tables.is_empty());
        (!shares.is_empty()).then_some(Shares(shares))
    }

    /// What tells the first dump to leave the rows of the others' tables out.
    pub(super) fn left_out(&self) -> Vec<String> {
        let tables = self.0.iter().flatten();
        tables
            .map(|table| format!("--exclude-table-data={}", pattern(table)))
            .collect()
    }

    /// What tells each of the others that it is of the rows of its tables alone, and that each has to be there.
    pub(super) fn others(&self) -> Vec<Vec<String>> {
        let only = ["--data-only".to_owned(), "--strict-names".to_owned()];
        let named = |table: &Table| format!("--table={}", pattern(table));
        self.0
            .iter()
            .map(|tables| only.iter().cloned().chain(tables.iter().map(named)).collect())
            .collect()
    }
}

/// A pattern that means this table and no other: between quotes every letter stands for itself.
fn pattern(table: &Table) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    format!("{}.{}", quoted(&table.schema), quoted(&table.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(sizes: &[u64]) -> Vec<Table> {
        let table = |(number, &bytes): (usize, &u64)| Table {
            schema: "s".to_owned(),
            name: format!("t{number}"),
            bytes,
        };
        sizes.iter().enumerate().map(table).collect()
    }

    /// The sizes that each of the others gets.
    fn divided(sizes: &[u64], all: u64, most: usize) -> Vec<Vec<u64>> {
        let shares = Shares::divide(tables(sizes), all, most);
        let sizes = |tables: &Vec<Table>| tables.iter().map(|table| table.bytes).collect();
        shares.map_or_else(Vec::new, |shares| shares.0.iter().map(sizes).collect())
    }

    #[test]
    fn large_tables_go_to_who_has_least() {
        assert_eq!(divided(&[90, 80, 70, 60], 300, 2), [vec![80, 70]]);
        assert_eq!(divided(&[90, 80, 70, 60], 310, 2), [vec![90, 60]]);
        assert_eq!(divided(&[90, 80, 70, 60], 301, 4), [vec![90], vec![80], vec![70]]);
        assert_eq!(divided(&[90, 80], 500, 4), [vec![90], vec![80]]);
        assert_eq!(divided(&[90, 80], 170, 4), [vec![80]]);
    }

    #[test]
    fn one_large_table_or_one_processor_is_one_dump() {
        assert!(divided(&[90], 300, 4).is_empty() && divided(&[], 300, 4).is_empty());
        assert!(divided(&[90, 80], 300, 1).is_empty());
    }

    #[test]
    fn a_pattern_is_between_quotes_and_no_option() {
        let shares = Shares(vec![vec![Table {
            schema: "--file=x".to_owned(),
            name: "a\".*? $".to_owned(),
            bytes: 1,
        }]]);
        assert_eq!(
            shares.left_out(),
            [r#"--exclude-table-data="--file=x"."a"".*? $""#]
        );
        assert_eq!(shares.others()[0][2], r#"--table="--file=x"."a"".*? $""#);
    }
}
