//! A machine: its disk, its place in a world, and whether it is on.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use super::base::{Base, Flavour};
use super::cgroups::Cgroups;
use super::folder::Folder;
use super::limits;
use super::network::Network;
use super::power::{Power, Start};
use super::world::{HERE, World};

/// A folder of the host that a machine sees, and cannot write to.
#[derive(Debug, Clone)]
pub struct Shown {
    /// On the host.
    pub from: PathBuf,
    /// On the machine.
    pub at: String,
}

/// A machine with systemd as its first process. Dropping it removes everything of it.
#[derive(Debug)]
pub struct Machine {
    // In the order in which they are dropped: first the power, at last the folder.
    power: Option<Power>,
    cgroups: Cgroups,
    number: u8,
    disk: PathBuf,
    name: String,
    layers: String,
    shown: Vec<Shown>,
    network: Network,
    folder: Arc<Folder>,
}

impl Machine {
    /// A new machine in a world, switched on and done with booting.
    #[track_caller]
    pub fn boot(world: &World, flavour: Flavour) -> Self {
        Self::boot_with(world, flavour, &[])
    }

    /// A new machine that sees some folders of the host.
    #[track_caller]
    pub fn boot_with(world: &World, flavour: Flavour, shown: &[Shown]) -> Self {
        let base = Base::find();
        let number = world.next_machine();
        assert!(number < 250, "a world has room for 249 machines");
        let folder = world.folder().clone();
        let disk = folder.path().join(format!("m{number}"));
        let name = format!("{}-m{number}", folder.name());
        let mut shown = shown.to_vec();
        shown.push(Shown {
            from: base.packages(),
            at: "/srv/packages".into(),
        });
        let mut machine = Machine {
            power: None,
            cgroups: Cgroups::make(&name),
            number,
            layers: base.layers(flavour),
            shown,
            network: world.network().clone(),
            folder,
            name,
            disk,
        };
        machine.prepare();
        machine.power_on();
        static CHECKED: Once = Once::new();
        CHECKED.call_once(|| limits::check(&machine));
        machine
    }

    /// What is different from machine to machine is written before the first boot.
    fn prepare(&self) {
        for folder in ["upper/etc", "work", "root"] {
            fs::create_dir_all(self.disk.join(folder)).expect("a machine's folders can be made");
        }
        let hostname = self.hostname();
        let hosts =
            format!("127.0.0.1 localhost\n127.0.1.1 {hostname}\n::1 localhost ip6-localhost ip6-loopback\n");
        let etc = self.disk.join("upper/etc");
        fs::write(etc.join("hostname"), format!("{hostname}\n")).expect("a machine's name can be written");
        fs::write(etc.join("hosts"), hosts).expect("a machine's hosts can be written");
        fs::write(self.disk.join("network"), "").expect("an empty file can be made");
        let init = self.disk.join("init");
        fs::write(&init, include_str!("init.sh")).expect("a machine's first program can be written");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&init, executable).expect("a machine's first program can be made executable");
    }

    /// `m1` for the first one in its world.
    pub fn hostname(&self) -> String {
        format!("m{}", self.number)
    }

    /// Its address in its world.
    pub fn address(&self) -> IpAddr {
        let [a, b, c, d] = HERE.octets();
        Ipv4Addr::new(a, b, c, d + self.number).into()
    }

    /// Its address of version 6 in its world.
    pub fn address6(&self) -> IpAddr {
        Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, u16::from(self.number) + 1).into()
    }

    /// The private key that its root accepts over SSH.
    pub fn operator_key(&self) -> PathBuf {
        Base::find().key()
    }

    /// Every TCP port that takes a connection from outside.
    pub fn open_ports(&self) -> Vec<u16> {
        self.network.run(|| super::scan::open_ports(self.address()))
    }

    /// The network of its world, outside of the machine.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Switches it on, and waits until it has booted. Its disk is as it was.
    #[track_caller]
    pub fn power_on(&mut self) {
        assert!(self.power.is_none(), "`{}` is on already", self.name);
        let [upper, work, root] = ["upper", "work", "root"].map(|folder| self.disk.join(folder));
        let mut binds = vec![Shown {
            from: self.disk.join("init"),
            at: "/run/hostkit-test/init".into(),
        }];
        binds.extend(self.shown.iter().cloned());
        let power = Power::on(Start {
            name: &self.name,
            hostname: &self.hostname(),
            address: self.number,
            world: &self.network,
            overlay: format!(
                "lowerdir={},upperdir={},workdir={}",
                self.layers,
                upper.display(),
                work.display()
            ),
            root: &root,
            network: &self.disk.join("network"),
            cgroups: self.cgroups.folders(),
            shown: &binds,
            console: &self.console(),
        });
        self.power = Some(power);
        self.wait_until_booted();
    }

    /// Every process dies at once. What a program wrote is there after `power_on`, synced or not: the host's memory has it.
    #[track_caller]
    pub fn power_cut(&mut self) {
        let power = self.power.take();
        power
            .unwrap_or_else(|| panic!("`{}` is off already", self.name))
            .cut();
    }

    /// `systemctl poweroff`.
    #[track_caller]
    pub fn shut_down(&mut self) {
        self.end_with("poweroff");
    }

    /// `systemctl reboot`, until it has booted again.
    #[track_caller]
    pub fn reboot(&mut self) {
        self.end_with("reboot");
        self.power_on();
    }

    #[track_caller]
    fn end_with(&mut self, verb: &str) {
        // The machine may be gone before `systemctl` can say so.
        self.exec(&["systemctl", verb]);
        let power = self.power.take();
        power
            .unwrap_or_else(|| panic!("`{}` is off already", self.name))
            .wait(&self.console());
    }

    #[track_caller]
    fn wait_until_booted(&mut self) {
        let started = std::time::Instant::now();
        loop {
            let power = self.power.as_mut().expect("it was switched on");
            if power.leader().is_some() {
                let state = self.exec(&["systemctl", "is-system-running", "--wait"]).out;
                if ["running", "degraded"].contains(&state.trim()) {
                    return;
                }
            }
            let ended = self.power.as_mut().is_some_and(Power::has_ended);
            assert!(
                !ended && started.elapsed() < super::PATIENCE,
                "`{}` did not boot; its console said:\n{}",
                self.name,
                last_lines(&self.console(), 40)
            );
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// What it says on its console, as a file of the host.
    pub fn console(&self) -> PathBuf {
        self.disk.join("console.log")
    }

    /// Its process 1, as the host numbers it.
    #[track_caller]
    pub(super) fn leader(&self) -> i32 {
        let power = self.power.as_ref();
        power
            .and_then(Power::leader)
            .unwrap_or_else(|| panic!("`{}` is off", self.name))
    }

    /// The name of its world, for looking at what it leaves.
    pub fn world(&self) -> String {
        self.folder.name()
    }
}

/// The end of a text file.
pub(super) fn last_lines(file: &Path, count: usize) -> String {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
