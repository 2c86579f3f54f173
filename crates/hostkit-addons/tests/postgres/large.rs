//! Large dumps: their data come in one stream, what is made of the data afterwards, several at a time.

use futures_util::TryStreamExt;
use hostkit_addons::postgres::copies::{contents, dump};
use hostkit_core::kind::Kind;
use hostkit_core::traits::{Addon, DatabaseCopies};

use crate::archiving::tools;
use crate::copies::{coming, db, errands};
use crate::house::{House, credential, log_in, main_of, order};

/// More than the head of a dump has.
const LARGE: &str = "
    CREATE TABLE big (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL,
        size int GENERATED ALWAYS AS (length(body)) STORED);
    INSERT INTO big (body) SELECT repeat(md5(n::text), 8) FROM generate_series(1, 40000) n;
    CREATE INDEX ON big (size);";

/// What has to come back in some order, or is done by names that somebody chose.
const ODD: &str = r#"
    CREATE TABLE "--section=data; DROP TABLE big; -- "" \ *" ("a"" b" int PRIMARY KEY, "%" int UNIQUE);
    INSERT INTO "--section=data; DROP TABLE big; -- "" \ *" VALUES (1, 2);
    CREATE TABLE left_one (id int PRIMARY KEY, other int);
    CREATE TABLE right_one (id int PRIMARY KEY, other int REFERENCES left_one);
    ALTER TABLE left_one ADD FOREIGN KEY (other) REFERENCES right_one;
    INSERT INTO left_one VALUES (1, NULL); INSERT INTO right_one VALUES (1, 1); UPDATE left_one SET other = 1;
    CREATE TABLE parts (at int PRIMARY KEY, word text) PARTITION BY RANGE (at);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
    CREATE INDEX ON parts (word); INSERT INTO parts SELECT n, 'w' || n FROM generate_series(1, 19) n;
    CREATE TABLE base (n int); CREATE TABLE derived (m int) INHERITS (base); INSERT INTO derived VALUES (1, 2);
    CREATE MATERIALIZED VIEW sizes AS SELECT size, count(*) FROM big GROUP BY 1; CREATE UNIQUE INDEX ON sizes (size);
    CREATE VIEW by_key AS SELECT id, body FROM big GROUP BY id;
    CREATE TABLE guarded (tenant text); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
    ALTER TABLE guarded FORCE ROW LEVEL SECURITY; CREATE POLICY own ON guarded USING (tenant = current_user);
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
    CREATE TRIGGER refused BEFORE INSERT ON big FOR EACH ROW EXECUTE FUNCTION refuse();
    CREATE SEQUENCE counter START 7; SELECT nextval('counter');
    SELECT lo_from_bytea(0, 'a large object');
    CREATE FUNCTION climb(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
            PERFORM set_config('role', 'none', false);
            EXECUTE 'CREATE ROLE climbed_many SUPERUSER';
            RETURN n;
        EXCEPTION WHEN insufficient_privilege THEN RETURN n; END $$;
    CREATE TABLE bait (n int); INSERT INTO bait VALUES (1); CREATE INDEX ON bait (climb(n));"#;

/// While it is restored: 1 and 2 wait until the other is under way in another session, and not for more than a minute.
const WITH_OTHERS: &str = "
    CREATE FUNCTION with_others(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
    DECLARE began timestamptz := clock_timestamp();
    BEGIN
        IF current_setting('application_name') <> 'pg_restore' THEN RETURN n; END IF;
        PERFORM pg_advisory_lock(n);
        WHILE pg_try_advisory_lock(3 - n) LOOP
            PERFORM pg_advisory_unlock(3 - n);
            IF clock_timestamp() > began + interval '1 min' THEN RAISE EXCEPTION 'alone'; END IF;
            PERFORM pg_sleep(0.02);
        END LOOP;
        RETURN n;
    END $$;";

/// What is said of a database besides its rows.
const DEFINITIONS: &str = "
    SELECT pg_get_indexdef(i.indexrelid) || i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT polname || pg_get_expr(polqual, polrelid) FROM pg_policy
    UNION ALL SELECT convert_from(lo_get(oid), 'UTF8') FROM pg_largeobject_metadata
    UNION ALL SELECT 'counter ' || last_value FROM public.counter
    UNION ALL SELECT 'next of big ' || last_value FROM public.big_id_seq
    UNION ALL SELECT 'sizes ' || size || ' ' || count FROM public.sizes
    ORDER BY 1";

/// A project whose database says all this.
async fn with(house: &House, project: &str, statements: &[&str]) {
    house.addon.ensure(&order(project, &[1])).await.unwrap();
    let name = main_of(project);
    let client = log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    for statements in statements {
        client.batch_execute(statements).await.unwrap();
    }
}

/// As it is in a backup: not compressed.
async fn dumped(house: &House, project: &str) -> Vec<u8> {
    let name = main_of(project);
    let place = (&name, name.as_str());
    let dump = dump(&house.access(), &tools(house.port), place, 0).await;
    dump.unwrap().try_collect::<Vec<_>>().await.unwrap().concat()
}

async fn definitions(house: &House, database: &str) -> Vec<String> {
    let session = house.access().connect(database).await.unwrap();
    let rows = session.rows("look", DEFINITIONS, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_large_one_comes_back_as_it_was_and_its_indexes_are_made_several_at_a_time() {
    let house = House::shared().await;
    let two =
        "CREATE TABLE first (n int); INSERT INTO first VALUES (1); CREATE INDEX ON first (with_others(n));
        CREATE TABLE second (n int); INSERT INTO second VALUES (2); CREATE INDEX ON second (with_others(n));";
    with(house, "large", &[LARGE, ODD, WITH_OTHERS, two]).await;
    let (access, name) = (house.access(), main_of("large"));
    let before = contents(&access, &name, name.as_str()).await.unwrap();
    let said = definitions(house, name.as_str()).await;
    assert!(said.len() > 20, "{said:?}");
    let bytes = dumped(house, "large").await;
    let restored = house.addon.restore_beside(&db("large"), coming(&bytes)).await;
    assert_eq!(restored.unwrap(), before);
    assert_eq!(definitions(house, "large_db.new").await, said);
    assert_eq!(errands(house, "large").await, 0);
    let session = access.connect("postgres").await.unwrap();
    let climbed = "SELECT FROM pg_roles WHERE rolname = 'climbed_many'";
    assert!(session.rows("look", climbed, &[]).await.unwrap().is_empty());
    house.addon.remove(&order("large", &[1]).id).await.unwrap();
}

#[tokio::test]
async fn one_index_that_cannot_be_made_ends_the_others_and_leaves_nothing() {
    let house = House::shared().await;
    let two = "CREATE FUNCTION grumble(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
            IF current_setting('application_name') = 'pg_restore' THEN RAISE EXCEPTION 'grumbled %', public.with_others(n);
            END IF; RETURN n; END $$;
        CREATE FUNCTION linger(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
            IF current_setting('application_name') = 'pg_restore' THEN
                PERFORM pg_advisory_lock(n); PERFORM pg_sleep(3600);
            END IF;
            RETURN n; END $$;
        CREATE TABLE first (n int); INSERT INTO first VALUES (1); CREATE INDEX ON first (grumble(n));
        CREATE TABLE second (n int); INSERT INTO second VALUES (2); CREATE INDEX ON second (linger(n));";
    with(house, "unfit", &[LARGE, WITH_OTHERS, two]).await;
    let (access, name) = (house.access(), main_of("unfit"));
    let before = contents(&access, &name, name.as_str()).await.unwrap();
    let bytes = dumped(house, "unfit").await;
    let cut = &bytes[..bytes.len() - bytes.len() / 16];
    for (what, bytes) in [("of an index", &bytes[..]), ("cut off in its data", cut)] {
        let failure = house
            .addon
            .restore_beside(&db("unfit"), coming(bytes))
            .await
            .unwrap_err();
        assert_eq!(failure.kind, Kind::Failed, "{what}: {failure:?}");
        let grumbled = failure.details.iter().any(|line| line.contains("grumbled 1"));
        assert_eq!(grumbled, what == "of an index", "{failure:?}");
        let waiting = access.connect("unfit_db.new").await.unwrap_err();
        assert_eq!(waiting.kind, Kind::NotFound, "{what}");
        assert_eq!(errands(house, "unfit").await, 0, "{what}");
    }
    assert_eq!(contents(&access, &name, name.as_str()).await.unwrap(), before);
    house.addon.remove(&order("unfit", &[1]).id).await.unwrap();
}

/// What stands in front of the data may be longer than what is kept: then all of it comes in one stream.
#[tokio::test]
async fn one_whose_definitions_are_large_comes_back() {
    let house = House::shared().await;
    let long = format!(
        "CREATE TABLE told (n int PRIMARY KEY); INSERT INTO told VALUES (1); COMMENT ON TABLE told IS '{}'",
        "x".repeat(9 << 20)
    );
    with(house, "wordy", &[&long]).await;
    let bytes = dumped(house, "wordy").await;
    let restored = house
        .addon
        .restore_beside(&db("wordy"), coming(&bytes))
        .await
        .unwrap();
    assert_eq!(restored.tables, [("public".into(), "told".into(), 1)]);
    assert_eq!(restored.indexes, 1);
    house.addon.remove(&order("wordy", &[1]).id).await.unwrap();
}
