//! How often something elsewhere is asked, counted there, by a clock that is set by hand.

use std::cell::Cell;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hostkit_core::addon::{AddonSettings, Credential};
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::project::EnvironmentId;

use super::*;

/// The pace of the loop that keeps add-ons.
const ROUND: Duration = Duration::from_secs(15);

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

fn now() -> Instant {
    *BEGIN + PASSED.get()
}

/// Counts what it is asked.
#[derive(Default)]
struct Counting {
    asked: AtomicUsize,
    is_down: AtomicBool,
}

#[async_trait]
impl Elsewhere for Counting {
    fn kind(&self) -> AddonKind {
        AddonKind::Redis
    }

    async fn look(&self, _: &AddonOrder) -> Result<Found, Failure> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.is_down.load(Ordering::Relaxed) {
            true => Err(Failure::new(Kind::Unavailable, "cannot ask it: it is away")),
            false => Ok(Found::default()),
        }
    }

    fn variable_names(&self) -> Vec<VariableName> {
        Vec::new()
    }

    fn variables(&self, _: &AddonOrder) -> Variables {
        Variables::new()
    }

    fn passwords(&self, _: &AddonOrder) -> Vec<Secret> {
        vec![Secret::new(""), Secret::new("hidden")]
    }
}

fn order(address: &str) -> AddonOrder {
    let production = EnvironmentName::parse("production").unwrap();
    let environment = EnvironmentId::new(ProjectName::parse("shop").unwrap(), production);
    AddonOrder {
        id: AddonId::new(environment, AddonKind::Redis),
        credentials: vec![Credential {
            number: 1,
            secret: Secret::new(address),
        }],
        operator: Secret::new("operator"),
        port: None,
        settings: AddonSettings {
            outside: true,
            ..AddonSettings::default()
        },
        made: false,
    }
}

/// What the loop does for so long: those that are not settled are ensured. How often the other side was asked.
async fn kept_for(addon: &Outside<Counting>, order: &AddonOrder, long: Duration) -> usize {
    let before = addon.of.asked.load(Ordering::Relaxed);
    let end = PASSED.get() + long;
    while PASSED.get() < end {
        if addon.settled(&[order]).await.unwrap().is_empty() {
            let _ = addon.ensure(order).await;
        }
        PASSED.set(PASSED.get() + ROUND);
    }
    addon.of.asked.load(Ordering::Relaxed) - before
}

#[tokio::test]
async fn one_that_is_good_is_asked_every_few_minutes_and_one_that_is_not_at_each_round() {
    let addon = Outside::by_clock(Counting::default(), now);
    let order = order("there");
    assert!(
        addon.settled(&[&order]).await.unwrap().is_empty(),
        "never looked at"
    );
    let day = Duration::from_secs(24 * 3600);
    assert_eq!(kept_for(&addon, &order, day).await, 288);
    addon.of.is_down.store(true, Ordering::Relaxed);
    // What was good is taken for good to its end, unless somebody looks.
    let state = addon.observe(&order).await.unwrap();
    assert_eq!(
        state.health,
        AddonHealth::Down("cannot ask it: it is away".into())
    );
    assert_eq!(kept_for(&addon, &order, ROUND * 20).await, 20);
    addon.of.is_down.store(false, Ordering::Relaxed);
    assert_eq!(kept_for(&addon, &order, ROUND * 20).await, 1);
}

#[tokio::test]
async fn another_address_was_never_good_and_what_is_forgotten_is_not() {
    let addon = Outside::by_clock(Counting::default(), now);
    let (one, two) = (order("one"), order("two"));
    addon.ensure(&one).await.unwrap();
    let made = AddonOrder {
        made: true,
        ..one.clone()
    };
    assert!(!addon.settled(&[&made]).await.unwrap().is_empty());
    assert!(addon.settled(&[&two]).await.unwrap().is_empty());
    addon.remove(&one.id).await.unwrap();
    assert!(addon.settled(&[&one]).await.unwrap().is_empty());
    assert_eq!(
        addon.passwords(&one),
        [Secret::new("hidden")],
        "nothing is hidden everywhere"
    );
}
