//! A machine that is on: the processes of one boot, with the network card and the mounts that end with them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::boot::{Shown, last_lines};
use super::network::Network;

/// Everything one boot needs to know.
pub(super) struct Start<'a> {
    pub(super) name: &'a str,
    pub(super) hostname: &'a str,
    /// The last byte of its address, less one.
    pub(super) address: u8,
    pub(super) world: &'a Network,
    pub(super) overlay: String,
    pub(super) root: &'a Path,
    /// An empty file, where the machine's network is mounted.
    pub(super) network: &'a Path,
    pub(super) cgroups: &'a [PathBuf],
    pub(super) shown: &'a [Shown],
    pub(super) console: &'a Path,
}

/// One boot. Dropping it is a power cut.
#[derive(Debug)]
pub(super) struct Power {
    supervisor: Child,
    network: Network,
    /// The thread that started the supervisor lives until this is dropped: the kernel ends the supervisor with it, also
    /// when the test program is killed.
    _thread: Sender<()>,
}

impl Power {
    pub(super) fn on(start: Start) -> Self {
        let network = plug_in(&start);
        let mut command = supervisor(&start, &network);
        let (keep, kept) = channel();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            tell.send(command.spawn()).ok();
            kept.recv().ok();
        });
        let supervisor = told.recv().expect("a thread starts the machine");
        Power {
            supervisor: supervisor.expect("`setpriv` can be started"),
            network,
            _thread: keep,
        }
    }

    /// Its process 1, once there is one.
    pub(super) fn leader(&self) -> Option<i32> {
        let supervisor = children(self.supervisor.id().try_into().ok()?).next()?;
        children(supervisor).find(|child| {
            // Before that it is the supervisor's, or still at making the machine ready.
            fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name == "systemd\n")
        })
    }

    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.supervisor.try_wait(), Ok(None))
    }

    /// SIGKILL to everything: the kernel ends the supervisor with this child, and all others with the supervisor.
    pub(super) fn cut(self) {
        drop(self);
    }

    /// Waits until it has shut itself down.
    #[track_caller]
    pub(super) fn wait(mut self, console: &Path) {
        let started = Instant::now();
        while !self.has_ended() {
            assert!(
                started.elapsed() < PATIENCE,
                "the machine did not go down; its console said:\n{}",
                last_lines(console, 40)
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Power {
    fn drop(&mut self) {
        let leader = self.leader();
        self.supervisor.kill().ok();
        self.supervisor.wait().ok();
        // Of its own it goes when the kernel finds the time, and until then its name in the world is taken.
        self.network.run(|| {
            let mut unplug = Command::new("ip");
            unplug.args(["link", "delete", "eth0"]).stderr(Stdio::null());
            unplug.status().ok();
        });
        // A process 1 ends after every process of its namespace.
        let started = Instant::now();
        while leader.is_some_and(is_running) && started.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn children(process: i32) -> impl Iterator<Item = i32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let children = children.unwrap_or_default();
    let children: Vec<i32> = children
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect();
    children.into_iter()
}

/// Whether a process still does anything. One that ended may be listed until the host's first process has taken note.
pub(super) fn is_running(process: i32) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = state.rsplit(") ").next().and_then(|rest| rest.chars().next());
    state.is_some_and(|state| !['Z', 'X'].contains(&state))
}

/// The machine's own network, with one card that is plugged into the world's bridge.
fn plug_in(start: &Start) -> Network {
    let network = Network::new();
    let number = start.address;
    network.ip("link set lo up");
    let world = start.world.path();
    network.ip(&format!(
        "link add eth0 type veth peer name v{number} netns {}",
        world.display()
    ));
    network.ip(&format!("address add 10.77.0.{}/24 dev eth0", number + 1));
    network.ip(&format!("address add fd77::{:x}/64 dev eth0 nodad", number + 1));
    network.ip("link set eth0 up");
    network.ip("route add default via 10.77.0.1");
    start.world.ip(&format!("link set v{number} master br0 up"));
    network
}

fn supervisor(start: &Start, network: &Network) -> Command {
    let console = File::options()
        .create(true)
        .append(true)
        .open(start.console)
        .expect("a console can be opened");
    let errors = console.try_clone().expect("a file can be opened twice");
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--"])
        .args(["unshare", "--mount", "--propagation", "slave", "--"])
        .args(["sh", "-eu", "-c", include_str!("start.sh"), "start"])
        .arg(&start.overlay)
        .arg(start.root)
        .arg(network.path())
        .arg(start.network)
        .args(start.cgroups)
        .arg("--")
        .args(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit"])
        .arg(format!("--directory={}", start.root.display()))
        .arg(format!("--machine={}", start.name))
        .arg(format!("--hostname={}", start.hostname))
        .arg(format!("--network-namespace-path={}", start.network.display()))
        // A network namespace that was made outside does not bring the right to use it.
        .arg("--capability=CAP_NET_ADMIN")
        .args([
            "--console=pipe",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
        ])
        .arg("--kill-signal=SIGRTMIN+3")
        .args(start.shown.iter().map(|shown| {
            // A colon separates the two paths, so one in a path is written with a backslash.
            let from = shown.from.display().to_string().replace(':', "\\:");
            format!("--bind-ro={from}:{}", shown.at)
        }))
        .arg("/run/hostkit-test/init")
        // As a first process, the supervisor would log to the host's kernel.
        .env("SYSTEMD_LOG_TARGET", "console")
        .stdin(Stdio::null())
        .stdout(console)
        .stderr(errors);
    command
}
