//! What is told of databases, and the helpers around them.

use hostkit_addons::postgres::{extensions, stats, tenants};
use hostkit_core::database::TenantTable;
use hostkit_core::kind::Kind;
use hostkit_core::traits::Addon;

use crate::house::{House, credential, log_in, main_of, order, production};

#[tokio::test]
async fn sizes_queries_and_connections_are_told() {
    let house = House::shared().await;
    let (access, name) = (house.access(), main_of("told"));
    house.addon.ensure(&order("told", &[1])).await.unwrap();
    let client = log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    client
        .batch_execute(
            "CREATE TABLE big (id int PRIMARY KEY, text text, n int); CREATE INDEX nobody_uses ON big (n);
             INSERT INTO big SELECT n, repeat('x', 100), n FROM generate_series(1, 5000) n;
             CREATE TABLE small (n int); SELECT count(*) FROM big WHERE text = 'a secret of theirs'",
        )
        .await
        .unwrap();
    let databases = stats::databases(&access, &production("told")).await.unwrap();
    assert_eq!(databases.len(), 1);
    assert!(
        databases[0].size > 1 << 20 && databases[0].connections >= 1 && databases[0].connection_limit == 25
    );
    let tables = stats::tables(&access, name.as_str(), 10).await.unwrap();
    assert_eq!((tables[0].name.as_str(), tables.len()), ("big", 2));
    assert!(tables[0].table > 500_000 && tables[0].indexes > 100_000);
    let unused = stats::unused_indexes(&access, name.as_str()).await.unwrap();
    assert_eq!(
        unused.iter().map(|index| index.name.as_str()).collect::<Vec<_>>(),
        ["nobody_uses"]
    );
    let slow = stats::slow_queries(&access, name.as_str(), 20).await.unwrap();
    let found = slow
        .iter()
        .find(|query| query.text.contains("FROM big WHERE text = $1"))
        .unwrap();
    assert_eq!(found.calls, 1);
    assert!(
        slow.iter()
            .all(|query| !query.text.contains("a secret of theirs"))
    );
    stats::forget_queries(&access, name.as_str()).await.unwrap();
    assert!(
        stats::slow_queries(&access, name.as_str(), 20)
            .await
            .unwrap()
            .is_empty()
    );

    client
        .batch_execute("BEGIN; UPDATE big SET n = 0 WHERE id = 1")
        .await
        .unwrap();
    let other = log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    let waits = tokio::spawn(async move { other.batch_execute("UPDATE big SET n = 1 WHERE id = 1").await });
    crate::house::until("one waits for the other", async || {
        let there = stats::connections(&access, name.as_str()).await.unwrap();
        let idle: Vec<_> = there
            .iter()
            .filter(|one| one.is_idle_in_transaction(0.0))
            .collect();
        let blocked = there.iter().find(|one| !one.blocked_by.is_empty());
        blocked.is_some_and(|one| one.waits_for.is_some() && one.blocked_by == [idle[0].pid])
    })
    .await;
    client.batch_execute("COMMIT").await.unwrap();
    waits.await.unwrap().unwrap();
    house.addon.remove(&order("told", &[1]).id).await.unwrap();
}

#[tokio::test]
async fn trusted_extensions_can_be_made_and_no_others() {
    let house = House::shared().await;
    let (access, name) = (house.access(), main_of("extended"));
    house.addon.ensure(&order("extended", &[1])).await.unwrap();
    for _ in 0..2 {
        extensions::ensure(&access, &name, &name, "pgcrypto")
            .await
            .unwrap();
    }
    for bad in [
        "file_fdw",
        "dblink",
        "postgres_fdw",
        "pg_stat_statements",
        "plpython3u",
        "x\"; DROP",
        "",
        "a\0",
    ] {
        let failure = extensions::ensure(&access, &name, &name, bad).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Denied, "{bad:?}");
    }
    let client = log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    client
        .batch_execute("SELECT gen_random_bytes(4); DROP EXTENSION pgcrypto; CREATE EXTENSION citext")
        .await
        .unwrap();
    for bad in ["file_fdw", "dblink", "pg_stat_statements"] {
        assert!(
            client
                .batch_execute(&format!("CREATE EXTENSION {bad}"))
                .await
                .is_err(),
            "{bad}"
        );
    }
    let there = extensions::list(&access, name.as_str()).await.unwrap();
    let installed: Vec<&str> = there
        .iter()
        .filter(|e| e.installed.is_some())
        .map(|e| e.name.as_str())
        .collect();
    assert_eq!(installed, ["citext", "plpgsql"]);
    house.addon.remove(&order("extended", &[1]).id).await.unwrap();
}

