//! Dumps, restores, clones: what comes back is what was there, and a restore that fails touches nothing.

use futures_util::{StreamExt, TryStreamExt};
use hostkit_addons::postgres::copies::contents;
use hostkit_core::database::DatabaseId;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::{Addon, DatabaseCopies, Dump};

use crate::house::{House, credential, database, log_in, main_of, order, until};

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

/// The main database of a project.
pub(crate) fn db(project: &str) -> DatabaseId {
    database(project, "db")
}

/// A dump that comes as these bytes, in pieces of odd lengths.
pub(crate) fn coming(bytes: &[u8]) -> Dump {
    let pieces: Vec<Result<Vec<u8>, Failure>> = bytes.chunks(3001).map(|piece| Ok(piece.to_vec())).collect();
    Box::pin(futures_util::stream::iter(pieces))
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
    let dump = house.addon.dump(&db(project)).await.unwrap();
    dump.try_collect::<Vec<_>>().await.unwrap().concat()
}

/// The logins for one piece of work that are there.
pub(crate) async fn errands(house: &House, project: &str) -> usize {
    let session = house.access().connect("postgres").await.unwrap();
    let question = "SELECT FROM pg_roles WHERE rolname LIKE $1";
    let logins = format!("{project}_db.w%");
    session.rows("look", question, &[&logins]).await.unwrap().len()
}

#[tokio::test]
async fn a_dump_comes_back_as_it_was_and_takes_the_place_of_what_is_there() {
    let house = House::shared().await;
    filled(house, "kept").await;
    let (access, name) = (house.access(), main_of("kept"));
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

    let restored = house
        .addon
        .restore_beside(&db("kept"), coming(&bytes))
        .await
        .unwrap();
    assert_eq!(restored, before);
    assert_eq!(errands(house, "kept").await, 0);
    let rows = pooled.simple_query("SELECT * FROM people").await.unwrap();
    assert!(rows.len() < 3, "not yet");
    house.addon.take_place(&db("kept")).await.unwrap();
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
    let (access, name) = (house.access(), main_of("safe"));
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
        let failure = house
            .addon
            .restore_beside(&db("safe"), coming(bytes))
            .await
            .unwrap_err();
        assert!(
            matches!(failure.kind, Kind::Failed | Kind::Invalid),
            "{what}: {failure:?}"
        );
        let waiting = access.connect("safe_db.new").await.unwrap_err();
        assert_eq!(waiting.kind, Kind::NotFound, "{what}");
    }
    // Somebody who sends one goes away.
    let breaks_off = coming(cut).chain(futures_util::stream::iter([Err(Failure::new(
        Kind::Invalid,
        "gone",
    ))]));
    let failure = house
        .addon
        .restore_beside(&db("safe"), Box::pin(breaks_off))
        .await
        .unwrap_err();
    assert_eq!(failure.message, "gone");
    let nothing = house.addon.take_place(&db("safe")).await.unwrap_err();
    assert_eq!(nothing.kind, Kind::NotFound);
    assert_eq!(contents(&access, &name, name.as_str()).await.unwrap(), before);
    assert_eq!(errands(house, "safe").await, 0);
    house.addon.remove(&order("safe", &[1]).id).await.unwrap();
}

#[tokio::test]
async fn a_clone_is_made_while_the_first_goes_on_and_is_the_other_projects_own() {
    let house = House::shared().await;
    filled(house, "first").await;
    house.addon.ensure(&order("second", &[1])).await.unwrap();
    let (first, second) = (main_of("first"), main_of("second"));
    let busy = log_in(house.port, first.as_str(), &first.login(1), &credential(1).secret)
        .await
        .unwrap();
    busy.batch_execute("BEGIN; INSERT INTO people (name) VALUES ('not yet')")
        .await
        .unwrap();
    let begun = house.addon.dump(&db("first")).await.unwrap();
    house.addon.restore_beside(&db("second"), begun).await.unwrap();
    house.addon.take_place(&db("second")).await.unwrap();
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
    // The index may be made or not: what it runs has climbed nowhere.
    drop(house.addon.restore_beside(&db("hostile"), coming(&bytes)).await);
    house.addon.discard(&db("hostile")).await.unwrap();
    contents(&access, &name, name.as_str()).await.unwrap();
    let session = access.connect("postgres").await.unwrap();
    let climbed = session
        .rows("look", "SELECT FROM pg_roles WHERE rolname = 'climbed'", &[])
        .await
        .unwrap();
    assert!(climbed.is_empty());
    house.addon.remove(&order("hostile", &[1]).id).await.unwrap();
}

