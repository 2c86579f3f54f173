//! Changes while programs are at work: what needs a new start, and what does not.

use std::sync::Arc;

use hostkit_addons::postgres::cluster::{Archiving, Cluster};
use hostkit_addons::postgres::pooler::Pooler;
use hostkit_core::traits::{Addon, Services};
use hostkit_core::workload::InstanceState;

use crate::house::{House, cluster, credential, log_in, main_of, order, until};

#[tokio::test]
async fn the_log_is_archived_from_one_moment_on_without_a_new_start() {
    let house = House::start(&std::env::temp_dir()).await;
    let pid = async || {
        house
            .services
            .observe(&Cluster::name())
            .await
            .unwrap()
            .unwrap()
            .pid
    };
    let before = pid().await;
    let spool = Cluster::spool(&*house.services);
    let archived = || std::fs::read_dir(&spool).unwrap().count();
    let session = house.access().connect("hostkit").await.unwrap();
    let fill = async |n: u32| {
        let statement =
            format!("CREATE TABLE IF NOT EXISTS public.t (n int); INSERT INTO public.t VALUES ({n})");
        session.run("fill", &statement).await.unwrap();
        session
            .rows("switch", "SELECT pg_switch_wal()", &[])
            .await
            .unwrap();
    };
    fill(1).await;
    assert_eq!(archived(), 0);
    cluster(house.port, Archiving::Spool)
        .ensure(&*house.services)
        .await
        .unwrap();
    until("a piece of the log is archived", async || {
        fill(2).await;
        archived() > 0
    })
    .await;
    let question = "SELECT failed_count FROM pg_stat_archiver";
    let failed: i64 = session.row("look", question, &[]).await.unwrap().unwrap().get(0);
    assert_eq!((failed, pid().await), (0, before));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_is_told_to_end_lets_transactions_finish() {
    let house = Arc::new(House::start(&std::env::temp_dir()).await);
    house.addon.ensure(&order("ending", &[1])).await.unwrap();
    let name = main_of("ending");
    let client = log_in(house.pooled, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    client.simple_query("CREATE TABLE t (n int)").await.unwrap();
    client.simple_query("BEGIN").await.unwrap();
    client.simple_query("INSERT INTO t VALUES (1)").await.unwrap();
    let ending = {
        let house = house.clone();
        tokio::spawn(async move { house.services.stop(&Pooler::name()).await.unwrap() })
    };
    until("it was told", async || {
        let state = house.services.observe(&Pooler::name()).await.unwrap();
        state.is_none_or(|state| state.state != InstanceState::Running)
    })
    .await;
    client.simple_query("INSERT INTO t VALUES (2)").await.unwrap();
    client.simple_query("COMMIT").await.unwrap();
    ending.await.unwrap();
    assert!(client.simple_query("SELECT 1").await.is_err(), "it is gone");
    house.addon.ensure(&order("ending", &[1])).await.unwrap();
    let client = log_in(house.pooled, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    assert_eq!(
        client.simple_query("SELECT n FROM t").await.unwrap().len(),
        4,
        "two rows, and what stands around them"
    );
}
