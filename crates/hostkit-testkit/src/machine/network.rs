//! A network namespace, held by a file: whoever enters it sees the machines of one world and nothing else.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use nix::sched::CloneFlags;

use super::PATIENCE;

/// A network of its own. It exists as long as a value or a process in it does.
#[derive(Debug, Clone)]
pub struct Network(Arc<File>);

impl Network {
    /// A network with nothing but its loopback interface, which is down.
    pub(super) fn new() -> Self {
        let made = std::thread::spawn(|| {
            nix::sched::unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace can be made");
            File::open("/proc/thread-self/ns/net").expect("a thread's network namespace can be opened")
        });
        Network(Arc::new(made.join().expect("a network namespace is made")))
    }

    /// Moves the calling thread into this network, for good: for threads that do nothing else.
    pub fn enter(&self) {
        nix::sched::setns(&*self.0, CloneFlags::CLONE_NEWNET).expect("a network namespace can be entered");
    }

    /// Does something in this network, also starting programs that stay in it.
    pub fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.enter();
                act()
            });
            inside
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Connects from this network. The stream can be used anywhere.
    pub fn connect(&self, address: SocketAddr) -> std::io::Result<TcpStream> {
        self.run(|| TcpStream::connect_timeout(&address, PATIENCE))
    }

    /// A path that names this network to other programs as long as this program runs.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()))
    }

    /// Runs `ip ARGUMENTS` in this network.
    #[track_caller]
    pub(super) fn ip(&self, arguments: &str) {
        let output = self
            .run(|| Command::new("ip").args(arguments.split(' ')).output())
            .expect("`ip` can be started");
        assert!(
            output.status.success(),
            "`ip {arguments}` failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Removes a card of this network, if it is there.
    pub(super) fn unplug(&self, card: &str) {
        self.run(|| {
            let mut unplug = Command::new("ip");
            unplug.args(["link", "delete", card]).stderr(Stdio::null());
            unplug.status().ok();
        });
    }
}