#[tokio::test]
async fn rows_of_tenants_are_apart_and_that_can_be_tried() {
    let house = House::shared().await;
    let (access, name) = (house.access(), main_of("renting"));
    house.addon.ensure(&order("renting", &[1])).await.unwrap();
    let client = log_in(house.pooled, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    client
        .simple_query("CREATE TABLE \"Or'ders\" (n int, tenant text); INSERT INTO \"Or'ders\" VALUES (1, 'a'), (2, 'b'), (3, 'b')")
        .await
        .unwrap();
    let table = TenantTable {
        schema: "public".into(),
        table: "Or'ders".into(),
        column: "tenant".into(),
    };
    let place = (&name, name.as_str());
    let before = tenants::prove(&table, &access, place).await.unwrap();
    assert!(!before.holds());
    assert_eq!(
        (
            before.rows,
            before.without_tenant,
            before.of_others,
            before.writes_for_others
        ),
        (3, 3, Some(2), true)
    );
    for _ in 0..2 {
        tenants::protect(&table, &access, place).await.unwrap();
    }
    let after = tenants::prove(&table, &access, place).await.unwrap();
    assert!(after.holds(), "{after:?}");
    assert_eq!(after.rows, 3, "nothing of the try stays");
    let seen = client
        .simple_query("BEGIN; SET LOCAL app.tenant = 'b'; SELECT count(*) FROM \"Or'ders\"; COMMIT; SELECT count(*) FROM \"Or'ders\"")
        .await
        .unwrap();
    let counts: Vec<&str> = seen
        .iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        })
        .collect();
    assert_eq!(counts, ["2", "0"]);
    house.addon.remove(&order("renting", &[1]).id).await.unwrap();
}

/// What a project calls a table is run by whoever counts it: as the project, not as who works on the server.
#[tokio::test]
async fn a_view_in_the_place_of_a_table_gives_a_project_no_more_than_it_has() {
    let house = House::shared().await;
    let (access, name) = (house.access(), main_of("climber"));
    house.addon.ensure(&order("climber", &[1])).await.unwrap();
    let client = log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    client
        .batch_execute(
            "CREATE FUNCTION climb() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM set_config('role', 'none', false);
                 EXECUTE 'CREATE ROLE climbed_up SUPERUSER';
                 RETURN 'a';
             EXCEPTION WHEN OTHERS THEN RETURN 'a'; END $$;
             CREATE VIEW orders AS SELECT climb() AS tenant FROM generate_series(1, 3)",
        )
        .await
        .unwrap();
    let table = TenantTable {
        schema: "public".into(),
        table: "orders".into(),
        column: "tenant".into(),
    };
    let place = (&name, name.as_str());
    // Whatever is said of it: a view has no rule of its own.
    let proved = tenants::prove(&table, &access, place).await;
    assert!(proved.is_err() || !proved.unwrap().holds());
    let refused = tenants::protect(&table, &access, place).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Failed, "{refused}");
    let session = access.connect("postgres").await.unwrap();
    let climbed = session
        .rows("look", "SELECT FROM pg_roles WHERE rolname = 'climbed_up'", &[])
        .await
        .unwrap();
    assert!(climbed.is_empty());
    let left = "SELECT FROM pg_roles WHERE rolname LIKE 'climber_db.w%'";
    assert!(session.rows("look", left, &[]).await.unwrap().is_empty());
    house.addon.remove(&order("climber", &[1]).id).await.unwrap();
}
