//! The role that becomes another account, as a login would, and makes the attempts. It never comes back from there.

use std::ffi::CString;
use std::io::{self, BufRead, Write};

use nix::unistd::{Gid, Uid, chdir, initgroups, setgid, setuid};
use serde::{Deserialize, Serialize};

use super::attempt::Attempt;

/// What the role is told on its standard input, in one line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    /// Whom to become.
    pub(super) account: String,
    /// The number of the account.
    pub(super) uid: u32,
    /// The number of its group.
    pub(super) gid: u32,
    /// What to try then.
    pub(super) attempts: Vec<Attempt>,
}

/// What the role says on its standard output, a line each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Said {
    /// The attempt that is made now waits for a visitor.
    Waits,
    /// The attempt is over; why it was refused, if it was.
    Made(Option<String>),
}

/// Runs the role to its end.
pub(crate) fn run() -> i32 {
    match obey() {
        Ok(()) => 0,
        Err(error) => {
            // Whoever started it reads this.
            let _ = writeln!(io::stderr(), "cannot try anything: {error}");
            1
        }
    }
}

fn obey() -> io::Result<()> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let orders: Orders = serde_json::from_str(&line)?;
    become_account(&orders)?;
    for attempt in &orders.attempts {
        let outcome = attempt.make(|| {
            // Where nobody hears it nobody comes, and the attempt fails: no reason to stop here.
            let _ = say(&Said::Waits);
        });
        say(&Said::Made(outcome.err()))?;
    }
    Ok(())
}

fn say(said: &Said) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, said)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// With every group the account is in, as a login has them: what they open it may open.
fn become_account(orders: &Orders) -> io::Result<()> {
    if orders.uid == 0 || orders.gid == 0 {
        return Err(io::Error::other("root is refused nothing"));
    }
    let name = CString::new(orders.account.as_str())?;
    let gid = Gid::from_raw(orders.gid);
    initgroups(&name, gid)?;
    setgid(gid)?;
    setuid(Uid::from_raw(orders.uid))?;
    if setuid(Uid::from_raw(0)).is_ok() {
        return Err(io::Error::other("the rights of root did not go"));
    }
    chdir("/")?;
    Ok(())
}
