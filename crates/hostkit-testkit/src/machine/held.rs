//! A program that ends with this one: also when this one is killed.

use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};

use super::network::Network;

/// A child of this program. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Held {
    child: Child,
    /// The thread that started the child lives until this is dropped: the kernel ends the child with it, also when this
    /// program is killed.
    _thread: Sender<()>,
}

impl Held {
    /// Starts `program ARGUMENTS…`, in another network if one is named.
    pub(crate) fn start(network: Option<&Network>, program: &str, set: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", program]);
        set(&mut command);
        let network = network.cloned();
        let (keep, kept) = channel();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            if let Some(network) = network {
                network.enter();
            }
            tell.send(command.spawn()).ok();
            kept.recv().ok();
        });
        let child = told.recv().expect("a thread starts the program");
        Held {
            child: child.expect("`setpriv` can be started"),
            _thread: keep,
        }
    }

    pub(crate) fn id(&self) -> i32 {
        self.child.id().try_into().expect("a process has a number")
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL, and waits for its end.
    pub(crate) fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.kill();
    }
}
