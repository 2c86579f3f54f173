//! What one project tries at another, with its own credential: each attempt fails, and succeeds once the one protection
//! that is meant against it is taken away. So no attempt fails for another reason than it should.

use std::path::Path;

use hostkit_addons::postgres::cluster::Cluster;
use hostkit_addons::postgres::session::Session;
use hostkit_core::traits::{Addon, Services};

use crate::house::{House, credential, log_in, main_of, order, until};

/// A statement that A runs in its own database, and what the superuser says there to take the protection away and to put
/// it back.
struct Attempt {
    what: &'static str,
    statement: &'static str,
    open: &'static str,
    close: &'static str,
}

const ATTEMPTS: &[Attempt] = &[
    Attempt {
        what: "see what others do at this moment",
        statement: "SELECT query FROM pg_stat_activity WHERE datname = 'walk-b_db'",
        open: "GRANT SELECT ON pg_stat_activity TO PUBLIC; GRANT EXECUTE ON FUNCTION pg_stat_get_activity(int) TO PUBLIC",
        close: "REVOKE SELECT ON pg_stat_activity FROM PUBLIC; REVOKE EXECUTE ON FUNCTION pg_stat_get_activity(int) FROM PUBLIC",
    },
    Attempt {
        what: "see that by the function behind it",
        statement: "SELECT * FROM pg_stat_get_activity(NULL)",
        open: "GRANT EXECUTE ON FUNCTION pg_stat_get_activity(int) TO PUBLIC",
        close: "REVOKE EXECUTE ON FUNCTION pg_stat_get_activity(int) FROM PUBLIC",
    },
    Attempt {
        what: "see how much others do",
        statement: "SELECT datname, xact_commit FROM pg_stat_database",
        open: "GRANT SELECT ON pg_stat_database TO PUBLIC;
               GRANT EXECUTE ON FUNCTION pg_stat_get_db_xact_commit(oid) TO PUBLIC",
        close: "REVOKE SELECT ON pg_stat_database FROM PUBLIC;
                REVOKE EXECUTE ON FUNCTION pg_stat_get_db_xact_commit(oid) FROM PUBLIC",
    },
    Attempt {
        what: "see how large another's database is",
        statement: "SELECT pg_database_size('walk-b_db')",
        open: "GRANT pg_read_all_stats TO \"walk-a_db\"",
        close: "REVOKE pg_read_all_stats FROM \"walk-a_db\"",
    },
    Attempt {
        what: "become the owner of another's tables",
        statement: "SET ROLE \"walk-b_db\"",
        open: "GRANT \"walk-b_db\" TO \"walk-a_db\"",
        close: "REVOKE \"walk-b_db\" FROM \"walk-a_db\"",
    },
    Attempt {
        what: "become another's login",
        statement: "SET SESSION AUTHORIZATION \"walk-b_db.1\"",
        open: "ALTER ROLE \"walk-a_db.1\" SUPERUSER",
        close: "ALTER ROLE \"walk-a_db.1\" NOSUPERUSER",
    },
    Attempt {
        what: "read what is kept of passwords",
        statement: "SELECT rolpassword FROM pg_authid",
        open: "GRANT SELECT ON pg_authid TO \"walk-a_db\"",
        close: "REVOKE SELECT ON pg_authid FROM \"walk-a_db\"",
    },
    Attempt {
        what: "change another's password",
        statement: "SET ROLE NONE; ALTER ROLE \"walk-b_db.2\" PASSWORD 'x'",
        open: "ALTER ROLE \"walk-a_db.1\" CREATEROLE",
        close: "ALTER ROLE \"walk-a_db.1\" NOCREATEROLE",
    },
    Attempt {
        what: "end another's connections",
        statement: "SELECT pg_cancel_backend(pid) FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname = 'walk-b_db')",
        open: "GRANT pg_signal_backend TO \"walk-a_db\"",
        close: "REVOKE pg_signal_backend FROM \"walk-a_db\"",
    },
    Attempt {
        what: "lift the limit of its connections",
        statement: "ALTER DATABASE \"walk-a_db\" CONNECTION LIMIT -1",
        open: "ALTER DATABASE \"walk-a_db\" OWNER TO \"walk-a_db\"",
        close: "ALTER DATABASE \"walk-a_db\" OWNER TO hostkit;
                GRANT CONNECT, TEMPORARY, CREATE ON DATABASE \"walk-a_db\" TO \"walk-a_db\"; ALTER DATABASE \"walk-a_db\" CONNECTION LIMIT 25",
    },
    Attempt {
        what: "lift the limit of its temporary files",
        statement: "SET temp_file_limit = -1",
        open: "GRANT SET ON PARAMETER temp_file_limit TO \"walk-a_db\"",
        close: "REVOKE SET ON PARAMETER temp_file_limit FROM \"walk-a_db\"",
    },
    Attempt {
        what: "read files of the machine",
        statement: "SELECT pg_read_file('/etc/passwd')",
        open: "GRANT pg_read_server_files TO \"walk-a_db\"; GRANT EXECUTE ON FUNCTION pg_read_file(text) TO \"walk-a_db\"",
        close: "REVOKE pg_read_server_files FROM \"walk-a_db\"; REVOKE EXECUTE ON FUNCTION pg_read_file(text) FROM \"walk-a_db\"",
    },
    Attempt {
        what: "run programs of the machine",
        statement: "COPY (SELECT 1) TO PROGRAM 'cat > /dev/null'",
        open: "GRANT pg_execute_server_program TO \"walk-a_db\"",
        close: "REVOKE pg_execute_server_program FROM \"walk-a_db\"",
    },
    Attempt {
        what: "make a database that nobody counts",
        statement: "SET ROLE NONE; CREATE DATABASE walk_more",
        open: "ALTER ROLE \"walk-a_db.1\" CREATEDB",
        close: "DROP DATABASE walk_more; ALTER ROLE \"walk-a_db.1\" NOCREATEDB",
    },
    Attempt {
        what: "read everything as a standby would",
        statement: "SELECT pg_create_physical_replication_slot('walk')",
        open: "ALTER ROLE \"walk-a_db\" REPLICATION",
        close: "ALTER ROLE \"walk-a_db\" NOREPLICATION; SELECT pg_drop_replication_slot('walk')",
    },
    Attempt {
        what: "change settings of the server",
        statement: "ALTER SYSTEM SET work_mem = '1GB'",
        open: "GRANT ALTER SYSTEM ON PARAMETER work_mem TO \"walk-a_db\"",
        close: "REVOKE ALTER SYSTEM ON PARAMETER work_mem FROM \"walk-a_db\"; ALTER SYSTEM RESET work_mem",
    },
];