/// A dump can say anything, and nobody need have dumped it.
#[tokio::test]
async fn a_dump_that_somebody_wrote_changes_nothing_outside_of_its_database() {
    let house = House::shared().await;
    for project in ["forger", "victim"] {
        house.addon.ensure(&order(project, &[1])).await.unwrap();
    }
    let name = main_of("forger");
    let client = log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    let long = "x".repeat(200);
    client
        .batch_execute(&format!(
            "CREATE TABLE bait (n int); COMMENT ON TABLE bait IS '{long}'"
        ))
        .await
        .unwrap();
    let bytes = dump(house, "forger").await;
    let said = format!("COMMENT ON TABLE public.bait IS '{long}';");
    let at = bytes
        .windows(said.len())
        .position(|window| window == said.as_bytes())
        .unwrap();
    let file = tempfile::tempdir().unwrap().keep().join("made");
    for statement in [
        "DROP ROLE victim_db",
        "DROP DATABASE victim_db",
        "ALTER ROLE \"victim_db.1\" PASSWORD NULL",
        "RESET ROLE; RESET SESSION AUTHORIZATION; CREATE ROLE forged SUPERUSER",
        "SET ROLE hostkit",
        "ALTER DATABASE forger_db CONNECTION LIMIT -1",
        "COPY bait FROM PROGRAM 'id'",
        &format!("COPY bait TO '{}'", file.display()),
        &format!("\\! touch {}", file.display()),
        "\\connect postgres",
    ] {
        let mut forged = bytes.clone();
        let text = format!("{statement};{}", " ".repeat(said.len() - statement.len() - 1));
        forged[at..at + said.len()].copy_from_slice(text.as_bytes());
        let refused = house
            .addon
            .restore_beside(&db("forger"), coming(&forged))
            .await
            .unwrap_err();
        assert_eq!(refused.kind, Kind::Failed, "{statement}: {refused:?}");
        assert!(
            refused.message.contains("pg_restore refused it"),
            "{statement}: {refused:?}"
        );
    }
    assert!(!file.exists());
    let session = house.access().connect("postgres").await.unwrap();
    let forged = "SELECT FROM pg_roles WHERE rolname = 'forged'";
    assert!(session.rows("look", forged, &[]).await.unwrap().is_empty());
    let name = main_of("victim");
    log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    for project in ["forger", "victim"] {
        house.addon.remove(&order(project, &[1]).id).await.unwrap();
    }
}

/// Somebody who takes a dump goes away: nothing of it stays, also while it waits for a lock.
#[tokio::test]
async fn a_dump_that_nobody_takes_leaves_no_login() {
    let house = House::shared().await;
    filled(house, "leaving").await;
    let mut begun = house.addon.dump(&db("leaving")).await.unwrap();
    begun.next().await.unwrap().unwrap();
    assert_eq!(errands(house, "leaving").await, 1);
    drop(begun);
    until("its login is gone", async || errands(house, "leaving").await == 0).await;
    house.addon.remove(&order("leaving", &[1]).id).await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_does_not_end_stops_an_exchange_and_nobody_is_kept_out() {
    let house = House::shared().await;
    filled(house, "held").await;
    let name = main_of("held");
    let bytes = dump(house, "held").await;
    house
        .addon
        .restore_beside(&db("held"), coming(&bytes))
        .await
        .unwrap();
    let log_in = async || log_in(house.pooled, name.as_str(), &name.login(1), &credential(1).secret).await;
    let long = log_in().await.unwrap();
    long.simple_query("BEGIN").await.unwrap();
    long.simple_query("DELETE FROM people").await.unwrap();
    let failure = house.addon.take_place(&db("held")).await.unwrap_err();
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
    house.addon.take_place(&db("held")).await.unwrap();
    house.addon.remove(&order("held", &[1]).id).await.unwrap();
}
