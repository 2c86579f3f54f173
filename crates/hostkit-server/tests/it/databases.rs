//! Dumps and restores over the API: a part is not taken for the whole.

use futures_util::StreamExt;
use hostkit_api::addon::NewAddon;
use hostkit_api::backup::Removal;
use hostkit_api::endpoints::{AddAddon, DumpDatabase, NoQuery, RestoreDatabase};
use hostkit_core::addon::{AddonKind, AddonSettings};
use hostkit_core::database::DatabaseId;
use hostkit_core::kind::Kind;
use hostkit_core::names::DatabaseLabel;
use hostkit_testkit::fakes::Faults;

use crate::house::{House, production};

fn main_one() -> DatabaseId {
    DatabaseId::new(production("shop"), DatabaseLabel::main())
}

async fn with_database() -> House {
    let house = House::with_shop().await;
    let new = NewAddon {
        kind: AddonKind::Postgres,
        outside: None,
        settings: AddonSettings::default(),
    };
    let client = house.client();
    client
        .call::<AddAddon>(&production("shop"), &NoQuery {}, &new)
        .await
        .unwrap();
    house.databases.fill(&main_one(), &vec![b'r'; 1 << 20]);
    house
}

#[tokio::test]
async fn a_dump_that_fails_half_way_is_broken_off() {
    let house = with_database().await;
    let client = house.client();
    let whole = client
        .download::<DumpDatabase>(&main_one(), &NoQuery {})
        .await
        .unwrap();
    let pieces: Vec<_> = whole.collect().await;
    let bytes: usize = pieces.into_iter().map(|piece| piece.unwrap().len()).sum();
    assert_eq!(bytes, 5 + (1 << 20));
    house
        .databases
        .faults
        .fail_next("dump_database", Faults::broken("read on"));
    let part = client
        .download::<DumpDatabase>(&main_one(), &NoQuery {})
        .await
        .unwrap();
    let pieces: Vec<_> = part.collect().await;
    let failure = pieces.into_iter().find_map(Result::err).unwrap();
    assert_eq!(failure.kind, Kind::Unavailable, "{failure}");
}

#[tokio::test]
async fn a_restore_whose_sender_goes_away_changes_nothing() {
    let house = with_database().await;
    let client = house.client();
    let breaks_off = futures_util::stream::iter([
        Ok(bytes::Bytes::from_static(b"PGDMP")),
        Err(std::io::Error::other("the disk it is read from is gone")),
    ]);
    client
        .upload::<RestoreDatabase>(&main_one(), &Removal::default(), breaks_off)
        .await
        .unwrap_err();
    assert_eq!(house.databases.data(&main_one()).unwrap().len(), 1 << 20);
    let whole = || futures_util::stream::iter([Ok(bytes::Bytes::from_static(b"PGDMPnew"))]);
    let restored = loop {
        // The first one is given up a moment later.
        let again = client
            .upload::<RestoreDatabase>(&main_one(), &Removal::default(), whole())
            .await;
        match again {
            Err(failure) if failure.kind == Kind::Conflict => tokio::task::yield_now().await,
            restored => break restored.unwrap(),
        }
    };
    assert_eq!(restored.rows, 3);
    assert_eq!(house.databases.data(&main_one()).unwrap(), b"new");
}
