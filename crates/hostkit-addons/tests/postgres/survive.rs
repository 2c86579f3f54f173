//! Servers that are killed, and a disk that is full: nothing that was acknowledged is lost, and all is back by itself.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostkit_addons::postgres::cluster::Cluster;
use hostkit_addons::postgres::pooler::Pooler;
use hostkit_core::addon::AddonHealth;
use hostkit_core::services::ServiceName;
use hostkit_core::traits::{Addon, Services};
use hostkit_host::processes;
use hostkit_testkit::small_disk;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::house::{House, credential, log_in, main_of, order, until};

/// Writes numbers, each once, over connections that are made anew when they break; keeps those that were acknowledged.
struct Writers {
    ends: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<i64>>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Writers {
    fn start(port: u16, project: &str) -> Self {
        let (ends, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let next = Arc::new(AtomicI64::new(0));
        let name = main_of(project);
        let tasks = (0..4)
            .map(|_| {
                let (ends, acknowledged): (Arc<AtomicBool>, Arc<Mutex<Vec<i64>>>) =
                    (ends.clone(), Arc::clone(&acknowledged));
                let (next, name) = (next.clone(), name.clone());
                tokio::spawn(async move {
                    while !ends.load(Ordering::Relaxed) {
                        let Ok(client) =
                            log_in(port, name.as_str(), &name.login(1), &credential(1).secret).await
                        else {
                            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                            continue;
                        };
                        while !ends.load(Ordering::Relaxed) {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            let written = client
                                .simple_query(&format!("INSERT INTO kept VALUES ({number})"))
                                .await;
                            if written.is_err() {
                                break;
                            }
                            acknowledged.lock().unwrap().push(number);
                        }
                    }
                })
            })
            .collect();
        Writers {
            ends,
            acknowledged,
            tasks,
        }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Waits until so many more were acknowledged.
    async fn more(&self, count: usize) {
        let wanted = self.count() + count;
        until("more is written", async || self.count() >= wanted).await;
    }

    async fn end(self) -> Vec<i64> {
        self.ends.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        Arc::try_unwrap(self.acknowledged).unwrap().into_inner().unwrap()
    }
}

/// Fails where one that was acknowledged is not there, or is there twice.
async fn assert_all_there(house: &House, project: &str, acknowledged: &[i64]) {
    let session = house.access().connect(main_of(project).as_str()).await.unwrap();
    let rows = session
        .rows("read back", "SELECT n FROM public.kept ORDER BY n", &[])
        .await
        .unwrap();
    let found: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "none twice");
    for number in acknowledged {
        assert!(
            found.binary_search(number).is_ok(),
            "{number} was acknowledged and is lost"
        );
    }
}

async fn process(house: &House, name: &ServiceName) -> Pid {
    let state = house.services.observe(name).await.unwrap().unwrap();
    Pid::from_raw(state.pid.unwrap() as i32)
}

/// The process above another.
fn parent(of: Pid) -> Pid {
    let status = std::fs::read_to_string(format!("/proc/{of}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("PPid:"))
        .unwrap();
    Pid::from_raw(line.trim().parse().unwrap())
}

async fn table(house: &House, project: &str) {
    house.addon.ensure(&order(project, &[1])).await.unwrap();
    let name = main_of(project);
    let client = log_in(house.port, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    client
        .batch_execute(
            "CREATE TABLE kept (n bigint, filling text); ALTER TABLE kept ALTER filling SET STORAGE EXTERNAL",
        )
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_servers_are_back_by_themselves_and_nothing_acknowledged_is_lost() {
    let house = House::start(&std::env::temp_dir()).await;
    table(&house, "killed").await;
    let writers = Writers::start(house.pooled, "killed");
    for round in 0..2 {
        for name in [Cluster::name(), Pooler::name()] {
            writers.more(50).await;
            let killed = process(&house, &name).await;
            kill(killed, Signal::SIGKILL).unwrap();
            writers.more(50).await;
            assert_ne!(process(&house, &name).await, killed, "{name}, round {round}");
        }
        // One of the server's own processes: the server ends all of them and recovers.
        let session = house.access().connect("postgres").await.unwrap();
        let question = "SELECT pid FROM pg_stat_activity WHERE datname = 'killed_db' LIMIT 1";
        let one: i32 = session.row("look", question, &[]).await.unwrap().unwrap().get(0);
        kill(Pid::from_raw(one), Signal::SIGKILL).unwrap();
        writers.more(50).await;
    }
    let acknowledged = writers.end().await;
    assert_all_there(&house, "killed", &acknowledged).await;
    assert_eq!(
        house.addon.observe(&order("killed", &[1])).await.unwrap().health,
        AddonHealth::Ready
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_shim_is_killed_is_not_run_twice() {
    let house = House::start(&std::env::temp_dir()).await;
    table(&house, "orphan").await;
    let writers = Writers::start(house.pooled, "orphan");
    for name in [Cluster::name(), Pooler::name()] {
        writers.more(50).await;
        let shim = parent(process(&house, &name).await);
        kill(shim, Signal::SIGKILL).unwrap();
        // On a busy machine a signal takes its time.
        until("its shim is gone", async || {
            let stat = processes::stat(shim.as_raw().unsigned_abs());
            stat.is_none_or(|stat| matches!(stat.state, 'Z' | 'X'))
        })
        .await;
        // As control does after a while: it looks, and orders again.
        house.addon.ensure(&order("orphan", &[1])).await.unwrap();
        writers.more(50).await;
    }
    let acknowledged = writers.end().await;
    assert_all_there(&house, "orphan", &acknowledged).await;
}

/// Control orders a server while what keeps it running is being ended, which takes its time on a busy machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_ordered_while_its_shim_ends_is_ordered_again() {
    let house = House::start(&std::env::temp_dir()).await;
    for name in [Cluster::name(), Pooler::name(), Cluster::name()] {
        let server = process(&house, &name).await;
        let shim = parent(server);
        kill(server, Signal::SIGSTOP).unwrap();
        kill(shim, Signal::SIGKILL).unwrap();
        kill(server, Signal::SIGKILL).unwrap();
        let wanted = order("again", &[1]);
        let ordered = house.addon.ensure(&wanted);
        let ordered = tokio::time::timeout(Duration::from_secs(60), ordered).await;
        ordered
            .expect("it is there long before waiting is given up")
            .unwrap();
    }
}

#[test]
fn a_full_disk_is_said_and_takes_nothing_away() {
    if !small_disk::inside_own_mounts("survive::a_full_disk_is_said_and_takes_nothing_away") {
        return;
    }
    tokio::runtime::Runtime::new().unwrap().block_on(fill_the_disk());
}

async fn fill_the_disk() {
    let small = tempfile::tempdir().unwrap();
    small_disk::mount(small.path(), 200 << 10);
    let house = House::start(small.path()).await;
    table(&house, "full").await;
    let ballast = small.path().join("ballast");
    std::fs::write(&ballast, vec![0; 20 << 20]).unwrap();
    let name = main_of("full");
    let client = log_in(house.pooled, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    let mut acknowledged = Vec::new();
    let refused = loop {
        let number = acknowledged.len() as i64;
        let row = format!("INSERT INTO kept VALUES ({number}, repeat(md5('{number}'), 20000))");
        match client.simple_query(&row).await {
            Ok(_) => acknowledged.push(number),
            Err(why) => break why,
        }
    };
    assert!(acknowledged.len() > 20, "{refused}");
    // While there is no room it either works on for readers, or says why it does not start.
    match house.addon.ensure(&order("full", &[1])).await {
        Ok(()) => assert_all_there(&house, "full", &acknowledged).await,
        Err(failure) => {
            let said = format!("{} {}", failure.message, failure.details.join(" "));
            assert!(said.contains("No space left on device"), "{failure:?}");
        }
    }
    std::fs::remove_file(&ballast).unwrap();
    until("it is back", async || {
        house.addon.ensure(&order("full", &[1])).await.is_ok()
            && house.addon.observe(&order("full", &[1])).await.unwrap().health == AddonHealth::Ready
    })
    .await;
    assert_all_there(&house, "full", &acknowledged).await;
    let client = log_in(house.pooled, name.as_str(), &name.login(1), &credential(1).secret)
        .await
        .unwrap();
    client.simple_query("INSERT INTO kept VALUES (-1)").await.unwrap();
    // Every block is read, and with it its checksum.
    let session = house.access().connect(name.as_str()).await.unwrap();
    session
        .rows("read all", "SELECT sum(length(filling)) FROM public.kept", &[])
        .await
        .unwrap();
    let damaged = session
        .row(
            "look",
            "SELECT sum(checksum_failures)::bigint FROM pg_stat_database",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(damaged.unwrap().get::<_, Option<i64>>(0), Some(0));
    house.services.stop(&Pooler::name()).await.unwrap();
    house.services.stop(&Cluster::name()).await.unwrap();
}
