//! Recovery to a point in time: what was there at a moment is there again, and nothing of what came later.

use std::path::PathBuf;

use futures_util::{StreamExt, TryStreamExt};
use hostkit_addons::postgres::archiving::{Recovery, Scratch, base_backup, switch_piece};
use hostkit_addons::postgres::cluster::{Archiving, Cluster};
use hostkit_addons::postgres::copies::{Tools, Waiting, dump, restore_beside, take_place};
use hostkit_addons::postgres::programs::Programs;
use hostkit_core::backup::history::LogPiece;
use hostkit_core::kind::Kind;
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{Addon, Dump, Log, Pieces, Services};
use hostkit_host::command::Guard;
use hostkit_host::roles::SelfProgram;
use jiff::Timestamp;
use tokio_postgres::Client;

use crate::house::{House, cluster, credential, free_port, log_in, main_of, order, production};

fn guard() -> Guard {
    Guard::new(SelfProgram::at(env!("CARGO_BIN_EXE_addons-role")))
}

pub(crate) fn tools(port: u16) -> Tools {
    Tools::new(guard(), Programs::newest().unwrap(), port)
}

async fn insert(client: &Client, text: &str) {
    let statement = "INSERT INTO notes VALUES ($1, clock_timestamp())";
    client.execute(statement, &[&text]).await.unwrap();
}

async fn notes(client: &Client) -> Vec<String> {
    let rows = client
        .query("SELECT text FROM notes ORDER BY at", &[])
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn coming(bytes: &[u8]) -> Dump {
    let pieces: Vec<_> = bytes.chunks(64 << 10).map(|piece| Ok(piece.to_vec())).collect();
    Box::pin(futures_util::stream::iter(pieces))
}

struct Past {
    house: House,
    spool: PathBuf,
}

impl Past {
    async fn recover(&self, base: &[u8], to: Timestamp) -> Result<Scratch, hostkit_core::kind::Failure> {
        let services: std::sync::Arc<dyn Services> = self.house.services.clone();
        let recovery = Recovery {
            environment: production("past"),
            to,
            port: free_port(),
            account: None,
        };
        let described = cluster(self.house.port, Archiving::Spool);
        Scratch::recover(
            &services,
            &guard(),
            &described,
            (coming(base), self.log()),
            &recovery,
        )
        .await
    }

    /// What lies in the spool.
    fn log(&self) -> Log {
        let mut pieces: Vec<_> = std::fs::read_dir(&self.spool)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter_map(|path| Some((LogPiece::parse(path.file_name()?.to_str()?).ok()?, path)))
            .collect();
        pieces.sort();
        Box::pin(futures_util::stream::iter(pieces).map(|(piece, path)| {
            let content: Pieces = Box::pin(futures_util::stream::iter([std::fs::read(path)]));
            Ok((piece, content))
        }))
    }

    /// The scratch clusters that are there.
    async fn scratches(&self, of: &EnvironmentId) -> usize {
        self.house.services.list(Some(of)).await.unwrap().len()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_one_second_later_is_absent_and_the_one_before_is_there() {
    let house = House::start(&std::env::temp_dir()).await;
    house.addon.ensure(&order("past", &[1])).await.unwrap();
    cluster(house.port, Archiving::Spool)
        .ensure(&*house.services)
        .await
        .unwrap();
    let (access, name) = (house.access(), main_of("past"));
    let log_in = async |port| log_in(port, name.as_str(), &name.login(1), &credential(1).secret).await;
    let client = log_in(house.port).await.unwrap();
    client
        .batch_execute(
            "CREATE TABLE notes (text text, at timestamptz); INSERT INTO notes VALUES ('first', now())",
        )
        .await
        .unwrap();
    let too_early = Timestamp::now();
    let base = base_backup(&access, &tools(house.port)).await.unwrap();
    let base = base.try_collect::<Vec<_>>().await.unwrap().concat();
    let second = std::time::Duration::from_secs(1);
    tokio::time::sleep(second).await;
    insert(&client, "before").await;
    let moment = Timestamp::now();
    tokio::time::sleep(second).await;
    insert(&client, "one second later").await;
    let piece = switch_piece(&access).await.unwrap();
    let spool = Cluster::spool(&*house.services);
    assert!(spool.join(&piece).is_file());
    insert(&client, "much later").await;
    let left = "SELECT FROM pg_roles WHERE rolname LIKE 'hostkit_copiers.%'";
    let session = access.connect("hostkit").await.unwrap();
    assert!(session.rows("look", left, &[]).await.unwrap().is_empty());

    let past = Past { house, spool };
    for (to, why) in [
        (too_early, "the base backup was made after it"),
        (Timestamp::now(), "ends before it"),
    ] {
        let Err(refused) = past.recover(&base, to).await else {
            panic!("recovered to {to}");
        };
        assert_eq!(refused.kind, Kind::NotFound, "{refused:?}");
        assert!(refused.message.contains(why), "{refused:?}");
        assert_eq!(past.scratches(&production("past")).await, 0);
    }
    for bad in [
        &b""[..],
        b"PGDMP",
        &[0; 4096],
        &[0xff; 65536],
        &base[..base.len() / 2],
    ] {
        assert!(past.recover(bad, moment).await.is_err());
        assert_eq!(past.scratches(&production("past")).await, 0);
    }
    let scratch = past.recover(&base, moment).await.unwrap();
    let copied = dump(
        &scratch.access(),
        &tools(scratch.access().port),
        (&name, name.as_str()),
        0,
    )
    .await
    .unwrap();
    let (house, waiting) = (&past.house, Waiting::beside(&name, &name));
    restore_beside(
        &access,
        &tools(house.port),
        &waiting,
        house.addon.limits(),
        copied,
    )
    .await
    .unwrap();
    scratch.remove().await.unwrap();
    assert_eq!(past.scratches(&production("past")).await, 0);
    assert_eq!(
        notes(&client).await,
        ["first", "before", "one second later", "much later"]
    );
    take_place(&access, house.addon.pooler(), &waiting).await.unwrap();
    let client = log_in(house.port).await.unwrap();
    assert_eq!(notes(&client).await, ["first", "before"]);
    insert(&client, "it goes on").await;
}
