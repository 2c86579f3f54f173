//! Builds that take all they can get: memory, processors, processes, the disk. Others go on as if nothing was.

use std::time::{Duration, Instant};

use hostkit_testkit::http::{self, Place};
use hostkit_testkit::machine::{Machine, Memory, World, wait_until};

use super::write_program;
use crate::apps::{body, deploy, write_app};
use crate::installed::{said, set_up};

/// Takes nearly all the memory a build of it may have, and a processor each for four processes, until it is told to end.
const BUSY: &str = "import os, time\n\
    kept = bytearray(80 << 20)\n\
    for _ in range(4):\n\
    \x20   if os.fork() == 0:\n\
    \x20       until = time.monotonic() + 600\n\
    \x20       while time.monotonic() < until: kept[::4096] = b'y' * len(kept[::4096])\n\
    \x20       os._exit(0)\n\
    print('busy', flush=True)\n\
    for _ in range(4): os.wait()\n";
const HUNGRY: &str = "kept = []\nwhile True: kept.append(b'x' * (8 << 20))\n";
/// Starts processes until it may not, and says how far it came. A Perl is small enough for so many.
const FORKS: &str = "import os\n\
    program = '$0 = \"greedy.py\"; while (defined($child = fork)) { if (!$child) { sleep 600; exit } $count++ } '\n\
    os.execvp('perl', ['perl', '-e', program + 'print \"came to $count processes\"; exit 7'])\n";
/// Finds the processes of a build, and not whoever looks for them.
const GREEDY: &str = "[g]reedy.py";
const FILLS: &str = "import os\n\
    for number in range(1000):\n\
    \x20   with open(f'filler{number}', 'wb') as file: os.posix_fallocate(file.fileno(), 0, 64 << 20)\n\
    \x20   __import__('time').sleep(0.05)\n";

fn write_build(machine: &Machine, name: &str, program: &str) {
    let manifest = "[build]\ncommand = \"python3 greedy.py\"\noutput = \"dist\"\nmemory = \"512MB\"\n";
    write_app(
        machine,
        name,
        &[
            ("index.html", "x"),
            ("greedy.py", program),
            ("hostkit.toml", manifest),
        ],
    );
}

/// The time that one of a hundred requests takes longer than, of so many.
fn p99(machine: &Machine, requests: usize) -> Duration {
    let mut times: Vec<Duration> = (0..requests)
        .map(|_| {
            let started = Instant::now();
            assert_eq!(body(machine, "shop"), "shop 1");
            started.elapsed()
        })
        .collect();
    times.sort();
    times[requests * 99 / 100 - 1]
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn is_building(machine: &Machine) -> bool {
    let units = [
        "systemctl",
        "list-units",
        "--plain",
        "--no-legend",
        "hostkit-greedy.build-*",
    ];
    !said(machine, &units).is_empty()
}

#[test]
#[ignore = "lane vm: boots a virtual machine"]
fn a_greedy_build_harms_nobody_else() {
    let world = World::new();
    let machine = Machine::boot_virtual(&world, Memory { mib: 2048 });
    let _folder = set_up(&machine, "");
    for name in ["shop", "greedy"] {
        machine.exec(&["hostkit", "project", "create", name]).ok();
    }
    write_program(&machine, "shop", "shop 1");
    deploy(&machine, "shop").ok();

    // More memory than it may: ended, and told why.
    write_build(&machine, "greedy", HUNGRY);
    let ended = deploy(&machine, "greedy").failed();
    assert!(
        ended.all().contains("used more memory than it may (512MB)"),
        "{}",
        ended.all()
    );

    // As many processes as it can make: bounded by its own limit, and they end with it.
    write_build(&machine, "greedy", FORKS);
    let ended = deploy(&machine, "greedy").failed();
    let came_to = ended.all();
    let count = came_to
        .split("came to ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let count: u32 = count.unwrap_or_else(|| panic!("{came_to}")).parse().unwrap();
    assert!((100..1024).contains(&count), "{came_to}");
    wait_until("all of it is gone", || {
        machine.exec(&["pgrep", "--full", GREEDY]).code != 0
    });

    // More than the disk has: ended before that, and the room is there again.
    let free = || -> u64 {
        let said = said(&machine, &["df", "--output=avail", "-BM", "/home"]);
        said.lines()
            .last()
            .unwrap()
            .trim()
            .trim_end_matches('M')
            .parse()
            .unwrap()
    };
    let before = free();
    write_build(&machine, "greedy", FILLS);
    let ended = deploy(&machine, "greedy").failed();
    assert!(ended.all().contains("about to fill the disk"), "{}", ended.all());
    assert!(free() + 300 > before, "{} MB free, before {before} MB", free());
    assert_eq!(body(&machine, "shop"), "shop 1");

    // Everything it may, for long: what others answer in is measured by turns, with it and without it.
    let (mut quiet, mut beside) = (Vec::new(), Vec::new());
    write_build(&machine, "greedy", BUSY);
    for round in 1..=3 {
        quiet.push(p99(&machine, 200));
        let mut building = machine
            .command(&["hostkit", "deploy", "/root/apps/greedy", "--project", "greedy"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        wait_until("it is busy", || {
            let count = machine.exec(&["pgrep", "--full", "--count", GREEDY]).out;
            count.trim().parse().unwrap_or(0) >= 5
        });
        beside.push(p99(&machine, 200));
        assert!(is_building(&machine), "it ended while it was measured");
        machine
            .exec(&["systemctl", "kill", "--signal=KILL", "hostkit-greedy.build-*"])
            .ok();
        building.wait().unwrap();
        wait_until("it is gone", || !is_building(&machine));
        eprintln!(
            "round {round}: p99 {:?} quiet, {:?} beside a greedy build",
            quiet[round - 1],
            beside[round - 1]
        );
    }
    let (quiet, beside) = (median(quiet), median(beside));
    let times = beside.as_secs_f64() / quiet.as_secs_f64();
    eprintln!("median of p99: {quiet:?} quiet, {beside:?} beside a greedy build: {times:.2} times");
    // A processor in software shares the host with whatever else runs there: some of what is measured is the host.
    let least = Duration::from_millis(50);
    assert!(
        beside <= 2 * quiet.max(least),
        "p99 is {times:.2} times that of quiet"
    );
    http::get(Place::on(&machine, 80), "shop.apps.example.com", "/");
}
