//! A core dump is the memory of a process, secrets included, in a file that nobody thinks of.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Leaves none of this process and of what it starts. A program of a user that wants one can ask for it: `ulimit -c`.
pub(crate) fn off() {
    // Where it fails the machine forbids more than this.
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_CORE) {
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, most);
    }
}
