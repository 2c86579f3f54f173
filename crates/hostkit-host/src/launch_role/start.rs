//! The role `launch`: from the start of the unit to the program itself.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use hostkit_core::log::LogStream;
use jiff::Timestamp;
use nix::sys::prctl;

use super::{CANNOT_START, LaunchSpec, RunRecord, keeper};
use crate::launch::find_program;
use crate::processes::ProcessMark;

/// Where systemd listens for words of its services. A program's variables may hold another NOTIFY_SOCKET.
const NOTIFY_SOCKET: &str = "/run/systemd/notify";

/// Runs the role; it only returns where the program cannot be started.
pub(crate) fn run() -> i32 {
    let Ok(spec) = LaunchSpec::read_from_input() else {
        return 64;
    };
    let _ = prctl::set_name(c"hostkit-launch");
    wait_out_the_pause(&spec);
    let Err(why) = launch(&spec);
    let mut log = spec.log_about_it();
    let text = format!("cannot start `{}`: {why}", spec.program);
    log.line(Timestamp::now(), LogStream::Hostkit, &text);
    log.flush();
    CANNOT_START
}

/// A signal meanwhile ends this process, which is what whoever sent it wanted.
fn wait_out_the_pause(spec: &LaunchSpec) {
    let record = RunRecord::read(&spec.state);
    let Some(end) = record.pause_ends(&spec.restart) else {
        return;
    };
    let now = Timestamp::now();
    if end <= now {
        return;
    }
    // A clock that was set back does not make the pause longer than any pause is.
    let left = end.duration_since(now).unsigned_abs().min(spec.restart.longest.0);
    tell(&format!(
        "STATUS=ended {} times; started again at {end}",
        record.crashes
    ));
    std::thread::sleep(left);
}

fn launch(spec: &LaunchSpec) -> io::Result<Infallible> {
    if !spec.directory.is_dir() {
        let why = format!("its folder `{}` does not exist", spec.directory.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, why));
    }
    let environment: BTreeMap<String, String> = spec
        .variables
        .iter()
        .filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)))
        .collect();
    let program = find_program(&spec.program, &environment, &spec.directory)?;
    let (output, errors) = keeper::start(spec, ProcessMark::of(std::process::id()))?;
    let mut command = Command::new(program);
    command
        .arg0(&spec.program)
        .args(&spec.arguments)
        .env_clear()
        .envs(&environment)
        .current_dir(&spec.directory)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors);
    // Before it is so, for afterwards nobody of ours is left to say it: what can be known of a failure was looked at.
    tell("READY=1\nSTATUS=running");
    Err(command.exec())
}

/// Says something to systemd. Whether it was heard shows in the unit's state.
fn tell(words: &str) {
    if let Ok(socket) = UnixDatagram::unbound() {
        let _ = socket.send_to(words.as_bytes(), NOTIFY_SOCKET);
    }
}
