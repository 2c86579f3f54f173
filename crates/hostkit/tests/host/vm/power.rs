//! Power cuts that lose what was not synced, in the middle of everything. After the boot all is as it was before the cut
//! or as it would have been after, and nothing is half-made.

use std::time::{Duration, Instant};

use hostkit_testkit::machine::{Machine, Memory, World, wait_until};

use super::write_program;
use crate::apps::{body, deploy};
use crate::installed::{said, set_up, until_healthy};

/// How long anything may take before its moment comes.
const LONGEST: Duration = Duration::from_secs(600);

/// Starts something on the machine and cuts its power as soon as `is_the_moment`, or after it has ended.
fn cut_during(machine: &mut Machine, line: &[&str], mut is_the_moment: impl FnMut(&Machine) -> bool) {
    let said = tempfile::NamedTempFile::new().unwrap();
    let mut running = machine
        .command(line)
        .stdout(said.reopen().unwrap())
        .stderr(said.reopen().unwrap())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let so_far = || std::fs::read_to_string(said.path()).unwrap();
    while !is_the_moment(machine) {
        assert!(
            started.elapsed() < LONGEST,
            "the moment did not come: {}",
            so_far()
        );
        if let Some(ended) = running.try_wait().unwrap() {
            assert!(ended.success(), "{}", so_far());
            break;
        }
    }
    machine.power_cut();
    running.wait().unwrap();
    machine.power_on();
    until_healthy(machine);
}

/// Nothing of a project, or all of it.
fn is_whole_or_gone(machine: &Machine, name: &str) {
    wait_until("nothing is half-made", || {
        let is_known = machine.exec(&["hostkit", "project", "show", name]).code == 0;
        let parts = [
            machine.exec(&["getent", "passwd", name]),
            machine.exec(&["test", "-d", &format!("/home/{name}/releases")]),
            machine.exec(&["test", "-e", &format!("/etc/sudoers.d/hostkit-{name}")]),
            machine.exec(&["test", "-d", &format!("/var/log/projects/{name}")]),
        ];
        parts.iter().all(|part| (part.code == 0) == is_known)
    });
}

/// The shop answers with one of these words, with the release that its link names, and nothing else of it runs.
fn is_one_of(machine: &Machine, words: &[&str]) -> String {
    wait_until("the shop answers", || {
        words.contains(&body(machine, "shop").as_str())
    });
    // A deployment that was cut goes on, or is undone, after the boot: what answers may change until then.
    wait_until("no deployment is under way", || {
        let deployments = said(machine, &["hostkit", "deployments", "-p", "shop", "--json"]);
        !["running", "queued"]
            .iter()
            .any(|state| deployments.contains(&format!(r#""state":"{state}""#)))
    });
    let word = body(machine, "shop");
    let link = said(machine, &["readlink", "/home/shop/app"]);
    let program = machine.read(&format!("/home/shop/{link}/server.js"));
    assert!(program.contains(&word), "{link} is not what answers: {program}");
    let pattern = "hostkit-shop.production.*";
    wait_until("one instance runs", || {
        let units = [
            "systemctl",
            "list-units",
            "--plain",
            "--no-legend",
            "--state=active",
            pattern,
        ];
        said(machine, &units).lines().count() == 1
    });
    wait_until("nothing is left of a deployment", || {
        said(machine, &["ls", "-A", "/home/shop/build"]).is_empty()
    });
    word
}

fn server() -> (World, Machine, tempfile::TempDir) {
    let world = World::new();
    let machine = Machine::boot_virtual(&world, Memory { mib: 1024 });
    let folder = set_up(&machine, "");
    // What is not HostKit's to keep: the package, the settings that the test wrote.
    machine.exec(&["sync"]).ok();
    machine.exec(&["hostkit", "project", "create", "shop"]).ok();
    write_program(&machine, "shop", "shop 1");
    deploy(&machine, "shop").ok();
    assert_eq!(body(&machine, "shop"), "shop 1");
    (world, machine, folder)
}

const DEPLOY: [&str; 5] = ["hostkit", "deploy", "/root/apps/shop", "--project", "shop"];

#[test]
#[ignore = "lane vm: boots a virtual machine"]
fn a_cut_at_rest_during_a_switch_and_while_a_project_is_made_leaves_nothing_half_made() {
    let (_world, mut machine, _folder) = server();
    // At rest, at once after the command said that all is done.
    machine.power_cut();
    machine.power_on();
    until_healthy(&machine);
    is_one_of(&machine, &["shop 1"]);

    write_program(&machine, "shop", "shop 2");
    machine.exec(&["sync"]).ok();
    let before = said(&machine, &["readlink", "/home/shop/app"]);
    cut_during(&mut machine, &DEPLOY, |machine| {
        said(machine, &["readlink", "/home/shop/app"]) != before
    });
    let word = is_one_of(&machine, &["shop 1", "shop 2"]);
    eprintln!("cut at the switch: {word}");
    is_whole_or_gone(&machine, "shop");

    cut_during(
        &mut machine,
        &["hostkit", "project", "create", "blog"],
        |machine| machine.exec(&["getent", "passwd", "blog"]).code == 0,
    );
    is_whole_or_gone(&machine, "blog");
    machine.exec(&["hostkit", "project", "create", "blog"]);
    machine.exec(&["hostkit", "project", "show", "blog"]).ok();
    // What was cut can be done again.
    machine.exec(&DEPLOY).ok();
    is_one_of(&machine, &["shop 2"]);
}

/// Cuts a deployment at moments spread over the time it takes. `HOSTKIT_TEST_CUTS` says how many.
#[test]
#[ignore = "lane power: cuts the power of a virtual machine many times"]
fn matrix_of_cuts_over_a_deployment() {
    let cuts = std::env::var("HOSTKIT_TEST_CUTS").ok();
    let cuts: u32 = cuts.map_or(12, |text| text.parse().unwrap());
    let (_world, mut machine, _folder) = server();
    write_program(&machine, "shop", "shop 2");
    let started = Instant::now();
    machine.exec(&DEPLOY).ok();
    let whole = started.elapsed();
    for (next, cut) in (3..).zip(0..cuts) {
        let last = is_one_of(
            &machine,
            &[&format!("shop {}", next - 1), &format!("shop {}", next - 2)],
        );
        let word = format!("shop {next}");
        write_program(&machine, "shop", &word);
        machine.exec(&["sync"]).ok();
        let moment = whole * (cut + 1) / (cuts + 1);
        let started = Instant::now();
        cut_during(&mut machine, &DEPLOY, |_| {
            std::thread::sleep(Duration::from_millis(20));
            started.elapsed() >= moment
        });
        let now = is_one_of(&machine, &[&last, &word]);
        eprintln!("cut {moment:.1?} after the start of a deployment of {whole:.1?}: {now}");
        // The next one begins with something new live.
        machine.exec_within(Duration::from_secs(600), &DEPLOY).ok();
        is_one_of(&machine, &[&word]);
    }
}
