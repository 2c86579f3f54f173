//! The suite of histories, on a real server: one of its own for each test.

use std::collections::BTreeMap;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use hostkit_addons::postgres::archiving::PostgresHistory;
use hostkit_addons::postgres::local::{LocalPostgres, Seat};
use hostkit_core::layout::Layout;
use hostkit_core::secret::Secret;
use hostkit_core::services::ServiceRole;
use hostkit_core::traits::{Addon, History, Services};
use hostkit_host::command::Guard;
use hostkit_host::roles::SelfProgram;
use hostkit_runtimes::services::ProcessServices;
use hostkit_testkit::conformance::history::HistoryFixture;
use hostkit_testkit::history_tests;
use jiff::Timestamp;
use tokio_postgres::Client;

use crate::house::{credential, free_port, log_in, main_of, order, production, swept_folder};

struct Kept {
    services: Arc<dyn Services>,
    history: Arc<PostgresHistory>,
    client: Client,
    _sweeper: Child,
}

impl Kept {
    async fn start() -> Self {
        let (folder, sweeper) = swept_folder(&std::env::temp_dir());
        let own = SelfProgram::at(env!("CARGO_BIN_EXE_addons-role"));
        let guard = Guard::new(own.clone());
        let services: Arc<dyn Services> = Arc::new(ProcessServices::new(Layout::new(folder), own));
        let seats = [ServiceRole::Postgres, ServiceRole::PgBouncer].map(|role| {
            let seat = Seat {
                port: free_port(),
                operator: Secret::new("the operator's own"),
            };
            (role, seat)
        });
        let seats: BTreeMap<ServiceRole, Seat> = seats.into();
        let direct = seats[&ServiceRole::Postgres].port;
        let filing = Arc::default();
        let postgres = LocalPostgres::new(
            services.clone(),
            Arc::new(move |role| Ok(seats[&role].clone())),
            guard.clone(),
            Arc::clone(&filing),
        );
        postgres.ensure(&order("past", &[1])).await.unwrap();
        let name = main_of("past");
        let client = log_in(direct, name.as_str(), &name.login(1), &credential(1).secret)
            .await
            .unwrap();
        client
            .batch_execute("CREATE TABLE words (word text)")
            .await
            .unwrap();
        Kept {
            history: Arc::new(PostgresHistory::new(
                Arc::new(postgres),
                services.clone(),
                guard,
                filing,
            )),
            services,
            client,
            _sweeper: sweeper,
        }
    }
}

#[async_trait::async_trait]
impl HistoryFixture for Kept {
    fn history(&self) -> Arc<dyn History> {
        self.history.clone()
    }

    async fn write(&self, word: &str) {
        let statement = "INSERT INTO words VALUES ($1)";
        self.client.execute(statement, &[&word]).await.unwrap();
    }

    async fn moment(&self) -> Timestamp {
        // To the second is how exactly a server says when a copy began.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let now = Timestamp::now();
        tokio::time::sleep(Duration::from_millis(100)).await;
        now
    }

    async fn pasts(&self) -> usize {
        self.services.list(Some(&production("past"))).await.unwrap().len()
    }
}

history_tests!([cfg(test)], Kept::start().await);
