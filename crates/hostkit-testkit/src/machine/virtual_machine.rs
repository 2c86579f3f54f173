//! A machine that is a virtual one: a kernel of its own below qemu, with a disk that forgets at a power cut what its kernel
//! had not written. It is reached over SSH, by one connection that all programs share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::PATIENCE;
use super::base::VirtualBase;
use super::boot::Place;
use super::hardware::{ENVIRONMENT, Hardware};
use super::held::Held;

/// How much memory a virtual machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// In MiB.
    pub mib: u32,
}

/// Relative to the machine's folder: the whole path may be longer than a socket's can be.
const CONNECTION: &str = "connection";

#[derive(Debug)]
pub(super) struct VirtualMachine {
    // In the order in which they are dropped.
    connection: Option<Held>,
    power: Option<Power>,
    place: Place,
    memory: Memory,
}

impl VirtualMachine {
    /// One that is off, with a disk of its own above the one all share.
    pub(super) fn new(place: Place, memory: Memory) -> Self {
        let made = Command::new("qemu-img")
            .args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"])
            .arg(VirtualBase::find().disk())
            .arg(disk(&place))
            .status()
            .expect("`qemu-img` can be started");
        assert!(made.success(), "cannot make the disk of a virtual machine");
        VirtualMachine {
            connection: None,
            power: None,
            place,
            memory,
        }
    }

    /// The rest of the command line that begins with `qemu-system-…`.
    fn start(&self, command: &mut Command) {
        let (console, errors) = self.place.open_console();
        let base = VirtualBase::find();
        let number = self.place.number;
        command
            .args(accelerator())
            .args(["-smp", "2", "-nodefaults", "-no-user-config", "-display", "none"])
            // A reboot ends it as switching it off does: the next boot is a new process.
            .arg("-no-reboot")
            .args(["-m", &self.memory.mib.to_string()])
            .arg("-kernel")
            .arg(base.kernel())
            .arg("-initrd")
            .arg(base.first_files())
            .arg("-append")
            .arg(format!(
                "root=/dev/vda rw console=ttyS0 net.ifnames=0 apparmor=0 quiet test-machine={number}"
            ))
            .arg("-drive")
            // What the machine was told that it is on the disk is in the host's memory, which outlives the machine.
            .arg(format!(
                "file={},if=virtio,format=qcow2,cache=writeback,discard=unmap",
                disk(&self.place).display().to_string().replace(',', ",,")
            ))
            .args([
                "-netdev",
                &format!("tap,id=n,ifname=v{number},script=no,downscript=no"),
            ])
            .args([
                "-device",
                &format!("virtio-net-pci,netdev=n,romfile=,mac=52:54:00:77:00:{number:02x}"),
            ])
            .args(["-device", "virtio-rng-pci", "-serial", "stdio"])
            .stdin(Stdio::null())
            .stdout(console)
            .stderr(errors);
    }

    fn connect(&self) -> Held {
        Held::start(Some(&self.place.network), "ssh", |command| {
            command
                .current_dir(&self.place.folder)
                .args(["-F", "none", "-N", "-M", "-S", CONNECTION, "-i"])
                .arg(VirtualBase::find().key())
                .args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=20"])
                .args([
                    "-o",
                    "StrictHostKeyChecking=no",
                    "-o",
                    "UserKnownHostsFile=/dev/null",
                ])
                // A machine whose power is gone does not say so.
                .args(["-o", "ServerAliveInterval=20", "-o", "ServerAliveCountMax=6"])
                .arg(format!("root@{}", self.place.address()))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
        })
    }

    fn disconnect(&mut self) {
        self.connection = None;
        fs::remove_file(self.place.folder.join(CONNECTION)).ok();
    }
}

impl Hardware for VirtualMachine {
    /// A processor in software takes twenty seconds with the host to itself.
    fn patience(&self) -> Duration {
        4 * PATIENCE
    }

    fn switch_on(&mut self) {
        self.power = Some(Power::on(self));
    }

    fn is_up(&mut self) -> bool {
        if self.connection.as_mut().is_none_or(Held::has_ended) {
            self.disconnect();
            self.connection = Some(self.connect());
        }
        self.place.folder.join(CONNECTION).exists()
    }

    fn has_ended(&mut self) -> bool {
        self.power.as_mut().is_none_or(|power| power.qemu.has_ended())
    }

    fn cut(&mut self) {
        self.power = None;
        self.disconnect();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let environment = ENVIRONMENT.map(|(name, value)| format!("{name}={value}"));
        let line = ["env", "--ignore-environment"]
            .into_iter()
            .chain(environment.iter().map(String::as_str))
            .chain(arguments.iter().copied())
            .map(quoted)
            .collect::<Vec<String>>()
            .join(" ");
        let mut command = Command::new("ssh");
        command
            .current_dir(&self.place.folder)
            .args(["-F", "none", "-S", CONNECTION])
            // Without the connection it would look for the machine in the host's network.
            .args(["-o", "ProxyCommand=false", "-o", "BatchMode=yes"])
            .args(["-o", "LogLevel=ERROR"])
            .args(["root@machine", "--"])
            .arg(format!("cd / && exec {line}"))
            .stdin(Stdio::null());
        command
    }
}

/// As the machine's shell, which SSH starts everything with, takes it for one word.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn disk(place: &Place) -> PathBuf {
    place.folder.join("disk.qcow2")
}

/// One boot. Dropping it is a power cut.
#[derive(Debug)]
struct Power {
    qemu: Held,
    place: Place,
}

impl Power {
    fn on(machine: &VirtualMachine) -> Self {
        let place = machine.place.clone();
        let card = format!("v{}", place.number);
        place.network.ip(&format!("tuntap add dev {card} mode tap"));
        place.network.ip(&format!("link set {card} master br0 up"));
        let qemu = Held::start(Some(&place.network), "qemu-system-x86_64", |command| {
            machine.start(command)
        });
        Power { qemu, place }
    }
}

impl Drop for Power {
    fn drop(&mut self) {
        self.qemu.kill();
        self.place.network.unplug(&format!("v{}", self.place.number));
    }
}

/// The processor's own virtual machines where it has them; a processor in software otherwise, which is many times slower.
fn accelerator() -> [&'static str; 4] {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let has_them = processor
        .split_whitespace()
        .any(|flag| ["vmx", "svm"].contains(&flag));
    let device = fs::File::options()
        .read(true)
        .write(true)
        .open(Path::new("/dev/kvm"));
    if has_them && device.is_ok() {
        ["-accel", "kvm", "-cpu", "host"]
    } else {
        ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max"]
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_takes_any_word_for_one() {
        for word in ["", "a b", "it's", "'", "$HOME", "`id`", "a\nb", "\\", "*"] {
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(word))])
                .output()
                .expect("a shell can be started");
            assert_eq!(String::from_utf8_lossy(&output.stdout), word);
        }
    }
}
