//! A database that somebody else keeps: one of the server that tests share stands for it, at the end of a road.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use hostkit_addons::outside::Outside;
use hostkit_addons::postgres::Described;
use hostkit_addons::postgres::addon::Postgres;
use hostkit_addons::postgres::outside::OutsidePostgres;
use hostkit_core::kind::Failure;
use hostkit_core::reach::Reach;
use hostkit_core::traits::Addon;
use hostkit_host::command::Guard;
use hostkit_host::roles::SelfProgram;
use hostkit_testkit::conformance::outside::OutsideFixture;
use hostkit_testkit::fakes::FakeClock;
use hostkit_testkit::outside_tests;
use hostkit_testkit::road::{Road, Stranger};

use crate::house::{House, credential, log_in, main_of, order};

/// HostKit's own server, where copies would be tried.
struct Own(&'static House);

#[async_trait]
impl Described for Own {
    fn postgres(&self) -> Result<&Postgres, Failure> {
        Ok(&self.0.addon)
    }

    async fn filing(&self, _: bool) -> Result<Option<&Postgres>, Failure> {
        Ok(Some(&self.0.addon))
    }
}

/// A database with a table in it, and its keeper.
struct Theirs {
    house: &'static House,
    project: String,
    road: Road,
    clock: FakeClock,
}

impl Theirs {
    async fn start() -> Self {
        static GIVEN: AtomicU32 = AtomicU32::new(0);
        let project = format!("theirs{}", GIVEN.fetch_add(1, Ordering::Relaxed));
        let house = House::shared().await;
        house.addon.ensure(&order(&project, &[1])).await.unwrap();
        let theirs = Theirs {
            road: Road::to(house.port).await,
            house,
            project,
            clock: FakeClock::default(),
        };
        let table = "CREATE TABLE kept AS SELECT 1 AS n";
        theirs.client().await.batch_execute(table).await.unwrap();
        theirs
    }

    /// As its owner gets in.
    async fn client(&self) -> tokio_postgres::Client {
        let main = main_of(&self.project);
        let login = main.login(1);
        log_in(self.house.port, main.as_str(), &login, &credential(1).secret)
            .await
            .unwrap()
    }
}

#[async_trait]
impl OutsideFixture for Theirs {
    fn addon(&self, reach: Reach) -> Box<dyn Addon> {
        let guard = Guard::new(SelfProgram::at(env!("CARGO_BIN_EXE_addons-role")));
        let (of, clock) = (
            OutsidePostgres::new(Arc::new(Own(self.house)), guard, reach),
            self.clock.clone(),
        );
        Box::new(Outside::by_clock(of, move || clock.instant()))
    }

    fn address(&self) -> String {
        let main = main_of(&self.project);
        let (login, password, place) = (main.login(1), self.password(), self.place());
        format!("postgresql://{login}:{password}@{place}/{main}?sslmode=disable")
    }

    fn place(&self) -> String {
        format!("127.0.0.1:{}", self.road.port)
    }

    fn password(&self) -> String {
        credential(1).secret.reveal().to_owned()
    }

    fn told(&self) -> BTreeMap<String, String> {
        let names = ["DATABASE_URL", "DIRECT_URL", "POSTGRES_PRISMA_URL"];
        names.map(|name| (name.to_owned(), self.address())).into()
    }

    async fn kept(&self) -> String {
        let question = "SELECT (SELECT string_agg(nspname || '.' || relname, ' ' ORDER BY c.oid) FROM pg_class c
                JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND c.oid >= 16384),
            (SELECT string_agg(rolname || ' ' || rolcanlogin, ' ' ORDER BY oid) FROM pg_roles WHERE rolname LIKE $1),
            (SELECT sum(n) FROM kept)";
        let like = format!("{}%", main_of(&self.project));
        let row = self.client().await.query_one(question, &[&like]).await.unwrap();
        let (tables, logins, sum): (String, String, i64) = (row.get(0), row.get(1), row.get(2));
        format!("{tables} {logins} {sum}")
    }

    fn asked(&self) -> usize {
        self.road.taken()
    }

    fn be_there(&self, is_there: bool) {
        self.road.set_open(is_there);
    }

    async fn strangers(&self) -> Vec<String> {
        Stranger::all_places().await
    }

    fn clock(&self) -> &FakeClock {
        &self.clock
    }
}

outside_tests!([cfg(test)], Theirs::start().await);
