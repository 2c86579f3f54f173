//! The cases as files, for the fuzz targets to begin with (`script/fuzz`).

use std::path::Path;

use super::{answers, requests};
use crate::support::to;
use hostkit_core::route::RouteTable;

#[test]
fn the_cases_are_seeds_of_the_fuzz_targets() {
    let temporary = tempfile::tempdir().unwrap();
    let asked = std::env::var_os("HOSTKIT_FUZZ_SEEDS");
    let folder = asked.as_deref().map_or(temporary.path(), Path::new);
    let requests: Vec<Vec<u8>> = requests::all().into_iter().map(|case| case.bytes).collect();
    let answers = answers::all()
        .into_iter()
        .map(|answer| answer.say()("GET", "/case").0);
    let table = RouteTable {
        version: 7,
        routes: vec![to("shop", &[([127, 0, 0, 1], 9000).into()])],
        canaries: Vec::new(),
    };
    write(folder, "plain_request", requests.clone());
    write(folder, "request_head", requests);
    write(folder, "short_answer", answers);
    write(folder, "route_table", [serde_json::to_vec(&table).unwrap()]);
    let written = std::fs::read_dir(folder.join("request_head")).unwrap().count();
    assert!(written >= 80);
}

fn write(folder: &Path, target: &str, seeds: impl IntoIterator<Item = Vec<u8>>) {
    let folder = folder.join(target);
    std::fs::create_dir_all(&folder).unwrap();
    for (at, seed) in seeds.into_iter().enumerate() {
        std::fs::write(folder.join(format!("{at:03}")), seed).unwrap();
    }
}
