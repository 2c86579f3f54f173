//! The suite of an [`Addon`] that uses what somebody else keeps.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use hostkit_core::addon::{AddonHealth, AddonId, AddonOrder, AddonSettings, Credential};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::EnvironmentName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::reach::Reach;
use hostkit_core::secret::Secret;
use hostkit_core::traits::Addon;

use crate::fakes::FakeClock;

/// What the tests bring: an other side that keeps something and works.
#[async_trait]
pub trait OutsideFixture: Send + Sync {
    /// Uses such things, going as far as `reach`, by the time of the fixture. It has looked at none so far.
    fn addon(&self, reach: Reach) -> Box<dyn Addon>;

    /// The address of the other side, as its keeper gives it: [`OutsideFixture::place`] and
    /// [`OutsideFixture::password`] stand in it as they are.
    fn address(&self) -> String;

    /// The part of the address that says where it is: `HOST:PORT`, or a host alone.
    fn place(&self) -> String;

    /// What gets in there. Read backwards it is another one that could be right.
    fn password(&self) -> String;

    /// What programs are told by that address.
    fn told(&self) -> BTreeMap<String, String>;

    /// All that is there, as its keeper finds it.
    async fn kept(&self) -> String;

    /// How often it was asked for something.
    fn asked(&self) -> usize;

    /// Goes away, or comes back as it was.
    fn be_there(&self, is_there: bool);

    /// Places where nobody listens.
    fn deserted(&self) -> Vec<String> {
        vec!["127.0.0.1:1".to_owned()]
    }

    /// Places where something else listens.
    async fn strangers(&self) -> Vec<String>;

    /// Places that are this machine.
    fn own_places(&self) -> Vec<String> {
        let place = self.place();
        let port = place.rsplit_once(':').map_or("1", |(_, port)| port);
        let hosts = ["127.0.0.1", "localhost", "[::1]", "169.254.169.254"];
        hosts.iter().map(|host| format!("{host}:{port}")).collect()
    }

    /// The time of the fixture.
    fn clock(&self) -> &FakeClock;
}

/// Tests of what uses things elsewhere.
#[macro_export]
macro_rules! outside_tests {
    ($attribute:tt, $fixture:expr) => {
        $crate::suite_tests!($attribute, $fixture, outside:
            what_works_is_ready_and_programs_are_told_what_was_given, nothing_is_made_there_and_nothing_taken_away,
            one_that_was_good_is_asked_again_after_a_pause, a_wrong_password_is_refused_and_not_said,
            where_nobody_or_somebody_else_listens_that_is_said, this_machine_is_not_asked_from_a_server,
            it_comes_back_when_the_other_side_does, another_address_was_never_good);
    };
}

const WORKS: &str = "nothing stands in its way";
/// One that was good is not asked so soon again,
const SOON: Duration = Duration::from_mins(4);
/// and is so long after that.
const LATER: Duration = Duration::from_mins(2);

fn order(addon: &dyn Addon, address: &str) -> AddonOrder {
    let project = "suite".parse().expect("the name is right");
    AddonOrder {
        id: AddonId::new(
            EnvironmentId::new(project, EnvironmentName::production()),
            addon.kind(),
        ),
        credentials: vec![Credential {
            number: 1,
            secret: Secret::new(address),
        }],
        operator: Secret::new("the operator's own"),
        port: None,
        settings: AddonSettings {
            outside: true,
            ..AddonSettings::default()
        },
        made: false,
    }
}

/// A driver, and an order by the right address.
fn begin(fixture: &dyn OutsideFixture) -> (Box<dyn Addon>, AddonOrder) {
    let addon = fixture.addon(Reach::All);
    let order = order(&*addon, &fixture.address());
    (addon, order)
}

async fn is_settled(addon: &dyn Addon, order: &AddonOrder) -> bool {
    addon.settled(&[order]).await.expect("a look").contains(&order.id)
}

async fn health(addon: &dyn Addon, order: &AddonOrder) -> AddonHealth {
    addon.observe(order).await.expect("a look").health
}

/// Of `HOST:PORT` the host.
fn host(place: &str) -> &str {
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    host.trim_matches(['[', ']'])
}

/// A failure that names the place, and none of the passwords.
#[track_caller]
fn assert_explains(failure: &Failure, place: &str, passwords: &[&str]) {
    assert!(failure.message.contains(host(place)), "{place}: {failure:?}");
    let all = format!("{failure:?} {failure}");
    for password in passwords {
        assert!(!all.contains(password), "{place}: {all}");
    }
}

/// Exactly what was given, under names that were announced; it listens nowhere here.
pub async fn what_works_is_ready_and_programs_are_told_what_was_given(fixture: &dyn OutsideFixture) {
    let (addon, order) = begin(fixture);
    assert!(addon.is_outside() && !addon.needs_port());
    assert!(!is_settled(&*addon, &order).await, "nobody looked so far");
    for _ in 0..2 {
        addon.ensure(&order).await.expect(WORKS);
        assert_eq!(health(&*addon, &order).await, AddonHealth::Ready);
    }
    let variables = addon.variables(&order);
    let told: BTreeMap<String, String> = variables
        .iter()
        .map(|(name, value)| (name.to_string(), value.reveal().to_owned()))
        .collect();
    assert_eq!(told, fixture.told());
    let announced = addon.variable_names();
    assert!(variables.keys().all(|name| announced.contains(name)));
    assert!(addon.passwords(&order).contains(&Secret::new(fixture.password())));
    assert!(addon.ports(&order).is_empty());
}

