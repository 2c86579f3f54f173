//! Tries everything that one project's account must not be able to do to another project, really as that account: as a
//! login has it, outside of the walls that stand around a project's programs. What is refused there is refused behind
//! the walls as well.

mod attempt;
mod found;
mod role;
mod targets;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use hostkit_core::access::Account;
use hostkit_core::isolation::{AttemptOutcome, AttemptReport, IsolationReport};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::names::ProjectName;
use nix::unistd::User;

use crate::roles::SelfProgram;
use attempt::{Act, Attempt};
use role::{Orders, Said};
use targets::Target;

pub(crate) use role::run as run_role;

/// How long a visitor tries.
const VISIT: Duration = Duration::from_secs(2);

/// A question to control that it must answer to nobody but the other project, or an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What it asks for, in words: `read project b`.
    pub says: String,
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// A JSON body, one that changes nothing where it is obeyed.
    pub body: Option<String>,
}

/// A project's account.
#[derive(Debug, Clone)]
struct Tenant {
    project: ProjectName,
    uid: u32,
    gid: u32,
}

/// Tries everything as `from` at `to`. Only root can become somebody else.
pub fn examine(
    layout: &Layout,
    (from, to): (&ProjectName, &ProjectName),
    questions: &[Question],
    program: &SelfProgram,
) -> Result<IsolationReport, Failure> {
    if !nix::unistd::geteuid().is_root() {
        return Err(Failure::new(
            Kind::Denied,
            format!("cannot try what `{from}` may do to `{to}`: only root may"),
        )
        .hint(format!("`sudo hostkit doctor isolation {from} {to}`")));
    }
    if from == to {
        return Err(Failure::new(
            Kind::Invalid,
            format!("cannot keep `{from}` apart from itself: name two projects"),
        ));
    }
    let (from, to) = (tenant(from)?, tenant(to)?);
    let targets = targets::all(layout, &to, &found::look(layout, &to)?, questions);
    let attempts = made(&from, targets, program)?;
    Ok(IsolationReport {
        from: from.project,
        to: to.project,
        attempts,
    })
}

fn tenant(project: &ProjectName) -> Result<Tenant, Failure> {
    let found = User::from_name(project.as_str()).ok().flatten();
    let ours = found.filter(|user| {
        let account = Account {
            name: user.name.clone(),
            comment: user.gecos.to_string_lossy().into_owned(),
        };
        account.project().as_ref() == Some(project)
    });
    match ours {
        Some(user) => Ok(Tenant {
            project: project.clone(),
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }),
        None => Err(Failure::new(
            Kind::NotFound,
            format!("cannot find the account of project `{project}`"),
        )
        .hint("`hostkit project list` names the projects of this machine")),
    }
}

/// Makes what can be made of the attempts, in their order.
fn made(from: &Tenant, targets: Vec<Target>, program: &SelfProgram) -> Result<Vec<AttemptReport>, Failure> {
    let attempts: Vec<Attempt> = targets
        .iter()
        .filter(|target| target.missing.is_none())
        .map(|target| target.attempt.clone())
        .collect();
    let mut attacker = Attacker::start(from, attempts, program)?;
    let mut reports = Vec::with_capacity(targets.len());
    for target in targets {
        let (outcome, why) = match target.missing {
            Some(why) => (AttemptOutcome::NotMade, Some(why)),
            None => match attacker.next(&target.attempt)? {
                Some(why) => (AttemptOutcome::Refused, Some(why)),
                None => (AttemptOutcome::Succeeded, None),
            },
        };
        reports.push(AttemptReport {
            noun: target.attempt.noun,
            act: target.attempt.says,
            outcome,
            why,
        });
    }
    Ok(reports)
}

/// The process that tries. Ends with this value.
struct Attacker {
    child: Child,
    said: BufReader<ChildStdout>,
    _orders: ChildStdin,
}

impl Attacker {
    fn start(from: &Tenant, attempts: Vec<Attempt>, program: &SelfProgram) -> Result<Self, Failure> {
        let orders = Orders {
            account: from.project.to_string(),
            uid: from.uid,
            gid: from.gid,
            attempts,
        };
        let mut text = serde_json::to_vec(&orders).map_err(|e| broken(&e))?;
        text.push(b'\n');
        let mut child = program
            .role("attempts")
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|e| broken(&e))?;
        let (input, output) = child
            .stdin
            .take()
            .zip(child.stdout.take())
            .ok_or_else(|| broken(&"no pipes"))?;
        let mut attacker = Attacker {
            child,
            said: BufReader::new(output),
            _orders: input,
        };
        attacker._orders.write_all(&text).map_err(|e| broken(&e))?;
        Ok(attacker)
    }

    /// How the next attempt ended: why it was refused, if it was.
    fn next(&mut self, attempt: &Attempt) -> Result<Option<String>, Failure> {
        loop {
            let mut line = String::new();
            let read = self.said.read_line(&mut line).map_err(|e| broken(&e))?;
            if read == 0 {
                return Err(broken(&format!("it ended at `{}`", attempt.says)));
            }
            match serde_json::from_str(&line).map_err(|e| broken(&e))? {
                Said::Made(why) => return Ok(why),
                // Whether anybody is answered is for the one who waits to say.
                Said::Waits => {
                    if let Act::Answer(address) = attempt.act {
                        let _ = TcpStream::connect_timeout(&address, VISIT);
                    }
                }
            }
        }
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        // It has ended by itself, unless something went wrong here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn broken(why: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Kind::Internal,
        format!("cannot try what projects may do to each other: {why}"),
    )
}
