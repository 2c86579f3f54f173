//! A machine: its place in a world, and whether it is on.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use super::base::{Base, Flavour};
use super::container::Container;
use super::folder::Folder;
use super::hardware::Hardware;
use super::limits;
use super::network::Network;
use super::virtual_machine::{Memory, VirtualMachine};
use super::world::{HERE, World};

/// A folder of the host that a machine sees, and cannot write to.
#[derive(Debug, Clone)]
pub struct Shown {
    /// On the host.
    pub from: PathBuf,
    /// On the machine.
    pub at: String,
}

/// Where a machine is: in its world, and on the host.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The last byte of its address, less one.
    pub(super) number: u8,
    /// Everything of it has this in its name on the host.
    pub(super) name: String,
    /// What it keeps on the host.
    pub(super) folder: PathBuf,
    /// The network of its world.
    pub(super) network: Network,
}

impl Place {
    fn new(world: &World) -> Self {
        let number = world.next_machine();
        assert!(number < 250, "a world has room for 249 machines");
        let folder = world.folder().path().join(format!("m{number}"));
        fs::create_dir_all(&folder).expect("a machine's folder can be made");
        Place {
            number,
            name: format!("{}-m{number}", world.folder().name()),
            folder,
            network: world.network().clone(),
        }
    }

    pub(super) fn hostname(&self) -> String {
        format!("m{}", self.number)
    }

    pub(super) fn address(&self) -> Ipv4Addr {
        let [a, b, c, d] = HERE.octets();
        Ipv4Addr::new(a, b, c, d + self.number)
    }

    fn console(&self) -> PathBuf {
        self.folder.join("console.log")
    }

    /// What is said to it is added: for standard output and standard error.
    pub(super) fn open_console(&self) -> (File, File) {
        let console = File::options().create(true).append(true).open(self.console());
        let console = console.expect("a console can be opened");
        let errors = console.try_clone().expect("a file can be opened twice");
        (console, errors)
    }
}

/// A machine with systemd as its first process. Dropping it removes everything of it.
#[derive(Debug)]
pub struct Machine {
    // In the order in which they are dropped: first the power, at last the folder.
    hardware: Box<dyn Hardware>,
    is_on: bool,
    place: Place,
    key: PathBuf,
    folder: Arc<Folder>,
}

impl Machine {
    /// A new machine in a world, switched on and done with booting: a container of this host.
    #[track_caller]
    pub fn boot(world: &World, flavour: Flavour) -> Self {
        Self::boot_with(world, flavour, &[])
    }

    /// A new container that sees some folders of the host.
    #[track_caller]
    pub fn boot_with(world: &World, flavour: Flavour, shown: &[Shown]) -> Self {
        static CHECKED: Once = Once::new();
        let base = Base::find();
        let mut shown = shown.to_vec();
        shown.push(Shown {
            from: base.packages(),
            at: "/srv/packages".into(),
        });
        let place = Place::new(world);
        let container = Container::new(place.clone(), base.layers(flavour), &shown);
        let machine = Self::with(world, place, Box::new(container));
        CHECKED.call_once(|| limits::check(&machine));
        machine
    }

    /// A new virtual machine with the packages of a server ([`Flavour::Ready`]): its own kernel, version 2 of cgroups, and a
    /// disk that forgets at a power cut what was not synced. It takes many times as long as a container for everything.
    #[track_caller]
    pub fn boot_virtual(world: &World, memory: Memory) -> Self {
        static CHECKED: Once = Once::new();
        let place = Place::new(world);
        let virtual_machine = VirtualMachine::new(place.clone(), memory);
        let machine = Self::with(world, place, Box::new(virtual_machine));
        CHECKED.call_once(|| limits::check(&machine));
        machine
    }

    #[track_caller]
    fn with(world: &World, place: Place, hardware: Box<dyn Hardware>) -> Self {
        let mut machine = Machine {
            hardware,
            is_on: false,
            place,
            key: Base::find().key(),
            folder: world.folder().clone(),
        };
        machine.power_on();
        machine
    }

    /// `m1` for the first one in its world.
    pub fn hostname(&self) -> String {
        self.place.hostname()
    }

    /// Its address in its world.
    pub fn address(&self) -> IpAddr {
        self.place.address().into()
    }

    /// Its address of version 6 in its world.
    pub fn address6(&self) -> IpAddr {
        Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, u16::from(self.place.number) + 1).into()
    }

    /// The private key that its root accepts over SSH.
    pub fn operator_key(&self) -> PathBuf {
        self.key.clone()
    }

    /// Every TCP port that takes a connection from outside.
    pub fn open_ports(&self) -> Vec<u16> {
        self.network().run(|| super::scan::open_ports(self.address()))
    }

    /// The network of its world, outside of the machine.
    pub fn network(&self) -> &Network {
        &self.place.network
    }

    /// Switches it on, and waits until it has booted. Its disk is as it was.
    #[track_caller]
    pub fn power_on(&mut self) {
        assert!(!self.is_on, "`{}` is on already", self.place.name);
        self.hardware.switch_on();
        self.is_on = true;
        self.wait_until_booted();
    }

    /// Every process dies at once. Of what a program wrote and did not sync, a container has everything after `power_on`,
    /// because the host's memory has it, and a virtual machine nothing that its kernel had not got round to writing.
    #[track_caller]
    pub fn power_cut(&mut self) {
        assert!(self.is_on, "`{}` is off already", self.place.name);
        self.hardware.cut();
        self.is_on = false;
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
        let started = Instant::now();
        while !self.hardware.has_ended() {
            assert!(
                started.elapsed() < self.hardware.patience(),
                "the machine did not go down; its console said:\n{}",
                last_lines(&self.console(), 40)
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        self.power_cut();
    }

    #[track_caller]
    fn wait_until_booted(&mut self) {
        let started = Instant::now();
        loop {
            if self.hardware.is_up() {
                let state = self.exec(&["systemctl", "is-system-running", "--wait"]).out;
                if ["running", "degraded"].contains(&state.trim()) {
                    return;
                }
            }
            assert!(
                !self.hardware.has_ended() && started.elapsed() < self.hardware.patience(),
                "`{}` did not boot; its console said:\n{}",
                self.place.name,
                last_lines(&self.console(), 40)
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What it says on its console, as a file of the host.
    pub fn console(&self) -> PathBuf {
        self.place.console()
    }

    /// A program on it, which is on.
    #[track_caller]
    pub(super) fn start(&self, arguments: &[&str]) -> Command {
        assert!(self.is_on, "`{}` is off", self.place.name);
        self.hardware.command(arguments)
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