/// By no call, and not by calling again; what was forgotten can be used anew.
pub async fn nothing_is_made_there_and_nothing_taken_away(fixture: &dyn OutsideFixture) {
    let before = fixture.kept().await;
    let (addon, order) = begin(fixture);
    addon.remove(&order.id).await.expect("nothing to forget");
    addon.ensure(&order).await.expect(WORKS);
    addon.observe(&order).await.expect(WORKS);
    assert_eq!(fixture.kept().await, before);
    for _ in 0..2 {
        addon.remove(&order.id).await.expect(WORKS);
        assert!(!is_settled(&*addon, &order).await);
    }
    assert_eq!(fixture.kept().await, before);
    addon.ensure(&order).await.expect(WORKS);
    assert_eq!(health(&*addon, &order).await, AddonHealth::Ready);
}

/// Whoever keeps it may count what is asked.
pub async fn one_that_was_good_is_asked_again_after_a_pause(fixture: &dyn OutsideFixture) {
    let (addon, order) = begin(fixture);
    addon.ensure(&order).await.expect(WORKS);
    let asked = fixture.asked();
    assert!(asked > 0);
    fixture.clock().advance(SOON);
    assert!(is_settled(&*addon, &order).await);
    assert_eq!(fixture.asked(), asked, "it is taken for good");
    fixture.clock().advance(LATER);
    assert!(!is_settled(&*addon, &order).await);
    assert_eq!(fixture.asked(), asked, "it is `ensure` that asks");
    addon.ensure(&order).await.expect(WORKS);
    assert!(fixture.asked() > asked);
    assert!(is_settled(&*addon, &order).await);
}

/// Neither the wrong one nor the right one is told to anybody.
pub async fn a_wrong_password_is_refused_and_not_said(fixture: &dyn OutsideFixture) {
    let (addon, right) = begin(fixture);
    let password = fixture.password();
    let wrong: String = password.chars().rev().collect();
    let order = order(&*addon, &fixture.address().replace(&password, &wrong));
    let failure = addon.ensure(&order).await.expect_err("it is wrong");
    assert_eq!(failure.kind, Kind::Denied, "{failure:?}");
    assert_explains(&failure, &fixture.place(), &[&password, &wrong]);
    assert!(!is_settled(&*addon, &order).await);
    assert_eq!(health(&*addon, &order).await, AddonHealth::Down(failure.message));
    addon.ensure(&right).await.expect(WORKS);
}

/// Whatever they answer, and if it is what they are told.
pub async fn where_nobody_or_somebody_else_listens_that_is_said(fixture: &dyn OutsideFixture) {
    let (addon, _) = begin(fixture);
    let (addon, password) = (&*addon, fixture.password());
    let try_at = async |place: String| {
        let order = order(addon, &fixture.address().replace(&fixture.place(), &place));
        let failure = addon.ensure(&order).await.expect_err(&place);
        assert_explains(&failure, &place, &[&password]);
        failure
    };
    for place in fixture.deserted() {
        let failure = try_at(place).await;
        assert_eq!(failure.kind, Kind::Unavailable, "{failure:?}");
    }
    join_all(fixture.strangers().await.into_iter().map(try_at)).await;
}

/// Control has more rights there than who names the address.
pub async fn this_machine_is_not_asked_from_a_server(fixture: &dyn OutsideFixture) {
    let addon = fixture.addon(Reach::OtherMachines);
    let asked = fixture.asked();
    for place in fixture.own_places() {
        let order = order(&*addon, &fixture.address().replace(&fixture.place(), &place));
        let failure = addon.ensure(&order).await.expect_err(&place);
        assert_eq!(failure.kind, Kind::Denied, "{failure:?}");
        assert_explains(&failure, &place, &[&fixture.password()]);
        assert!(failure.message.contains("cannot connect to"), "{failure:?}");
    }
    assert_eq!(fixture.asked(), asked);
}

/// Nobody has to do anything here.
pub async fn it_comes_back_when_the_other_side_does(fixture: &dyn OutsideFixture) {
    let (addon, order) = begin(fixture);
    let before = fixture.kept().await;
    addon.ensure(&order).await.expect(WORKS);
    fixture.be_there(false);
    let AddonHealth::Down(why) = health(&*addon, &order).await else {
        panic!("it is away");
    };
    assert!(why.contains(host(&fixture.place())), "{why}");
    assert!(!is_settled(&*addon, &order).await, "somebody looked");
    let failure = addon.ensure(&order).await.expect_err("it is away");
    assert_eq!(failure.kind, Kind::Unavailable, "{failure:?}");
    assert_explains(&failure, &fixture.place(), &[&fixture.password()]);
    // What programs are told does not hang on whether it is there.
    assert_eq!(addon.variables(&order).len(), fixture.told().len());
    fixture.be_there(true);
    addon.ensure(&order).await.expect(WORKS);
    assert_eq!(health(&*addon, &order).await, AddonHealth::Ready);
    assert!(is_settled(&*addon, &order).await);
    assert_eq!(fixture.kept().await, before);
}

/// Nor was the one before once there is another.
pub async fn another_address_was_never_good(fixture: &dyn OutsideFixture) {
    let (addon, right) = begin(fixture);
    addon.ensure(&right).await.expect(WORKS);
    let password = fixture.password();
    let mut both = right.clone();
    both.credentials.insert(
        0,
        Credential {
            number: 2,
            secret: Secret::new(
                fixture
                    .address()
                    .replace(&password, &password.chars().rev().collect::<String>()),
            ),
        },
    );
    assert!(!is_settled(&*addon, &both).await);
    addon
        .ensure(&both)
        .await
        .expect_err("its newest address is wrong");
    assert!(!is_settled(&*addon, &right).await);
    let passwords = addon.passwords(&right);
    assert!(passwords.iter().all(|password| !password.reveal().is_empty()));
}
