//! Word of changes.

use futures_util::StreamExt;
use hostkit_host::systemd::{UnitChange, UnitChanges};

use super::*;

async fn hears_of(changes: &mut UnitChanges, name: &UnitName, others: &str) {
    soon("a change is told", async {
        loop {
            match changes.next().await {
                Some(UnitChange::Unit(told)) if told == *name => return,
                Some(UnitChange::Unit(told)) => {
                    assert!(told.as_str().starts_with(others), "`{told}` was not asked for");
                }
                Some(UnitChange::All) => {}
                None => panic!("word of changes ends never"),
            }
        }
    })
    .await;
}

/// Starts, ends and crashes are told of the units asked for.
pub async fn changes_are_told_and_only_those_asked_for(fixture: &dyn SystemdFixture) {
    let systemd = fixture.systemd();
    let (web, other) = (
        service_name(fixture, "shop.web"),
        service_name(fixture, "other.web"),
    );
    for name in [&web, &other] {
        install(&*systemd, name, &sleeper()).await;
    }
    let asked = format!("{}shop.", prefix(fixture));
    let mut changes = ok(systemd.changes(&asked).await);
    ok(systemd.start(&other).await);
    ok(systemd.start(&web).await);
    hears_of(&mut changes, &web, &asked).await;
    ok(systemd.stop(&web).await);
    hears_of(&mut changes, &web, &asked).await;
}

/// Each watcher hears everything, and one that goes away takes nothing along.
pub async fn two_watchers_both_hear(fixture: &dyn SystemdFixture) {
    let (systemd, web) = (fixture.systemd(), service_name(fixture, "web"));
    install(&*systemd, &web, &sleeper()).await;
    let asked = prefix(fixture);
    let mut one = ok(systemd.changes(&asked).await);
    let mut two = ok(fixture.systemd().changes(&asked).await);
    ok(systemd.start(&web).await);
    hears_of(&mut one, &web, &asked).await;
    hears_of(&mut two, &web, &asked).await;
    drop(one);
    ok(systemd.stop(&web).await);
    hears_of(&mut two, &web, &asked).await;
}
