//! A machine in memory: small files, units, packages and a handful of programs that act on them as the real ones would.
//! Faults are set by what they hit: the disk, a program, the moment of being killed.

mod programs;
mod sshd;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::server::{Found, FoundKind, Machine, Order, Ran};

use super::faults::{Journal, locked};

/// A machine that keeps everything it is told. Clones share one.
#[derive(Debug, Clone)]
pub struct FakeMachine {
    /// What was changed, in order: `write PATH`, `remove PATH`, `run PROGRAM ARGUMENTS`.
    pub journal: Journal,
    state: Arc<Mutex<State>>,
}

/// One file or folder.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    text: String,
    mode: u32,
    uid: u32,
    kind: FoundKind,
    read_only: bool,
}

/// One unit of systemd.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unit {
    enabled: bool,
    active: bool,
    masked: bool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    files: BTreeMap<String, Entry>,
    units: BTreeMap<String, Unit>,
    installed: BTreeSet<String>,
    container: bool,
    half_installed: bool,
    half_unpacked: bool,
    ufw: Option<Vec<String>>,
    free: u64,
    /// Settings in force, of programs that take their files over only when told.
    in_force: BTreeMap<&'static str, String>,
    failing: BTreeMap<String, String>,
    disk_full: bool,
    killed_after: Option<usize>,
}

impl State {
    fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(|entry| entry.text.as_str())
    }

    fn put(&mut self, path: &str, text: &str, mode: u32) {
        let entry = Entry {
            text: text.to_owned(),
            mode,
            uid: 0,
            kind: FoundKind::File,
            read_only: false,
        };
        let mut above = path;
        while let Some((folder, _)) = above.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) {
            self.files.entry(folder.to_owned()).or_insert_with(|| Entry {
                text: String::new(),
                mode: 0o755,
                uid: 0,
                kind: FoundKind::Folder,
                read_only: false,
            });
            above = folder;
        }
        self.files.insert(path.to_owned(), entry);
    }
}

