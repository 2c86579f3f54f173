//! Databases and roles: made, made again, rotated, taken away.

use hostkit_addons::postgres::databases::{self, Limits};
use hostkit_addons::postgres::names::DatabaseName;
use hostkit_core::kind::Kind;

use crate::house::{House, credential, database, log_in, main_of};

#[tokio::test]
async fn a_database_is_made_once_and_data_stay() {
    let house = House::shared().await;
    let (access, name, limits) = (house.access(), main_of("my-app"), Limits::default());
    for round in 0..2 {
        databases::ensure(&access, &name, &limits).await.unwrap();
        databases::admit(&access, &name, &[credential(1)], &limits)
            .await
            .unwrap();
        let client = log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
            .await
            .unwrap();
        client
            .batch_execute("CREATE TABLE IF NOT EXISTS notes (text text)")
            .await
            .unwrap();
        let rows = client.query("SELECT text FROM notes", &[]).await.unwrap();
        assert_eq!(rows.len(), round);
        client
            .batch_execute("INSERT INTO notes VALUES ('stays')")
            .await
            .unwrap();
        let who = client
            .query_one(
                "SELECT current_user::text, session_user::text, current_setting('statement_timeout')",
                &[],
            )
            .await
            .unwrap();
        assert_eq!(
            (
                who.get::<_, &str>(0),
                who.get::<_, &str>(1),
                who.get::<_, &str>(2)
            ),
            ("my-app_db", "my-app_db.1", "1min")
        );
    }
    databases::remove(&access, &name).await.unwrap();
    databases::remove(&access, &name).await.unwrap();
    let session = access.connect("postgres").await.unwrap();
    let left = session
        .rows(
            "look",
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'my-app%'",
            &[],
        )
        .await
        .unwrap();
    assert!(left.is_empty());
}

#[tokio::test]
async fn two_credentials_are_valid_at_once_and_an_old_one_is_cut_off() {
    let house = House::shared().await;
    let (access, name, limits) = (house.access(), main_of("rotated"), Limits::default());
    let log_in = async |number| {
        log_in(
            house.port,
            name.as_str(),
            &name.login(number),
            &credential(number).secret,
        )
        .await
    };
    databases::ensure(&access, &name, &limits).await.unwrap();
    databases::admit(&access, &name, &[credential(1)], &limits)
        .await
        .unwrap();
    let old = log_in(1).await.unwrap();
    // What is made after `SET ROLE NONE` is the login's own, and must not be lost with it.
    old.batch_execute("CREATE TABLE a (b int); SET ROLE NONE; CREATE SCHEMA own; CREATE TABLE own.c (d int)")
        .await
        .unwrap();
    databases::admit(&access, &name, &[credential(2), credential(1)], &limits)
        .await
        .unwrap();
    old.batch_execute("INSERT INTO a VALUES (1)").await.unwrap();
    let new = log_in(2).await.unwrap();
    new.batch_execute("INSERT INTO a VALUES (2); ALTER TABLE a ADD e int")
        .await
        .unwrap();
    databases::expel_others(&access, &name, &[credential(2)])
        .await
        .unwrap();
    assert!(old.batch_execute("SELECT 1").await.is_err());
    assert!(log_in(1).await.is_err());
    assert_eq!(new.query("SELECT * FROM a", &[]).await.unwrap().len(), 2);
    new.batch_execute("DROP TABLE own.c").await.unwrap();
    // A changed secret under the same number is mended, too.
    let mut changed = credential(2);
    changed.secret = hostkit_core::secret::Secret::new("another");
    databases::admit(&access, &name, &[changed], &limits)
        .await
        .unwrap();
    assert!(log_in(2).await.is_err());
    databases::remove(&access, &name).await.unwrap();
}

