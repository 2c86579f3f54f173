//! Control is killed in the middle of every act on a canary. Each is finished or undone then, and nobody notices.

use std::collections::BTreeSet;

use crate::harness::load::Load;
use crate::harness::{Installation, projects, wait_until};
use crate::no_downtime::assert_nothing_lost;

/// Around the commit point, and at the end.
const MOMENTS: [&str; 4] = ["before:switch", "after:switch", "before:retire", "after:confirm"];

/// What the environment stands for: its live release, and the canary with its percent.
type Standing = (String, Option<(String, u64)>);

fn standing(host: &Installation) -> Standing {
    let releases = host.run(&["releases", "--project", "shop", "--json"]).ok().json();
    let all = releases.as_array().unwrap();
    let name = |release: &serde_json::Value| release["name"].as_str().unwrap().to_owned();
    let live = all.iter().find(|release| release["live"] == true).unwrap();
    let canary = all
        .iter()
        .find_map(|release| Some((name(release), release["canary"].as_u64()?)));
    (name(live), canary)
}

/// What the environment stands for once all is done, which is what runs and what visitors get.
#[track_caller]
fn settled(host: &Installation) -> Standing {
    wait_until("every deployment is final", || {
        let list = host
            .run(&["deployments", "--project", "shop", "--json"])
            .ok()
            .json();
        list.as_array().unwrap().iter().all(|d| {
            let state = d["state"].as_str().unwrap();
            state != "running" && state != "queued"
        })
    });
    let (live, canary) = standing(host);
    let wanted: BTreeSet<String> = canary
        .iter()
        .map(|(name, _)| name.clone())
        .chain([live.clone()])
        .collect();
    wait_until("an instance of each release, and no other", || {
        let instances = host.run(&["ps", "--project", "shop", "--json"]).ok().json();
        let instances = instances.as_array().unwrap();
        let run: BTreeSet<String> = instances
            .iter()
            .map(|instance| instance["release"].as_str().unwrap().to_owned())
            .collect();
        run == wanted && instances.len() == wanted.len()
    });
    wait_until("visitors get each release, and no other", || {
        let got: BTreeSet<String> = (0..100)
            .map(|_| {
                let answer = host.get("shop", "/");
                assert_eq!(answer.status, 200, "{answer:?}");
                answer.header("x-hostkit-release").unwrap().to_owned()
            })
            .collect();
        got == wanted
    });
    (live, canary)
}

/// Runs a command in which control is killed, and says what is stood for before and after.
#[track_caller]
fn killed_in(host: &Installation, moment: &str, act: &[&str]) -> [Standing; 2] {
    let before = settled(host);
    let control = host.pid("control");
    host.plant(&format!("kill:{moment}"));
    host.run(act);
    host.wait_for_control();
    assert_ne!(host.pid("control"), control, "not killed {moment} in {act:?}");
    [before, settled(host)]
}

#[test]
fn control_killed_in_any_act_on_a_canary_finishes_or_undoes_it_and_no_request_is_lost() {
    let host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "0"))
        .ok();
    let load = Load::start(host.http, "shop.localhost", "/", 100);
    let source = host.sources().join("shop");
    let source = source.to_str().unwrap();
    let bring = ["deploy", source, "--project", "shop", "--canary", "50"];
    let more = ["promote", "shop", "--percent", "80"];
    let rollback = ["rollback", "--project", "shop"];
    for (number, moment) in MOMENTS.into_iter().enumerate() {
        projects::node(&host.sources(), "shop", &format!("{}", number + 1));
        let [before, after] = killed_in(&host, moment, &bring);
        assert_eq!((before.1, &after.0), (None, &before.0), "{moment}");
        let percent = after.1.map(|(_, percent)| percent);
        assert!(matches!(percent, None | Some(50)), "{moment}: {percent:?}");
        if percent.is_none() {
            host.run(&bring).ok();
        }

        let [before, after] = killed_in(&host, moment, &more);
        let (name, _) = before.1.clone().unwrap();
        let enlarged = (before.0.clone(), Some((name.clone(), 80)));
        assert!(after == before || after == enlarged, "{moment}: {after:?}");

        let [before, after] = killed_in(&host, moment, &rollback);
        let ended = (before.0.clone(), None);
        assert!(after == before || after == ended, "{moment}: {after:?}");
        if after.1.is_none() {
            host.run(&bring).ok();
        }

        let [before, after] = killed_in(&host, moment, &["promote", "shop"]);
        let (name, _) = before.1.clone().unwrap();
        assert!(after == before || after == (name, None), "{moment}: {after:?}");
        if after.1.is_some() {
            host.run(&["promote", "shop"]).ok();
        }
    }
    assert_nothing_lost(&load.finish());
}
