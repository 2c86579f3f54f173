//! PgBouncer: who gets in, and that nothing fails while passwords change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hostkit_addons::postgres::names::DatabaseName;
use hostkit_core::addon::AddonHealth;
use hostkit_core::kind::Kind;
use hostkit_core::traits::{Addon, Databases};

use crate::house::{House, credential, database, log_in, main_of, order};

#[tokio::test]
async fn both_addresses_lead_to_the_same_database() {
    let house = House::shared().await;
    let wanted = order("both", &[1]);
    for _ in 0..2 {
        house.addon.ensure(&wanted).await.unwrap();
    }
    let state = house.addon.observe(&wanted).await.unwrap();
    assert_eq!(state.health, AddonHealth::Ready);
    assert!(state.version.unwrap().starts_with("15"));
    let variables = house.addon.variables(&wanted);
    assert_eq!(variables.len(), house.addon.variable_names().len());
    let url = |name: &str| variables[&name.parse().unwrap()].reveal().to_owned();
    assert_eq!(
        url("DATABASE_URL"),
        format!(
            "postgresql://both_db.1:{}@127.0.0.1:{}/both_db",
            credential(1).secret.reveal(),
            house.pooled
        )
    );
    assert!(url("POSTGRES_PRISMA_URL").contains("?pgbouncer=true"));
    for name in ["DATABASE_URL", "DIRECT_URL"] {
        let (client, connection) = tokio_postgres::connect(&url(name), tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        client
            .batch_execute("CREATE TABLE IF NOT EXISTS a (b int); INSERT INTO a VALUES (1)")
            .await
            .unwrap();
    }
    let console = house
        .addon
        .console(&wanted, &["-c".into(), "SELECT count(*) FROM a".into()])
        .unwrap();
    let said = std::process::Command::new(&console.arguments[0])
        .args(&console.arguments[1..])
        .envs(
            console
                .variables
                .iter()
                .map(|(name, value)| (name.as_str(), value.reveal())),
        )
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&said.stdout).contains('2'), "{said:?}");
    assert!(
        console
            .arguments
            .iter()
            .all(|word| !word.contains(credential(1).secret.reveal()))
    );
    house.addon.remove(&wanted.id).await.unwrap();
    house.addon.remove(&wanted.id).await.unwrap();
    assert!(matches!(
        house.addon.observe(&wanted).await.unwrap().health,
        AddonHealth::Down(_)
    ));
}

