//! What every add-on promises, and what one look at all databases tells.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use hostkit_core::addon::{AddonOrder, Credential};
use hostkit_core::traits::Addon;
use hostkit_testkit::addon_tests;
use hostkit_testkit::conformance::addon::AddonFixture;

use crate::house::{House, log_in, main_of, order};

/// A view of the server that tests share.
struct Shared(&'static House);

impl Shared {
    async fn new() -> Self {
        Shared(House::shared().await)
    }
}

#[async_trait]
impl AddonFixture for Shared {
    fn addon(&self) -> &dyn Addon {
        &self.0.addon
    }

    fn order(&self) -> AddonOrder {
        static GIVEN: AtomicU32 = AtomicU32::new(0);
        let number = GIVEN.fetch_add(1, Ordering::Relaxed);
        order(&format!("suite{number}"), &[1])
    }

    async fn lets_in(&self, order: &AddonOrder, credential: &Credential) -> bool {
        let main = main_of(order.id.environment.project.as_str());
        let login = main.login(credential.number);
        let connected = log_in(self.0.pooled, main.as_str(), &login, &credential.secret).await;
        match connected {
            Ok(client) => client.simple_query("SELECT 1").await.is_ok(),
            Err(_) => false,
        }
    }
}

addon_tests!([cfg(test)], Shared::new().await);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_at_all_sees_what_was_changed_of_one() {
    let house = Shared::new().await;
    let (still, changed) = (house.order(), house.order());
    let look = async || {
        let settled = house.addon().settled(&[&still, &changed]).await.unwrap();
        (settled.contains(&still.id), settled.contains(&changed.id))
    };
    let access = house.0.access();
    let session = access.connect(&access.home).await.unwrap();
    let main = main_of(changed.id.environment.project.as_str());
    let login = main.login(1);
    for (change, undone) in [
        (format!("ALTER DATABASE {main} CONNECTION LIMIT 3"), None),
        (format!("GRANT CONNECT ON DATABASE {main} TO PUBLIC"), None),
        (
            format!("ALTER DATABASE {main} WITH ALLOW_CONNECTIONS false"),
            None,
        ),
        (format!("ALTER ROLE \"{login}\" PASSWORD 'another'"), None),
        (format!("ALTER ROLE \"{login}\" CREATEDB"), None),
        (format!("ALTER ROLE \"{login}\" SET statement_timeout = 0"), None),
        (
            format!("ALTER ROLE \"{login}\" RENAME TO elsewhere"),
            Some("DROP OWNED BY elsewhere; DROP ROLE elsewhere"),
        ),
        (format!("CREATE ROLE \"{main}.7\" LOGIN IN ROLE {main}"), None),
    ] {
        for order in [&still, &changed] {
            house.addon().ensure(order).await.unwrap();
        }
        assert_eq!(look().await, (true, true), "before: {change}");
        session.run("change something", &change).await.unwrap();
        assert_eq!(look().await, (true, false), "{change}");
        if let Some(undone) = undone {
            session.run("undo it", undone).await.unwrap();
        }
    }
    house.addon().ensure(&changed).await.unwrap();
    assert_eq!(look().await, (true, true));
    assert!(house.lets_in(&changed, &changed.credentials[0]).await);
}
