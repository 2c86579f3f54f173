//! A machine that is a container of this host: the processes of one boot, with the network card and the mounts that end
//! with them.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::boot::{Place, Shown};
use super::cgroups::Cgroups;
use super::hardware::{ENVIRONMENT, Hardware};
use super::held::Held;
use super::network::Network;

/// A container with a disk of layers: what is written goes into the uppermost.
#[derive(Debug)]
pub(super) struct Container {
    // In the order in which they are dropped: first the power.
    power: Option<Power>,
    cgroups: Cgroups,
    place: Place,
    layers: String,
    shown: Vec<Shown>,
}

impl Container {
    /// One that is off. What is different from machine to machine is written before the first boot.
    pub(super) fn new(place: Place, layers: String, shown: &[Shown]) -> Self {
        let disk = &place.folder;
        for folder in ["upper/etc", "work", "root"] {
            fs::create_dir_all(disk.join(folder)).expect("a machine's folders can be made");
        }
        let hostname = place.hostname();
        let hosts =
            format!("127.0.0.1 localhost\n127.0.1.1 {hostname}\n::1 localhost ip6-localhost ip6-loopback\n");
        let etc = disk.join("upper/etc");
        fs::write(etc.join("hostname"), format!("{hostname}\n")).expect("a machine's name can be written");
        fs::write(etc.join("hosts"), hosts).expect("a machine's hosts can be written");
        fs::write(disk.join("network"), "").expect("an empty file can be made");
        let init = disk.join("init");
        fs::write(&init, include_str!("init.sh")).expect("a machine's first program can be written");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&init, executable).expect("a machine's first program can be made executable");
        let mut all = vec![Shown {
            from: init,
            at: "/run/hostkit-test/init".into(),
        }];
        all.extend(shown.iter().cloned());
        Container {
            power: None,
            cgroups: Cgroups::make(&place.name),
            place,
            layers,
            shown: all,
        }
    }

    fn overlay(&self) -> String {
        let [upper, work] = ["upper", "work"].map(|folder| self.place.folder.join(folder));
        format!(
            "lowerdir={},upperdir={},workdir={}",
            self.layers,
            upper.display(),
            work.display()
        )
    }

    /// Its process 1, as the host numbers it, once there is one.
    fn leader(&self) -> Option<i32> {
        self.power.as_ref().and_then(Power::leader)
    }
}

impl Hardware for Container {
    fn patience(&self) -> Duration {
        PATIENCE
    }

    fn switch_on(&mut self) {
        let network = plug_in(&self.place);
        let supervisor = Held::start(None, "unshare", |command| self.supervise(command, &network));
        self.power = Some(Power { supervisor, network });
    }

    fn is_up(&mut self) -> bool {
        self.leader().is_some()
    }

    fn has_ended(&mut self) -> bool {
        self.power
            .as_mut()
            .is_none_or(|power| power.supervisor.has_ended())
    }

    /// SIGKILL to everything: the kernel ends the supervisor with this child, and all others with the supervisor.
    fn cut(&mut self) {
        self.power = None;
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let leader = self
            .leader()
            .unwrap_or_else(|| panic!("`{}` is off", self.place.name));
        let mut command = Command::new("nsenter");
        command
            .arg("--target")
            .arg(leader.to_string())
            .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"])
            .args(["--root", "--wd", "--"])
            .args(arguments)
            .env_clear()
            .envs(ENVIRONMENT)
            .stdin(Stdio::null());
        command
    }
}

/// One boot. Dropping it is a power cut.
#[derive(Debug)]
struct Power {
    supervisor: Held,
    network: Network,
}

impl Power {
    fn leader(&self) -> Option<i32> {
        let supervisor = children(self.supervisor.id()).next()?;
        children(supervisor).find(|child| {
            // Before that it is the supervisor's, or still at making the machine ready.
            fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name == "systemd\n")
        })
    }
}

impl Drop for Power {
    fn drop(&mut self) {
        let leader = self.leader();
        self.supervisor.kill();
        // Of its own it goes when the kernel finds the time, and until then its name in the world is taken.
        self.network.unplug("eth0");
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
fn plug_in(place: &Place) -> Network {
    let network = Network::new();
    let number = place.number;
    network.ip("link set lo up");
    let world = place.network.path();
    network.ip(&format!(
        "link add eth0 type veth peer name v{number} netns {}",
        world.display()
    ));
    network.ip(&format!("address add 10.77.0.{}/24 dev eth0", number + 1));
    network.ip(&format!("address add fd77::{:x}/64 dev eth0 nodad", number + 1));
    network.ip("link set eth0 up");
    network.ip("route add default via 10.77.0.1");
    place.network.ip(&format!("link set v{number} master br0 up"));
    network
}

impl Container {
    /// The rest of the command line that begins with `unshare`.
    fn supervise(&self, command: &mut Command, network: &Network) {
        let (console, errors) = self.place.open_console();
        let root = self.place.folder.join("root");
        // An empty file, where the machine's network is mounted.
        let network_mount = self.place.folder.join("network");
        command
            .args(["--mount", "--propagation", "slave", "--"])
            .args(["sh", "-eu", "-c", include_str!("start.sh"), "start"])
            .arg(self.overlay())
            .arg(&root)
            .arg(network.path())
            .arg(&network_mount)
            .args(self.cgroups.folders())
            .arg("--")
            .args(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit"])
            .arg(format!("--directory={}", root.display()))
            .arg(format!("--machine={}", self.place.name))
            .arg(format!("--hostname={}", self.place.hostname()))
            .arg(format!("--network-namespace-path={}", network_mount.display()))
            // A network namespace that was made outside does not bring the right to use it.
            .arg("--capability=CAP_NET_ADMIN")
            .args([
                "--console=pipe",
                "--resolv-conf=off",
                "--timezone=off",
                "--link-journal=no",
            ])
            .arg("--kill-signal=SIGRTMIN+3")
            .args(self.shown.iter().map(|shown| {
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
    }
}
