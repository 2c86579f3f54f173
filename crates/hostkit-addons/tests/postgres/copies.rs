//! Dumps, restores, clones: what comes back is what was there, and a restore that fails touches nothing.

use hostkit_addons::postgres::copies::{
    Dump, Tools, clone_database, contents, discard, restore_beside, take_place,
};
use hostkit_addons::postgres::databases::Limits;
use hostkit_addons::postgres::programs::Programs;
use hostkit_core::kind::Kind;
use hostkit_core::traits::Addon;
use hostkit_host::command::Guard;
use hostkit_host::roles::SelfProgram;
use tokio::io::AsyncReadExt;

use crate::house::{House, credential, log_in, main_of, order};

const FILL: &str = "
    CREATE EXTENSION IF NOT EXISTS hstore; CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE TYPE mood AS ENUM ('good', 'bad');
    CREATE TABLE people (id bigserial PRIMARY KEY, name text NOT NULL, mood mood, more hstore, at timestamptz DEFAULT now());
    COMMENT ON TABLE people IS 'who''s who';
    CREATE INDEX ON people USING gin (name gin_trgm_ops);
    CREATE VIEW good_ones AS SELECT * FROM people WHERE mood = 'good';
    CREATE FUNCTION double(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
    CREATE SCHEMA \"My-Schema\"; CREATE TABLE \"My-Schema\".\"odd \"\"name\"\"\" (a int);
    CREATE TABLE hidden (tenant text, n int);
    ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; ALTER TABLE hidden FORCE ROW LEVEL SECURITY;
    CREATE MATERIALIZED VIEW moods AS SELECT mood, count(*) FROM people GROUP BY 1;
    INSERT INTO people (name, mood, more) SELECT 'p' || n, 'good', 'a=>1' FROM generate_series(1, 1000) n;
    INSERT INTO \"My-Schema\".\"odd \"\"name\"\"\" VALUES (1), (2);
    REFRESH MATERIALIZED VIEW moods;";

fn tools(house: &House) -> Tools {
    let own = SelfProgram::at(env!("CARGO_BIN_EXE_addons-role"));
    Tools::new(Guard::new(own), Programs::newest().unwrap(), house.port)
}

async fn filled(house: &House, project: &str) {
    house.addon.ensure(&order(project, &[1])).await.unwrap();
    let name = main_of(project);
    let client = log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    client.batch_execute(FILL).await.unwrap();
}

async fn dump(house: &House, project: &str) -> Vec<u8> {
    let name = main_of(project);
    let mut dump = Dump::begin(&house.access(), &tools(house), &name, name.as_str(), 0)
        .await
        .unwrap();
    let mut bytes = Vec::new();
    dump.bytes.read_to_end(&mut bytes).await.unwrap();
    dump.finish(&house.access()).await.unwrap();
    bytes
}

#[tokio::test]
async fn a_dump_comes_back_as_it_was_and_takes_the_place_of_what_is_there() {
    let house = House::shared().await;
    filled(house, "kept").await;
    let (access, tools, name, limits) = (house.access(), tools(house), main_of("kept"), Limits::default());
    let before = contents(&access, &name, name.as_str()).await.unwrap();
    assert!(before.tables.contains(&("public".into(), "people".into(), 1000)));
    assert!(
        before
            .tables
            .contains(&("My-Schema".into(), "odd \"name\"".into(), 2))
    );
    let bytes = dump(house, "kept").await;
    let pooled = log_in(house.pooled, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    pooled
        .simple_query("DELETE FROM people; DROP TABLE hidden CASCADE")
        .await
        .unwrap();

    let restored = restore_beside(&access, &tools, (&name, &name), &limits, bytes.as_slice())
        .await
        .unwrap();
    assert_eq!(contents(&access, &name, &restored.name).await.unwrap(), before);
    let rows = pooled.simple_query("SELECT * FROM people").await.unwrap();
    assert!(rows.len() < 3, "not yet");
    take_place(&access, house.addon.pooler(), &restored)
        .await
        .unwrap();
    assert_eq!(contents(&access, &name, name.as_str()).await.unwrap(), before);
    // The connection of the program was held, not cut.
    pooled
        .simple_query("INSERT INTO people (name) VALUES ('new')")
        .await
        .unwrap();
    let again = log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    again
        .batch_execute("DROP TABLE hidden; ALTER TABLE people ADD more_still int")
        .await
        .unwrap();
    drop((pooled, again));
    house.addon.ensure(&order("kept", &[1])).await.unwrap();
    house.addon.remove(&order("kept", &[1]).id).await.unwrap();
    let session = access.connect("postgres").await.unwrap();
    let question = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'kept%' UNION SELECT datname FROM pg_database WHERE datname LIKE 'kept%'";
    assert!(session.rows("look", question, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_restore_that_fails_touches_nothing() {
    let house = House::shared().await;
    filled(house, "safe").await;
    let (access, tools, name, limits) = (house.access(), tools(house), main_of("safe"), Limits::default());
    let before = contents(&access, &name, name.as_str()).await.unwrap();
    let bytes = dump(house, "safe").await;
    let mut flipped = bytes.clone();
    let middle = flipped.len() / 3;
    flipped[middle..middle + 64].fill(0xff);
    let cut = &bytes[..bytes.len() / 2];
    for (what, bytes) in [
        ("cut", cut),
        ("flipped", &flipped),
        ("plain", b"SELECT 1;"),
        ("empty", b""),
    ] {
        let failure = restore_beside(&access, &tools, (&name, &name), &limits, bytes)
            .await
            .unwrap_err();
        assert!(
            matches!(failure.kind, Kind::Failed | Kind::Invalid),
            "{what}: {failure:?}"
        );
        let waiting = access.connect("safe_db.new").await.unwrap_err();
        assert_eq!(waiting.kind, Kind::NotFound, "{what}");
    }
    assert_eq!(contents(&access, &name, name.as_str()).await.unwrap(), before);
    house.addon.remove(&order("safe", &[1]).id).await.unwrap();
}

#[tokio::test]
async fn a_clone_is_made_while_the_first_goes_on_and_is_the_other_projects_own() {
    let house = House::shared().await;
    filled(house, "first").await;
    house.addon.ensure(&order("second", &[1])).await.unwrap();
    let (access, tools, limits) = (house.access(), tools(house), Limits::default());
    let (first, second) = (main_of("first"), main_of("second"));
    let busy = log_in(house.port, first.as_str(), &first.login(1), &credential(1).secret)
        .await
        .unwrap();
    busy.batch_execute("BEGIN; INSERT INTO people (name) VALUES ('not yet')")
        .await
        .unwrap();
    let restored = clone_database(&access, &tools, (&first, &first), (&second, &second), &limits)
        .await
        .unwrap();
    take_place(&access, house.addon.pooler(), &restored)
        .await
        .unwrap();
    busy.batch_execute("COMMIT").await.unwrap();
    let client = log_in(
        house.port,
        second.as_str(),
        &second.login(1),
        &credential(1).secret,
    )
    .await
    .unwrap();
    let count: i64 = client
        .query_one("SELECT count(*) FROM people", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(count, 1000);
    client
        .batch_execute("DROP SCHEMA \"My-Schema\" CASCADE; DROP TABLE people CASCADE")
        .await
        .unwrap();
    for project in ["first", "second"] {
        house.addon.remove(&order(project, &[1]).id).await.unwrap();
    }
}

/// What a project may write into a dump is run as the project, not as who restores it.
#[tokio::test]
async fn a_hostile_dump_has_no_more_rights_than_its_project() {
    let house = House::shared().await;
    let name = main_of("hostile");
    house.addon.ensure(&order("hostile", &[1])).await.unwrap();
    let client = log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    // Run by whoever restores the index.
    client
        .batch_execute(
            "CREATE FUNCTION climb(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
                 PERFORM set_config('role', 'none', false);
                 EXECUTE 'CREATE ROLE climbed SUPERUSER';
                 RETURN n;
             EXCEPTION WHEN insufficient_privilege THEN RETURN n; END $$;
             CREATE TABLE bait (n int); INSERT INTO bait VALUES (1); CREATE INDEX ON bait (climb(n));",
        )
        .await
        .unwrap();
    let bytes = dump(house, "hostile").await;
    let access = house.access();
    let done = restore_beside(
        &access,
        &tools(house),
        (&name, &name),
        &Limits::default(),
        bytes.as_slice(),
    )
    .await;
    if let Ok(restored) = &done {
        discard(&access, restored).await.unwrap();
    }
    contents(&access, &name, name.as_str()).await.unwrap();
    let session = access.connect("postgres").await.unwrap();
    let climbed = session
        .rows("look", "SELECT FROM pg_roles WHERE rolname = 'climbed'", &[])
        .await
        .unwrap();
    assert!(climbed.is_empty());
    house.addon.remove(&order("hostile", &[1]).id).await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_does_not_end_stops_an_exchange_and_nobody_is_kept_out() {
    let house = House::shared().await;
    filled(house, "held").await;
    let (access, tools, name, limits) = (house.access(), tools(house), main_of("held"), Limits::default());
    let bytes = dump(house, "held").await;
    let restored = restore_beside(&access, &tools, (&name, &name), &limits, bytes.as_slice())
        .await
        .unwrap();
    let log_in = async || log_in(house.pooled, name.as_str(), &name.login(1), &credential(1).secret).await;
    let long = log_in().await.unwrap();
    long.simple_query("BEGIN").await.unwrap();
    long.simple_query("DELETE FROM people").await.unwrap();
    let failure = take_place(&access, house.addon.pooler(), &restored)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
    let other = log_in().await.unwrap();
    other.simple_query("SELECT 1").await.unwrap();
    long.simple_query("ROLLBACK").await.unwrap();
    // As after a kill between the hold and the exchange.
    house
        .addon
        .pooler()
        .console()
        .await
        .unwrap()
        .pause(name.as_str())
        .await
        .unwrap();
    house.addon.ensure(&order("held", &[1])).await.unwrap();
    other.simple_query("SELECT 1").await.unwrap();
    take_place(&access, house.addon.pooler(), &restored)
        .await
        .unwrap();
    house.addon.remove(&order("held", &[1]).id).await.unwrap();
}
