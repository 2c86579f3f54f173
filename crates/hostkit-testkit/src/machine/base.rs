//! What machines are booted from: built once by `script/machine-base` and `script/machine-vm`, found or built here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What is installed on a machine when it is booted for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// A minimal Debian 12 with an SSH server, as a hoster delivers it. Packages of a server can be installed from
    /// `/srv/packages`, its only apt source.
    Bare,
    /// The packages of a server are installed, and Node.js, Python and git.
    Ready,
}

/// What containers are booted from.
#[derive(Debug)]
pub(super) struct Base {
    folder: PathBuf,
}

impl Base {
    /// The one of this repository. It is built now if it is not there.
    pub(super) fn find() -> &'static Base {
        static BASE: OnceLock<Base> = OnceLock::new();
        BASE.get_or_init(|| {
            require(&[
                ("systemd-nspawn", "systemd-container"),
                ("ip", "iproute2"),
                ("nsenter", "util-linux"),
                ("setpriv", "util-linux"),
                ("unshare", "util-linux"),
            ]);
            Base {
                folder: found("HOSTKIT_TEST_BASE", "machine-base", "bare"),
            }
        })
    }

    /// The layers of a disk, the upper first, as overlayfs takes them.
    pub(super) fn layers(&self, flavour: Flavour) -> String {
        let bare = self.folder.join("bare");
        match flavour {
            Flavour::Bare => bare.display().to_string(),
            Flavour::Ready => format!("{}:{}", self.folder.join("ready").display(), bare.display()),
        }
    }

    /// The local apt source.
    pub(super) fn packages(&self) -> PathBuf {
        self.folder.join("packages")
    }

    /// The private key of the operator, which root of every machine accepts.
    pub(super) fn key(&self) -> PathBuf {
        self.folder.join("key")
    }

    /// Where machines keep their disks: beside the base, on a file system that overlayfs can write to.
    pub(super) fn machines(&self) -> PathBuf {
        self.folder
            .parent()
            .unwrap_or(Path::new("/var/tmp"))
            .join("machines")
    }
}

/// What virtual machines are booted from.
#[derive(Debug)]
pub(super) struct VirtualBase {
    folder: PathBuf,
}

impl VirtualBase {
    /// The one of this repository. It is built now if it is not there.
    pub(super) fn find() -> &'static VirtualBase {
        static BASE: OnceLock<VirtualBase> = OnceLock::new();
        BASE.get_or_init(|| {
            require(&[
                ("qemu-system-x86_64", "qemu-system-x86"),
                ("qemu-img", "qemu-utils"),
                ("ssh", "openssh-client"),
            ]);
            VirtualBase {
                folder: found("HOSTKIT_TEST_VM", "machine-vm", "disk.img"),
            }
        })
    }

    /// The disk that every machine's own one is above of.
    pub(super) fn disk(&self) -> PathBuf {
        self.folder.join("disk.img")
    }

    pub(super) fn kernel(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// What the kernel finds its disk with.
    pub(super) fn first_files(&self) -> PathBuf {
        self.folder.join("initrd")
    }

    /// As [`Base::key`].
    pub(super) fn key(&self) -> PathBuf {
        self.folder.join("key")
    }
}

/// Fails the test unless it is root's and the host has some programs, each named with the package it is in.
fn require(programs: &[(&str, &str)]) {
    assert!(
        nix::unistd::geteuid().is_root(),
        "cannot boot a machine: this needs root\nhint: run as root: script/test host"
    );
    let path = std::env::var("PATH").unwrap_or_default();
    for (program, package) in programs {
        let found = path
            .split(':')
            .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"])
            .any(|folder| Path::new(folder).join(program).exists());
        assert!(
            found,
            "cannot boot a machine: there is no `{program}`\nhint: apt-get install {package}"
        );
    }
}

/// The folder that a variable names, or that a script builds, with this in it.
fn found(variable: &str, script: &str, holds: &str) -> PathBuf {
    let folder = std::env::var_os(variable).map_or_else(|| build(script), PathBuf::from);
    assert!(
        folder.join(holds).exists(),
        "cannot boot a machine: there is none in `{}`\nhint: script/{script}",
        folder.display()
    );
    folder
}

fn build(script: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../script")
        .join(script);
    let output = Command::new(&script)
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("cannot start `{}`: {error}", script.display()));
    assert!(
        output.status.success(),
        "cannot build what machines are booted from: `{}` failed",
        script.display()
    );
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}
