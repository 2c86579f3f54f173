//! Large databases in backups: several dumps of one moment, woven into one stream, and restored at the same time.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use hostkit_addons::postgres::copies::{Sharing, contents, export_part};
use hostkit_core::addon::AddonKind;
use hostkit_core::backup::part::{PartKind, PartName};
use hostkit_core::backup::woven::{MAGIC, Unweaver};
use hostkit_core::kind::Kind;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::{Addon, DatabaseCopies, Export};

use crate::archiving::tools;
use crate::copies::{coming, db, errands};
use crate::house::{House, credential, log_in, main_of, order, until};

/// Tables that are large for a test, with names that mean something in patterns, in shells and in SQL.
const FILL: &str = r#"
    CREATE SCHEMA "My.Schema"; CREATE SCHEMA "--file=x*";
    CREATE TABLE "My.Schema"."My.Schema" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL,
        size int GENERATED ALWAYS AS (length(body)) STORED);
    INSERT INTO "My.Schema"."My.Schema" (body) SELECT repeat(md5(n::text), 8) FROM generate_series(1, 30000) n;
    CREATE TABLE "--file=x*"."-t ""a"".*|? $(id) [\] 'b'; \! " ("a "" b" int PRIMARY KEY, "of" bigint REFERENCES "My.Schema"."My.Schema",
        "Body" text);
    INSERT INTO "--file=x*"."-t ""a"".*|? $(id) [\] 'b'; \! " SELECT n, n, repeat(md5(n::text), 8) FROM generate_series(1, 25000) n;
    CREATE TABLE "--file=x*"."-t ""a"".*|? $(id) [\] 'b'; \! x" (n int); INSERT INTO "--file=x*"."-t ""a"".*|? $(id) [\] 'b'; \! x" VALUES (1);
    CREATE TABLE parts (at int PRIMARY KEY, word text) PARTITION BY RANGE (at);
    CREATE TABLE "Parts" PARTITION OF parts FOR VALUES FROM (0) TO (20000);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (20000) TO (40000);
    CREATE INDEX ON parts (word); INSERT INTO parts SELECT n, repeat(md5(n::text), 8) FROM generate_series(1, 39999) n;
    CREATE TABLE base (n int); CREATE TABLE derived (m text) INHERITS (base);
    INSERT INTO base VALUES (1); INSERT INTO derived SELECT n, repeat(md5(n::text), 8) FROM generate_series(1, 20000) n;
    CREATE TABLE small (id int PRIMARY KEY, of int REFERENCES parts); INSERT INTO small VALUES (1, 7), (2, 30000);
    CREATE TABLE guarded (tenant text, body text); INSERT INTO guarded SELECT n, repeat(md5(n::text), 8) FROM generate_series(1, 20000) n;
    ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
    CREATE POLICY own ON guarded USING (tenant = current_user);
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
    CREATE TRIGGER refused BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION refuse();
    CREATE MATERIALIZED VIEW sizes AS SELECT size, count(*) FROM "My.Schema"."My.Schema" GROUP BY 1; CREATE UNIQUE INDEX ON sizes (size);
    CREATE SEQUENCE counter START 7; SELECT nextval('counter');
    SELECT lo_from_bytea(0, 'a large object');"#;

/// The rows of each table, and what else has to come back.
const SAID: &str = r#"
    SELECT 'My.Schema', md5(string_agg(t::text, ',' ORDER BY id)) FROM "My.Schema"."My.Schema" t
    UNION ALL SELECT 'odd', md5(string_agg(t::text, ',' ORDER BY "of")) FROM "--file=x*"."-t ""a"".*|? $(id) [\] 'b'; \! " t
    UNION ALL SELECT 'odd x', md5(string_agg(t::text, ',')) FROM "--file=x*"."-t ""a"".*|? $(id) [\] 'b'; \! x" t
    UNION ALL SELECT 'parts', md5(string_agg(t::text || tableoid::regclass, ',' ORDER BY at)) FROM public.parts t
    UNION ALL SELECT 'base', md5(string_agg(t::text || tableoid::regclass, ',' ORDER BY n, tableoid::regclass::text)) FROM public.base t
    UNION ALL SELECT 'derived', md5(string_agg(t::text, ',' ORDER BY n)) FROM public.derived t
    UNION ALL SELECT 'small', md5(string_agg(t::text, ',' ORDER BY id)) FROM public.small t
    UNION ALL SELECT 'guarded', md5(string_agg(t::text, ',' ORDER BY tenant)) FROM public.guarded t
    UNION ALL SELECT 'sizes', md5(string_agg(t::text, ',' ORDER BY size)) FROM public.sizes t
    UNION ALL SELECT conname::text, pg_get_constraintdef(oid) || convalidated FROM pg_constraint WHERE connamespace >= 16384
        OR connamespace = 'public'::regnamespace
    UNION ALL SELECT 'index', pg_get_indexdef(i.indexrelid) || i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT tgname::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT polname::text, pg_get_expr(polqual, polrelid) FROM pg_policy
    UNION ALL SELECT 'large object', convert_from(lo_get(oid), 'UTF8') FROM pg_largeobject_metadata
    UNION ALL SELECT 'counter', last_value::text FROM public.counter
    UNION ALL SELECT 'next', last_value::text FROM "My.Schema"."My.Schema_id_seq"
    ORDER BY 1, 2"#;