async fn attempt(house: &House, statement: &str) -> Result<(), String> {
    let name = main_of("walk-a");
    let client = log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    for part in statement.split("; ") {
        client.simple_query(part).await.map_err(|why| {
            why.as_db_error()
                .map_or_else(|| why.to_string(), |said| said.message().to_owned())
        })?;
    }
    Ok(())
}

/// Statements one by one: some do not go with others in one transaction.
async fn say(session: &Session, statements: &str) {
    for statement in statements.split(';').filter(|text| !text.trim().is_empty()) {
        session.run("change a protection", statement).await.unwrap();
    }
}

/// Whether A gets into a database, and is answered there.
async fn gets_in(port: u16, database: &str) -> bool {
    let name = main_of("walk-a");
    match log_in(port, database, &name.login(1), &credential(1).secret).await {
        Ok(client) => client.simple_query("SELECT 1").await.is_ok(),
        Err(_) => false,
    }
}

/// The same at the server, and through PgBouncer.
async fn gets_into(house: &House, database: &str) -> [bool; 2] {
    [
        gets_in(house.port, database).await,
        gets_in(house.pooled, database).await,
    ]
}

#[tokio::test]
async fn nothing_of_another_project_is_reached_and_each_wall_is_what_holds() {
    let house = House::start(Path::new("/dev/shm")).await;
    for project in ["walk-a", "walk-b"] {
        house.addon.ensure(&order(project, &[1, 2])).await.unwrap();
    }
    let (a, b) = (main_of("walk-a"), main_of("walk-b"));
    let theirs = log_in(house.port, b.as_str(), &b.login(1), &credential(1).secret)
        .await
        .unwrap();
    theirs
        .batch_execute("CREATE TABLE kept (secret text); INSERT INTO kept VALUES ('canary')")
        .await
        .unwrap();
    theirs
        .batch_execute("BEGIN; LOCK TABLE kept IN ACCESS SHARE MODE")
        .await
        .unwrap();
    let session = house.access().connect(a.as_str()).await.unwrap();
    for one in ATTEMPTS {
        let refused = attempt(&house, one.statement).await;
        assert!(refused.is_err(), "A could {}", one.what);
        say(&session, one.open).await;
        let opened = attempt(&house, one.statement).await;
        assert_eq!(
            opened,
            Ok(()),
            "the protection against this is another one: {}",
            one.what
        );
        say(&session, one.close).await;
        assert!(
            attempt(&house, one.statement).await.is_err(),
            "A can still {}",
            one.what
        );
    }
    theirs.batch_execute("ROLLBACK").await.unwrap();

    // Two walls stand before a database: the server's rules of admission, and the right to connect.
    let admission = house
        .services
        .place(&Cluster::name())
        .configuration
        .join("pg_hba.conf");
    let rules = std::fs::read_to_string(&admission).unwrap();
    let no_rules = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n";
    let admit = async |rules: &str| {
        std::fs::write(&admission, rules).unwrap();
        house.services.reload(&Cluster::name()).await.unwrap();
    };
    assert_eq!(gets_into(&house, b.as_str()).await, [false, false]);
    assert_eq!(gets_into(&house, "postgres").await, [false, false]);
    assert_eq!(gets_into(&house, a.as_str()).await, [true, true]);
    say(&session, "GRANT CONNECT ON DATABASE \"walk-b_db\" TO PUBLIC").await;
    assert_eq!(
        gets_into(&house, b.as_str()).await,
        [false, false],
        "the rules alone hold"
    );
    admit(no_rules).await;
    until("without both A is in", async || {
        gets_into(&house, b.as_str()).await == [true, true]
    })
    .await;
    let inside = log_in(house.port, b.as_str(), &a.login(1), &credential(1).secret)
        .await
        .unwrap();
    assert!(
        inside.simple_query("SELECT * FROM kept").await.is_err(),
        "and still reads nothing"
    );
    theirs
        .batch_execute("GRANT SELECT ON kept TO PUBLIC")
        .await
        .unwrap();
    inside.simple_query("SELECT * FROM kept").await.unwrap();
    theirs
        .batch_execute("REVOKE SELECT ON kept FROM PUBLIC")
        .await
        .unwrap();
    say(&session, "REVOKE CONNECT ON DATABASE \"walk-b_db\" FROM PUBLIC").await;
    // Connections that are open are not asked again.
    let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
               WHERE datname = 'walk-b_db' AND usename LIKE 'walk-a%'";
    session.rows("end connections", end, &[]).await.unwrap();
    // (PgBouncer, which once got in with this login, lets it wait for a while before it says so.)
    assert!(!gets_in(house.port, b.as_str()).await, "the right alone holds");
    admit(&rules).await;

    // With B's name and A's password; and at PgBouncer's console.
    let another = credential(9).secret;
    for port in [house.port, house.pooled] {
        assert!(log_in(port, b.as_str(), &b.login(1), &another).await.is_err());
    }
    let console = log_in(house.pooled, "pgbouncer", &a.login(1), &credential(1).secret).await;
    assert!(console.is_err());
}

#[tokio::test]
async fn files_of_the_server_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::shared().await;
    house.addon.ensure(&order("files", &[1])).await.unwrap();
    for name in [Cluster::name(), hostkit_addons::postgres::pooler::Pooler::name()] {
        let place = house.services.place(&name);
        for path in [&place.data, &place.configuration] {
            let mode = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", path.display());
        }
        // A password is in none of them, nor in what is said when things go wrong.
        for file in std::fs::read_dir(&place.configuration).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            assert!(!text.contains(credential(1).secret.reveal()));
            assert!(!text.contains("the superuser's own") && !text.contains("the pooler's own"));
        }
        let lines = house.services.last_lines(&name, 10_000).await.unwrap().join("\n");
        assert!(!lines.contains(credential(1).secret.reveal()) && !lines.contains("SCRAM-SHA-256$"));
    }
    house.addon.remove(&order("files", &[1]).id).await.unwrap();
}
