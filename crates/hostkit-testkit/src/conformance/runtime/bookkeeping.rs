//! Which instances there are. Nothing here depends on what programs do.

use futures_util::future::join_all;
use hostkit_core::kind::Kind;
use hostkit_core::workload::{InstanceId, Scope};

use super::*;

const SLEEPER: &str = "sleep 600";

fn numbers(instances: &[Instance]) -> Vec<u16> {
    instances.iter().map(|i| i.id.number).collect()
}

fn pids(instances: &[Instance]) -> Vec<u32> {
    instances.iter().filter_map(|i| i.pid).collect()
}

/// Scaling keeps low numbers as they are; everything is idempotent.
pub async fn as_many_as_asked_run_and_no_more(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let mut wanted = line("shop", "web", 1, SLEEPER);
    wanted.count = 3;
    let three = ensure(&*runtime, &wanted).await;
    assert_eq!(numbers(&three), [1, 2, 3]);
    assert!(three.iter().all(is_running), "{three:?}");
    let mut ports: Vec<_> = three.iter().filter_map(|i| i.address).collect();
    ports.sort();
    ports.dedup();
    assert_eq!(ports.len(), 3);
    assert_eq!(pids(&ensure(&*runtime, &wanted).await), pids(&three));
    wanted.count = 1;
    assert_eq!(pids(&ensure(&*runtime, &wanted).await), pids(&three)[..1]);
    wanted.count = 2;
    let two = ensure(&*runtime, &wanted).await;
    assert_eq!(numbers(&two), [1, 2]);
    assert_eq!(
        two[0],
        Instance {
            memory: two[0].memory,
            ..three[0].clone()
        }
    );
    assert_eq!(numbers(&observe(&*runtime, &Scope::default()).await), [1, 2]);
    wanted.count = 0;
    assert!(ensure(&*runtime, &wanted).await.is_empty());
    wanted.count = 1;
    ensure(&*runtime, &wanted).await;
    remove(&*runtime, &wanted.id).await;
    remove(&*runtime, &wanted.id).await;
    assert!(observe(&*runtime, &Scope::default()).await.is_empty());
}

/// `api` and `api2`, `shop` and `shop2`, deployment 1 and 12 (ACCEPTANCE A11).
pub async fn names_that_begin_alike_never_touch(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let others = [
        line("shop", "api2", 1, SLEEPER),
        line("shop2", "api", 1, SLEEPER),
        line("shop", "api", 12, SLEEPER),
        line("shop", "ap", 1, SLEEPER),
    ];
    for other in &others {
        ensure(&*runtime, other).await;
    }
    let mut api = line("shop", "api", 1, SLEEPER);
    let before = observe(&*runtime, &Scope::default()).await;
    ensure(&*runtime, &api).await;
    api.count = 2;
    ensure(&*runtime, &api).await;
    api.count = 0;
    ensure(&*runtime, &api).await;
    remove(&*runtime, &api.id).await;
    let after = observe(&*runtime, &Scope::default()).await;
    assert_eq!(pids(&after), pids(&before));
    assert!(after.iter().all(is_running));
}

/// Calls for different workloads do not get into each other's way.
pub async fn workloads_are_started_at_once(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let wanted: Vec<Workload> = (1..=6)
        .map(|n| {
            let mut workload = line(&format!("shop{n}"), "web", n, SLEEPER);
            workload.count = 2;
            workload
        })
        .collect();
    let started = join_all(wanted.iter().map(|w| ensure(&*runtime, w))).await;
    let mut ports: Vec<_> = started.iter().flatten().filter_map(|i| i.address).collect();
    ports.sort();
    ports.dedup();
    assert_eq!(ports.len(), 12);
    // The same workload twice at once is the same workload.
    let twice = tokio::join!(ensure(&*runtime, &wanted[0]), ensure(&*runtime, &wanted[0]));
    assert_eq!(pids(&twice.0), pids(&started[0]));
    assert_eq!(pids(&twice.1), pids(&started[0]));
    join_all(wanted.iter().map(|w| remove(&*runtime, &w.id))).await;
    assert!(observe(&*runtime, &Scope::default()).await.is_empty());
}

/// A caller that was started again adopts what runs: nothing is started twice, and everything can be ended.
pub async fn a_second_view_finds_everything(fixture: &dyn RuntimeFixture) {
    let mut wanted = line("shop", "web", 1, SLEEPER);
    wanted.count = 2;
    let started = ensure(&*fixture.runtime(), &wanted).await;
    let second = fixture.runtime();
    assert_eq!(pids(&observe(&*second, &Scope::default()).await), pids(&started));
    assert_eq!(pids(&ensure(&*second, &wanted).await), pids(&started));
    remove(&*second, &wanted.id).await;
    assert!(observe(&*fixture.runtime(), &Scope::default()).await.is_empty());
}

/// `observe` looks exactly where it was told.
pub async fn scopes_are_kept(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    for wanted in [
        line("shop", "web", 1, SLEEPER),
        line("shop", "worker", 2, SLEEPER),
        line("blog", "web", 3, SLEEPER),
    ] {
        ensure(&*runtime, &wanted).await;
    }
    let deployments =
        |found: Vec<Instance>| -> Vec<u64> { found.iter().map(|i| i.id.workload.deployment).collect() };
    let shop = Scope::of(&environment("shop"));
    assert_eq!(deployments(observe(&*runtime, &shop).await), [1, 2]);
    let web = Scope {
        process: ProcessName::parse("web").ok(),
        ..Scope::default()
    };
    assert_eq!(observe(&*runtime, &web).await.len(), 2);
    let second = Scope {
        deployment: Some(2),
        ..shop
    };
    assert_eq!(deployments(observe(&*runtime, &second).await), [2]);
    assert!(
        observe(&*runtime, &Scope::of(&environment("none")))
            .await
            .is_empty()
    );
}

/// What is asked of an instance that does not exist is `NotFound`; removing it is fine.
pub async fn strangers_are_not_found(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let id = InstanceId {
        workload: line("shop", "web", 1, SLEEPER).id,
        number: 1,
    };
    assert_eq!(
        runtime.restart(&id).await.err().map(|e| e.kind),
        Some(Kind::NotFound)
    );
    assert_eq!(
        runtime.diagnose(&id).await.err().map(|e| e.kind),
        Some(Kind::NotFound)
    );
    remove(&*runtime, &id.workload).await;
    assert!(
        lines(&*runtime, &id.workload.environment, LogQuery::default())
            .await
            .is_empty()
    );
}

/// ACCEPTANCE A12.
pub async fn restarted_fifty_times_it_runs(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let wanted = line("shop", "web", 1, SLEEPER);
    let first = ensure(&*runtime, &wanted).await.remove(0);
    for _ in 0..50 {
        runtime.restart(&first.id).await.unwrap_or_else(|e| panic!("{e}"));
    }
    let last = observe(&*runtime, &Scope::default()).await;
    assert_eq!(last.len(), 1);
    assert!(is_running(&last[0]), "{last:?}");
    assert_eq!(last[0].address, first.address);
    assert_eq!(last[0].restarts, 0);
}