impl FakeMachine {
    /// A bare Debian 12 as a hoster delivers it: sshd with passwords, a key of root's, no firewall, no fail2ban.
    pub fn bare() -> Self {
        let mut state = State {
            free: 40 << 30,
            ..State::default()
        };
        for (path, text) in programs::BARE_FILES {
            state.put(path, text, 0o644);
        }
        for (key, value) in programs::BARE_KERNEL {
            state.put(&format!("/proc/sys/{}", key.replace('.', "/")), value, 0o644);
        }
        for name in programs::BARE_PACKAGES {
            programs::unpack(&mut state, name);
        }
        for path in ["/root/.ssh/authorized_keys", "/root/.ssh", "/root"] {
            if let Some(entry) = state.files.get_mut(path) {
                entry.mode = if entry.kind == FoundKind::File {
                    0o600
                } else {
                    0o700
                };
            }
        }
        FakeMachine {
            journal: Journal::default(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Puts a file there, by somebody else's hand.
    pub fn put(&self, path: &str, text: &str) {
        locked(&self.state).put(path, text, 0o644);
    }

    /// Takes a file or folder away, by somebody else's hand.
    pub fn take(&self, path: &str) {
        locked(&self.state).files.remove(path);
    }

    /// Gives a file another owner and mode.
    pub fn give(&self, path: &str, uid: u32, mode: u32) {
        if let Some(entry) = locked(&self.state).files.get_mut(path) {
            entry.uid = uid;
            entry.mode = mode;
        }
    }

    /// The text of a file.
    pub fn text(&self, path: &str) -> Option<String> {
        locked(&self.state).text(path).map(str::to_owned)
    }

    /// Makes it a container: what is in `/proc/sys` is its host's.
    pub fn is_container(&self) {
        let mut state = locked(&self.state);
        state.container = true;
        for (path, entry) in &mut state.files {
            entry.read_only |= path.starts_with("/proc/sys/");
        }
    }

    /// Says how a unit is.
    pub fn unit(&self, name: &str, enabled: bool, active: bool, masked: bool) {
        let unit = Unit {
            enabled,
            active,
            masked,
        };
        locked(&self.state).units.insert(name.to_owned(), unit);
    }

    /// Installs packages, whose units then run.
    pub fn install(&self, names: &[&str]) {
        let mut state = locked(&self.state);
        for name in names {
            programs::unpack(&mut state, name);
        }
    }

    /// Whether a unit runs.
    pub fn runs(&self, name: &str) -> bool {
        locked(&self.state)
            .units
            .get(name)
            .is_some_and(|unit| unit.active)
    }

    /// Makes ufw active, with these rules.
    pub fn has_ufw(&self, rules: &[&str]) {
        locked(&self.state).ufw = Some(rules.iter().map(ToString::to_string).collect());
    }

    /// The rules of ufw.
    pub fn ufw_rules(&self) -> Vec<String> {
        locked(&self.state).ufw.clone().unwrap_or_default()
    }

    /// How much room the disk has.
    pub fn has_room(&self, bytes: u64) {
        locked(&self.state).free = bytes;
    }

    /// Leaves an installation of packages half done.
    pub fn is_half_installed(&self) {
        locked(&self.state).half_installed = true;
    }

    /// An installation of packages was interrupted while a package was unpacked: `dpkg` alone does not get over that.
    pub fn is_half_unpacked(&self) {
        locked(&self.state).half_unpacked = true;
    }

    /// What sshd goes by: what it read when it was last started or reloaded.
    pub fn sshd_in_force(&self) -> String {
        let state = locked(&self.state);
        state.in_force.get("sshd").cloned().unwrap_or_default()
    }

    /// Every run of this program fails with these words; with a first argument (`sshd -t`) only such runs.
    pub fn fail(&self, program: &str, words: &str) {
        locked(&self.state)
            .failing
            .insert(program.to_owned(), words.to_owned());
    }

    /// No file can be written any more.
    pub fn disk_is_full(&self, full: bool) {
        locked(&self.state).disk_full = full;
    }

    /// The caller is killed after so many further changes: every later one panics, as nothing comes after a death.
    pub fn kill_after(&self, changes: usize) {
        locked(&self.state).killed_after = Some(changes);
    }

    /// Takes faults back.
    pub fn mend(&self) {
        let mut state = locked(&self.state);
        state.failing.clear();
        state.disk_full = false;
        state.killed_after = None;
    }

    fn changing(&self, entry: String) {
        let dies = {
            let mut state = locked(&self.state);
            match &mut state.killed_after {
                Some(0) => true,
                Some(left) => {
                    *left -= 1;
                    false
                }
                None => false,
            }
        };
        assert!(!dies, "killed before: {entry}");
        self.journal.note(entry);
    }

    fn can_write(&self, path: &str) -> Result<(), Failure> {
        if !locked(&self.state).disk_full {
            return Ok(());
        }
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        Err(
            Failure::new(Kind::Failed, format!("cannot write `{path}`: {full}"))
                .hint("make room on the disk"),
        )
    }
}

impl Machine for FakeMachine {
    fn run(&self, order: &Order) -> Result<Ran, Failure> {
        if programs::changes_something(order) {
            self.changing(format!("run {}", order.line()));
        }
        Ok(programs::run(&mut locked(&self.state), order))
    }

    fn read(&self, path: &str) -> Result<Option<String>, Failure> {
        let state = locked(&self.state);
        let file = state
            .files
            .get(path)
            .filter(|entry| entry.kind == FoundKind::File);
        Ok(file.map(|entry| entry.text.clone()))
    }

    fn look(&self, path: &str) -> Result<Option<Found>, Failure> {
        let state = locked(&self.state);
        Ok(state.files.get(path).map(|entry| Found {
            kind: entry.kind,
            uid: entry.uid,
            mode: entry.mode,
            writable: !entry.read_only,
            real_path: path.to_owned(),
        }))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, Failure> {
        let start = format!("{folder}/");
        let state = locked(&self.state);
        let inside = state.files.keys().filter_map(|path| path.strip_prefix(&start));
        Ok(inside
            .filter(|name| !name.contains('/'))
            .map(str::to_owned)
            .collect())
    }

    fn write(&self, path: &str, text: &str, mode: u32) -> Result<(), Failure> {
        self.can_write(path)?;
        self.changing(format!("write {path}"));
        locked(&self.state).put(path, text, mode);
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<(), Failure> {
        if locked(&self.state).files.contains_key(path) {
            self.changing(format!("remove {path}"));
            locked(&self.state).files.remove(path);
        }
        Ok(())
    }

    fn make_folder(&self, path: &str, mode: u32) -> Result<(), Failure> {
        self.can_write(path)?;
        self.changing(format!("folder {path}"));
        let mut state = locked(&self.state);
        state.put(&format!("{path}/-"), "", mode);
        state.files.remove(&format!("{path}/-"));
        if let Some(entry) = state.files.get_mut(path) {
            entry.mode = mode;
            entry.uid = 0;
        }
        Ok(())
    }

    fn free_space(&self, _path: &str) -> Result<u64, Failure> {
        Ok(locked(&self.state).free)
    }

    fn pause(&self, _time: Duration) {}
}