#[tokio::test]
async fn further_databases_are_reached_with_the_same_credential() {
    let house = House::shared().await;
    let (access, name, limits) = (house.access(), main_of("many"), Limits::default());
    let tenant = DatabaseName::of(&database("many", "tenant_a")).unwrap();
    let early = databases::ensure_further(&access, &name, &tenant, &limits)
        .await
        .unwrap_err();
    assert_eq!(early.kind, Kind::NotFound);
    databases::ensure(&access, &name, &limits).await.unwrap();
    databases::admit(&access, &name, &[credential(1)], &limits)
        .await
        .unwrap();
    for _ in 0..2 {
        databases::ensure_further(&access, &name, &tenant, &limits)
            .await
            .unwrap();
    }
    let client = log_in(house.port, tenant.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    client.batch_execute("CREATE TABLE a (b int)").await.unwrap();
    let main_one = databases::drop_further(&access, &name, &name).await.unwrap_err();
    assert_eq!(main_one.kind, Kind::Conflict);
    let foreign = databases::drop_further(&access, &main_of("other"), &tenant)
        .await
        .unwrap_err();
    assert_eq!(foreign.kind, Kind::Conflict);
    for _ in 0..2 {
        databases::drop_further(&access, &name, &tenant).await.unwrap();
    }
    databases::ensure_further(&access, &name, &tenant, &limits)
        .await
        .unwrap();
    databases::remove(&access, &name).await.unwrap();
    let session = access.connect("postgres").await.unwrap();
    let known = databases::known(&session).await.unwrap();
    assert!(known.iter().all(|database| database.owner != "many_db"));
}

#[tokio::test]
async fn what_is_not_ours_is_neither_taken_nor_removed_and_what_is_lost_is_not_made_anew() {
    let house = House::shared().await;
    let (access, limits) = (house.access(), Limits::default());
    let session = access.connect("postgres").await.unwrap();
    let name = main_of("foreign");
    session.run("make", r#"CREATE ROLE "foreign_db""#).await.unwrap();
    assert_eq!(
        databases::ensure(&access, &name, &limits).await.unwrap_err().kind,
        Kind::Conflict
    );
    assert_eq!(
        databases::remove(&access, &name).await.unwrap_err().kind,
        Kind::Conflict
    );
    session
        .run("drop", r#"DROP ROLE "foreign_db"; CREATE ROLE somebody"#)
        .await
        .unwrap();
    session
        .run("make", r#"CREATE DATABASE "foreign_db" OWNER somebody"#)
        .await
        .unwrap();
    assert_eq!(
        databases::ensure(&access, &name, &limits).await.unwrap_err().kind,
        Kind::Conflict
    );
    databases::remove(&access, &name).await.unwrap();
    session
        .run("drop", r#"DROP DATABASE "foreign_db""#)
        .await
        .unwrap();

    let name = main_of("lost");
    databases::ensure(&access, &name, &limits).await.unwrap();
    session.run("lose", r#"DROP DATABASE "lost_db""#).await.unwrap();
    let failure = databases::ensure(&access, &name, &limits).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
    assert!(failure.hint.unwrap().contains("backup"));
    databases::remove(&access, &name).await.unwrap();
    databases::ensure(&access, &name, &limits).await.unwrap();
    databases::remove(&access, &name).await.unwrap();
}

#[tokio::test]
async fn what_is_as_it_should_be_is_not_written_again_and_what_drifted_is_mended() {
    let house = House::start(std::path::Path::new("/dev/shm")).await;
    let (access, name, limits) = (house.access(), main_of("steady"), Limits::default());
    let session = access.connect("hostkit").await.unwrap();
    let ensure = async || {
        house.addon.ensure_server().await.unwrap();
        databases::ensure(&access, &name, &limits).await.unwrap();
        databases::admit(&access, &name, &[credential(1)], &limits)
            .await
            .unwrap();
    };
    // Rows of the system that are changed get a new transaction's number.
    let question = "SELECT (SELECT xmin::text FROM pg_database WHERE datname = 'steady_db'),
            (SELECT string_agg(xmin::text, ' ' ORDER BY oid) FROM pg_authid),
            (SELECT string_agg(xmin::text, ' ' ORDER BY setrole) FROM pg_db_role_setting),
            (SELECT string_agg(xmin::text, ' ' ORDER BY objoid) FROM pg_shdescription),
            (SELECT string_agg(xmin::text, ' ' ORDER BY oid) FROM pg_database)";
    let rows = async || {
        let row = session.row("look", question, &[]).await.unwrap().unwrap();
        (0..5).map(|column| row.get(column)).collect::<Vec<String>>()
    };
    ensure().await;
    let before = rows().await;
    ensure().await;
    assert_eq!(rows().await, before);
    let inside = access.connect("steady_db").await.unwrap();
    for drift in [
        "ALTER DATABASE steady_db CONNECTION LIMIT -1",
        "GRANT CONNECT ON DATABASE steady_db TO PUBLIC",
        "REVOKE CREATE ON DATABASE steady_db FROM steady_db",
        "ALTER ROLE \"steady_db.1\" SUPERUSER",
        "ALTER ROLE \"steady_db.1\" RESET temp_file_limit",
        "ALTER ROLE \"steady_db.1\" PASSWORD 'x'",
        "GRANT SELECT ON pg_stat_activity TO PUBLIC",
    ] {
        inside.run("drift", drift).await.unwrap();
        ensure().await;
        let client = log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
            .await
            .unwrap();
        let question = "SELECT datconnlimit, has_database_privilege('steady_db', 'CREATE'),
                current_setting('temp_file_limit'), has_table_privilege('pg_stat_activity', 'SELECT'),
                (SELECT bool_or(rolsuper) FROM pg_roles WHERE rolname LIKE 'steady%')
            FROM pg_database WHERE datname = 'steady_db' AND NOT EXISTS (
                SELECT FROM aclexplode(datacl) WHERE grantee = 0)";
        let row = client.query_one(question, &[]).await.unwrap();
        let found = (
            row.get::<_, i32>(0),
            row.get::<_, bool>(1),
            row.get::<_, String>(2),
            row.get::<_, bool>(3),
            row.get::<_, bool>(4),
        );
        assert_eq!(found, (25, true, "1GB".to_owned(), false, false), "{drift}");
    }
}
