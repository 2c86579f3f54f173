//! An installation for one test.

pub(crate) mod projects;
pub(crate) mod socket;
pub(crate) mod tls_front;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) use hostkit_testkit::{http, load};
use serde_json::Value;

use load::Death;

/// How long anything may take on a busy machine before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A running installation. Dropping it stops everything it started and fails the test if something was left.
pub(crate) struct Installation {
    folder: tempfile::TempDir,
    pub(crate) http: u16,
    /// The port TLS is spoken on, if it is.
    pub(crate) https: Option<u16>,
    /// How much disk the front door keeps answers on.
    cache_disk: Option<&'static str>,
    environment: Vec<(String, String)>,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn from(output: Output) -> Self {
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn failed(self) -> Self {
        assert_ne!(self.code, 0, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|e| panic!("{e}\nstdout: {}\nstderr: {}", self.out, self.err))
    }

    /// Everything it said.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

impl Installation {
    /// Starts one with any free port.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one whose daemons find further variables in their environment.
    pub(crate) fn start_with(environment: &[(&str, &str)]) -> Self {
        Self::start_as(&std::env::temp_dir(), environment, None)
    }

    /// Starts one that speaks TLS.
    pub(crate) fn start_tls() -> Self {
        Self::start_as(&std::env::temp_dir(), &[], Some(0))
    }

    /// Starts one whose front door keeps answers on the disk.
    pub(crate) fn start_with_cache_on_disk() -> Self {
        let mut installation = Self::not_started(&std::env::temp_dir());
        installation.cache_disk = Some("64MB");
        installation.up();
        installation
    }

    /// Starts one below a folder.
    pub(crate) fn start_in(parent: &Path) -> Self {
        Self::start_as(parent, &[], None)
    }

    fn start_as(parent: &Path, environment: &[(&str, &str)], https: Option<u16>) -> Self {
        let mut installation = Self::not_started(parent);
        installation.https = https;
        installation.environment = environment
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        installation.up();
        installation
    }

    fn not_started(parent: &Path) -> Self {
        Installation {
            folder: tempfile::Builder::new()
                .prefix("hk-test-")
                .tempdir_in(parent)
                .unwrap(),
            http: 0,
            https: None,
            cache_disk: None,
            environment: Vec::new(),
        }
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder for sources.
    pub(crate) fn sources(&self) -> PathBuf {
        self.folder.path().join("src")
    }

    /// `hostkit up --detach`, on the same port as before.
    pub(crate) fn up(&mut self) {
        let port = self.http.to_string();
        let https = self.https.map(|port| port.to_string());
        let mut arguments = vec!["up", "--detach", "--http-port", &port];
        if let Some(port) = &https {
            arguments.extend(["--tls", "--https-port", port]);
        }
        if let Some(size) = self.cache_disk {
            arguments.extend(["--cache-disk", size]);
        }
        self.command(&arguments).ok();
        let state = self.run_state();
        let port = |key: &str| state[key].as_str()?.rsplit(':').next()?.parse().ok();
        self.http = port("http").unwrap();
        self.https = port("https");
    }

    /// What `up` wrote down.
    pub(crate) fn run_state(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.data().join("run/up.json")).unwrap()).unwrap()
    }

    /// The pid of `supervisor`, `control` or `proxy`.
    pub(crate) fn pid(&self, role: &str) -> u32 {
        self.run_state()[role]["pid"].as_u64().unwrap() as u32
    }

    /// SIGKILLs a role and waits until it is gone.
    pub(crate) fn kill(&self, role: &str) -> Death {
        let pid = self.pid(role);
        let from = Instant::now();
        kill(pid);
        wait_until("the process is gone", || !runs(pid));
        Death {
            from,
            until: Instant::now(),
        }
    }

    /// Asks a role to end, as an upgrade does, and waits until another runs in its place.
    pub(crate) fn replace(&self, role: &str) {
        let old = self.pid(role);
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(old as i32),
            nix::sys::signal::Signal::SIGTERM,
        )
        .unwrap();
        wait_until("another one runs", || self.pid(role) != old && !runs(old));
    }

    /// Asks control for a fault when a deployment comes to a point. Read by debug builds only.
    #[track_caller]
    pub(crate) fn plant(&self, fault: &str) {
        let file = self.data().join("fault");
        std::fs::write(self.data().join("fault.new"), fault).unwrap();
        std::fs::rename(self.data().join("fault.new"), &file).unwrap();
        wait_until("the fault was read", || !file.exists());
    }

    /// Waits until control answers again (after it was killed).
    pub(crate) fn wait_for_control(&self) {
        wait_until("control answers", || self.run(&["status", "--json"]).code == 0);
    }

    fn command(&self, arguments: &[&str]) -> Said {
        Said::from(self.prepared(arguments).output().unwrap())
    }

    /// A command that is not started yet.
    pub(crate) fn prepared(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostkit"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("HOSTKIT_DATA", self.data())
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .envs(self.environment.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Runs `hostkit ARGUMENTS` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments)
    }

    /// The same with something on its standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Said {
        let mut child = self
            .prepared(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Said::from(child.wait_with_output().unwrap())
    }

    /// Runs `hostkit deploy FOLDER --project NAME --json` and returns what it said.
    pub(crate) fn deploy(&self, project: &str, folder: &Path) -> Said {
        self.run(&["deploy", folder.to_str().unwrap(), "--project", project, "--json"])
    }

    /// One GET to a project through the front door.
    pub(crate) fn get(&self, project: &str, path: &str) -> http::Answer {
        http::get(self.http, &format!("{project}.localhost"), path)
    }

    /// Waits until a GET answers with `text` in its body.
    #[track_caller]
    pub(crate) fn wait_for_text(&self, project: &str, path: &str, text: &str) {
        let mut last = None;
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let answer = self.get(project, path);
            if answer.body.contains(text) {
                return;
            }
            last = Some(answer);
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("never saw `{text}`; last answer: {last:?}");
    }

    /// Pids of all processes whose environment or arguments name this installation's data folder.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let needle = self.data().to_string_lossy().into_owned();
        let own = std::process::id();
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| *pid != own)
            .filter(|pid| {
                let read = |file: &str| {
                    String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default())
                        .into_owned()
                };
                let cwd = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
                read("cmdline").contains(&needle)
                    || read("environ").contains(&needle)
                    || cwd.starts_with(&needle)
            })
            .collect()
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        let said = self.command(&["down"]);
        let left = || self.processes();
        let started = Instant::now();
        while !left().is_empty() && started.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let remaining = left();
        for pid in &remaining {
            kill(*pid);
        }
        if !std::thread::panicking() {
            assert!(
                remaining.is_empty(),
                "processes were left running: {remaining:?}\n{said:?}"
            );
        } else {
            for log in ["control.log", "proxy.log", "up.log"] {
                let text = std::fs::read_to_string(self.data().join("logs").join(log)).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                println!("== {log}\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
            }
        }
    }
}

/// SIGKILL to one process that this test started.
pub(crate) fn kill(pid: u32) {
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid as i32),
        nix::sys::signal::Signal::SIGKILL,
    )
    .ok();
}

/// Whether a process still runs; one that only waits for its parent does not.
fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.trim().chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Polls until something is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "gave up waiting until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