/// Worth it for the tables of these tests.
const SHARING: Sharing = Sharing {
    large: ByteSize::mib(3),
    most: 3,
};

/// A project whose database says this.
async fn with(house: &House, project: &str, statements: &str) {
    house.addon.ensure(&order(project, &[1])).await.unwrap();
    let name = main_of(project);
    let client = log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    client.batch_execute(statements).await.unwrap();
}

/// A copy for a backup, which begins.
async fn begun(house: &House, project: &str, sharing: Sharing) -> Export {
    let part = PartName::main(PartKind::Addon(AddonKind::Postgres));
    let of = (&crate::house::production(project), &part);
    export_part(&house.access(), &tools(house.port), of, sharing)
        .await
        .unwrap()
}

async fn exported(house: &House, project: &str, sharing: Sharing) -> Vec<u8> {
    let export = begun(house, project, sharing).await;
    export.pieces.try_collect::<Vec<_>>().await.unwrap().concat()
}

async fn said(house: &House, database: &str) -> Vec<(String, String)> {
    let session = house.access().connect(database).await.unwrap();
    let rows = session.rows("look", SAID, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// The sessions of dumps and restores of a project.
async fn under_way(house: &House, project: &str) -> Vec<i32> {
    let session = house.access().connect("postgres").await.unwrap();
    let question = "SELECT pid FROM pg_stat_activity WHERE usename LIKE $1 AND application_name IN ('pg_dump', 'pg_restore')";
    let rows = session
        .rows("look", question, &[&format!("{project}_db.w%")])
        .await;
    rows.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Where a stream of strands has this.
fn places(bytes: &[u8], what: &[u8]) -> Vec<usize> {
    let windows = bytes.windows(what.len()).enumerate();
    windows
        .filter(|(_, window)| window == &what)
        .map(|(at, _)| at)
        .collect()
}

#[tokio::test]
async fn a_large_database_is_dumped_in_several_strands_and_comes_back_as_it_was() {
    let house = House::shared().await;
    with(house, "woven", FILL).await;
    let name = main_of("woven");
    let before = contents(&house.access(), &name, name.as_str()).await.unwrap();
    let there = said(house, name.as_str()).await;
    assert!(there.len() > 20, "{there:?}");
    let bytes = exported(house, "woven", SHARING).await;
    assert!(bytes.starts_with(MAGIC));
    let mut reader = Unweaver::default();
    let mut lengths = vec![0; 3];
    for taken in reader.take(&bytes).unwrap() {
        lengths[taken.strand] += taken.bytes.len();
    }
    reader.finish().unwrap();
    assert!(lengths.iter().all(|&length| length > 3 << 20), "{lengths:?}");
    // No row is dumped twice.
    let of_one = exported(house, "woven", Sharing { most: 1, ..SHARING }).await;
    assert!(of_one.starts_with(b"PGDMP") && bytes.len() < of_one.len() + (256 << 10));
    for bytes in [bytes, of_one] {
        let restored = house.addon.restore_beside(&db("woven"), coming(&bytes)).await;
        assert_eq!(restored.unwrap(), before);
        assert_eq!(said(house, "woven_db.new").await, there);
    }
    assert_eq!(errands(house, "woven").await, 0);
    house.addon.remove(&order("woven", &[1]).id).await.unwrap();
}

#[tokio::test]
async fn one_strand_that_breaks_off_fails_the_copy_and_ends_the_others() {
    let house = House::shared().await;
    with(house, "torn", FILL).await;
    let mut pieces = begun(house, "torn", SHARING).await.pieces;
    pieces.next().await.unwrap().unwrap();
    until("all three dump", async || {
        under_way(house, "torn").await.len() == 3
    })
    .await;
    let last = under_way(house, "torn").await[2];
    let session = house.access().connect("postgres").await.unwrap();
    let end = format!("SELECT pg_terminate_backend({last})");
    session.run("end one", &end).await.unwrap();
    let broken = pieces.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(
        broken.to_string().contains("cannot dump the database `torn_db`"),
        "{broken}"
    );
    assert_eq!(errands(house, "torn").await, 0);
    assert!(under_way(house, "torn").await.is_empty());

    // Nor is anything left where nobody takes the rest.
    let mut pieces = begun(house, "torn", SHARING).await.pieces;
    pieces.next().await.unwrap().unwrap();
    assert_eq!(errands(house, "torn").await, 2, "of the count, and of the dumps");
    drop(pieces);
    until("its logins are gone", async || errands(house, "torn").await == 0).await;
    assert!(under_way(house, "torn").await.is_empty());
    house.addon.remove(&order("torn", &[1]).id).await.unwrap();
}

#[tokio::test]
async fn strands_that_are_not_whole_are_refused_and_nothing_is_left() {
    let house = House::shared().await;
    with(house, "frayed", FILL).await;
    let (access, name) = (house.access(), main_of("frayed"));
    let before = contents(&access, &name, name.as_str()).await.unwrap();
    let bytes = exported(house, "frayed", SHARING).await;
    let beginnings = places(&bytes, b"PGDMP");
    assert_eq!(beginnings.len(), 3);
    let changed = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x40;
        bytes
    };
    let cases = [
        ("cut off in a strand", bytes[..bytes.len() - (1 << 20)].to_vec()),
        ("with no end", bytes[..bytes.len() - 5].to_vec()),
        ("cut off in the head", bytes[..1000].to_vec()),
        ("longer than its end", [&bytes[..], b"x"].concat()),
        ("of more strands than it has", changed(MAGIC.len())),
        ("with another first strand", changed(beginnings[0])),
        ("with a strand that is no dump", changed(beginnings[2])),
        ("with a frame that lies", changed(beginnings[1] - 5)),
    ];
    for (what, bytes) in cases {
        let restored = house.addon.restore_beside(&db("frayed"), coming(&bytes)).await;
        assert_eq!(restored.unwrap_err().kind, Kind::Failed, "{what}");
        let waiting = access.connect("frayed_db.new").await.unwrap_err();
        assert_eq!(waiting.kind, Kind::NotFound, "{what}");
        assert_eq!(errands(house, "frayed").await, 0, "{what}");
        assert!(under_way(house, "frayed").await.is_empty(), "{what}");
    }
    assert_eq!(contents(&access, &name, name.as_str()).await.unwrap(), before);
    house.addon.remove(&order("frayed", &[1]).id).await.unwrap();
}

/// What stands in front of the data may be longer than the head of a strand: then it is one dump, as it always was.
#[tokio::test]
async fn one_whose_definitions_are_large_is_one_dump() {
    let house = House::shared().await;
    let long = format!(
        "CREATE TABLE one AS SELECT n, repeat(md5(n::text), 8) FROM generate_series(1, 20000) n;
         CREATE TABLE two AS SELECT * FROM one; COMMENT ON TABLE two IS '{}'",
        "x".repeat(9 << 20)
    );
    with(house, "verbose", &long).await;
    let bytes = exported(house, "verbose", SHARING).await;
    assert!(bytes.starts_with(b"PGDMP"));
    assert_eq!(errands(house, "verbose").await, 0);
    let restored = house.addon.restore_beside(&db("verbose"), coming(&bytes)).await;
    let rows = |table: &str| ("public".into(), table.into(), 20000);
    assert_eq!(restored.unwrap().tables, [rows("one"), rows("two")]);
    house.addon.remove(&order("verbose", &[1]).id).await.unwrap();
}

/// A migration begins while a backup counts. It would wait for who counted, the dump for it, and who counted for the dump.
#[tokio::test]
async fn who_changes_a_table_while_it_is_copied_waits_for_nobody_that_waits_for_the_change() {
    let house = House::shared().await;
    let rows = "SELECT n, repeat(md5(n::text), 8) FROM generate_series(1, 20000) n";
    let fill = format!(
        "CREATE TABLE a (n int, t text); INSERT INTO a {rows}; CREATE TABLE b (n int, t text); INSERT INTO b {rows};
         CREATE TABLE z_gate (n int)"
    );
    for (project, sharing) in [("moved", SHARING), ("moved-one", Sharing { most: 1, ..SHARING })] {
        with(house, project, &fill).await;
        let name = main_of(project);
        let login = async || {
            log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
                .await
                .unwrap()
        };
        let (gate, change) = (login().await, login().await);
        gate.batch_execute("BEGIN; LOCK TABLE z_gate").await.unwrap();
        let moved = async {
            let session = house.access().connect("postgres").await.unwrap();
            let question = "SELECT FROM pg_stat_activity
                WHERE datname = $1 AND wait_event_type = 'Lock' AND query LIKE '%count(*)%z_gate%'";
            until("all but the last table is counted", async || {
                let waiting = session.rows("look", question, &[&name.as_str()]).await;
                !waiting.unwrap().is_empty()
            })
            .await;
            let more = change.batch_execute("ALTER TABLE a ADD COLUMN more int");
            let more = tokio::time::timeout(Duration::from_secs(30), more).await;
            more.expect("nobody holds it").unwrap();
            gate.batch_execute("COMMIT").await.unwrap();
        };
        let (bytes, ()) = tokio::join!(exported(house, project, sharing), moved);
        assert_eq!(bytes.starts_with(MAGIC), sharing == SHARING);
        house.addon.remove(&order(project, &[1]).id).await.unwrap();
    }
}