/// Asks again and again, over connections that are kept and such that are new, until it is told to end; counts what was
/// answered. A failure ends the test.
async fn load(port: u16, number: u32, ends: Arc<AtomicBool>, answered: Arc<AtomicU64>) {
    let name = main_of("turned");
    let (login, secret) = (name.login(number), credential(number).secret);
    let kept = log_in(port, name.as_str(), &login, &secret).await.unwrap();
    while !ends.load(Ordering::Relaxed) {
        for client in [
            &kept,
            &log_in(port, name.as_str(), &login, &secret).await.unwrap(),
        ] {
            client.simple_query("UPDATE counter SET n = n + 1").await.unwrap();
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_changed_under_load_and_no_query_fails() {
    let house = House::shared().await;
    house.addon.ensure(&order("turned", &[1])).await.unwrap();
    let name = main_of("turned");
    let direct = log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    direct
        .batch_execute("CREATE TABLE counter (n bigint); INSERT INTO counter VALUES (0)")
        .await
        .unwrap();
    let answered = Arc::new(AtomicU64::new(0));
    let begin = |number| {
        let ends = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..4)
            .map(|_| tokio::spawn(load(house.pooled, number, ends.clone(), answered.clone())))
            .collect();
        (ends, clients)
    };
    let more = async |count| {
        let until = answered.load(Ordering::Relaxed) + count;
        crate::house::until("more is answered", async || {
            answered.load(Ordering::Relaxed) >= until
        })
        .await;
    };
    let mut before = begin(1);
    for number in 2..=3 {
        more(100).await;
        // As a rotation goes: the new one beside the old, programs move over, the old one is taken away.
        house
            .addon
            .ensure(&order("turned", &[number, number - 1]))
            .await
            .unwrap();
        let after = begin(number);
        more(100).await;
        before.0.store(true, Ordering::Relaxed);
        for client in before.1 {
            client.await.unwrap();
        }
        house.addon.ensure(&order("turned", &[number])).await.unwrap();
        assert!(
            log_in(
                house.port,
                name.as_str(),
                &name.login(number - 1),
                &credential(number - 1).secret
            )
            .await
            .is_err()
        );
        assert!(
            log_in(
                house.pooled,
                name.as_str(),
                &name.login(number - 1),
                &credential(number - 1).secret
            )
            .await
            .is_err()
        );
        before = after;
    }
    more(100).await;
    before.0.store(true, Ordering::Relaxed);
    for client in before.1 {
        client.await.unwrap();
    }
    let client = log_in(house.port, name.as_str(), &name.login(3), &credential(3).secret)
        .await
        .unwrap();
    let counted: i64 = client
        .query_one("SELECT n FROM counter", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(
        counted as u64,
        answered.load(Ordering::Relaxed),
        "every answer was an act, and every act once"
    );
    house.addon.remove(&order("turned", &[3]).id).await.unwrap();
}

#[tokio::test]
async fn many_programs_share_few_connections_of_the_server() {
    let house = House::shared().await;
    house.addon.ensure(&order("crowd", &[1])).await.unwrap();
    let name = main_of("crowd");
    let clients: Vec<_> = (0..60)
        .map(|_| {
            let name = name.clone();
            tokio::spawn(async move {
                let client = log_in(house.pooled, name.as_str(), &name.login(1), &credential(1).secret)
                    .await
                    .unwrap();
                client.simple_query("SELECT pg_sleep(0.01)").await.unwrap();
                client
            })
        })
        .collect();
    let mut open = Vec::new();
    for client in clients {
        open.push(client.await.unwrap());
    }
    let console = house.addon.pooler().console().await.unwrap();
    let pools = console.pools().await.unwrap();
    let pool = pools.iter().find(|pool| pool.database == "crowd_db").unwrap();
    assert_eq!(pool.clients, 60);
    assert!(pool.active + pool.idle <= house.addon.limits().pooled, "{pool:?}");
    house.addon.remove(&order("crowd", &[1]).id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_add_ons_are_ensured_and_removed_side_by_side() {
    let house = House::shared().await;
    let all = async |remove: bool| {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..8 {
            tasks.spawn(async move {
                let order = order(&format!("side-{number}"), &[1]);
                match remove {
                    true => house.addon.remove(&order.id).await.unwrap(),
                    false => house.addon.ensure(&order).await.unwrap(),
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    };
    all(false).await;
    for number in 0..8 {
        let state = house
            .addon
            .observe(&order(&format!("side-{number}"), &[1]))
            .await
            .unwrap();
        assert_eq!(state.health, AddonHealth::Ready);
    }
    all(true).await;
}

#[tokio::test]
async fn further_databases_are_pooled_too() {
    let house = House::shared().await;
    let wanted = order("further", &[1]);
    house.addon.ensure(&wanted).await.unwrap();
    let tenant = database("further", "tenant_a");
    for _ in 0..2 {
        house.addon.create_database(&tenant).await.unwrap();
    }
    let labels = house.addon.list(&tenant.environment).await.unwrap();
    let labels: Vec<&str> = labels.iter().map(|one| one.label.as_str()).collect();
    assert_eq!(labels, ["db", "tenant_a"]);
    let name = DatabaseName::of(&tenant).unwrap();
    for address in [
        house.addon.pooled(&wanted, &name),
        house.addon.direct(&wanted, &name),
    ] {
        let url = address.unwrap().url();
        let (client, connection) = tokio_postgres::connect(url.reveal(), tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        let said = client
            .simple_query("SELECT current_database(), current_user")
            .await
            .unwrap();
        let row = said.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some((row.get(0).unwrap(), row.get(1).unwrap())),
            _ => None,
        });
        assert_eq!(row, Some(("further_tenant_a", "further_db")));
    }
    for _ in 0..2 {
        house.addon.drop_database(&tenant).await.unwrap();
    }
    let main = house.addon.drop_database(&database("further", "db")).await;
    assert_eq!(main.unwrap_err().kind, Kind::Conflict);
    let gone = house.addon.connections(&tenant).await.unwrap_err();
    assert_eq!(gone.kind, Kind::NotFound);
    house.addon.remove(&wanted.id).await.unwrap();
}
