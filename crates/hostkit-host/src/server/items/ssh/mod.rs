//! SSH: keys only, and no password for root. What holds is what `sshd -T` says, for root, for everybody else, and for
//! who stands in a `Match` block; and nothing is taken away before somebody is known to get in without it.

mod files;
mod login;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::server::{
    Change, Comment, Effective, Machine, Order, SshdFiles, UnitAct, sshd_settings, strictest_root_login,
};

use crate::server::item::{Finding, Item, Site};
use crate::server::journal;
use crate::server::looks::{must, want_file};

/// Read first of all drop-ins: in sshd the first word counts.
const FILE: &str = "/etc/ssh/sshd_config.d/00-hostkit.conf";
const UNIT: &str = "ssh.service";

/// Keyword as it is written, keyword as it is printed, and every value that will do.
const WANTED: &[(&str, &[&str])] = &[
    ("PubkeyAuthentication", &["yes"]),
    ("PasswordAuthentication", &["no"]),
    ("KbdInteractiveAuthentication", &["no"]),
    ("PermitEmptyPasswords", &["no"]),
    (
        "PermitRootLogin",
        &[
            "no",
            "forced-commands-only",
            "prohibit-password",
            "without-password",
        ],
    ),
];

pub(super) struct Ssh;

impl Item for Ssh {
    fn name(&self) -> &'static str {
        "ssh"
    }

    fn title(&self) -> &'static str {
        "SSH by keys only"
    }

    fn why(&self) -> &'static str {
        "passwords are guessed by the million; keys are not"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["packages"]
    }

    fn plan(&self, site: &Site<'_>) -> Result<Finding, Failure> {
        let machine = site.machine;
        let mut finding = Finding {
            missing: machine.look(FILE)?.is_none(),
            ..Finding::default()
        };
        let files = files::load(machine)?;
        let ours_is_due = want_file(site, FILE, wanted_text(&files)?, &mut finding)?;
        if ours_is_due || site.unfinished {
            finding.change(Change::Unit(UnitAct::TryReload, UNIT.to_owned()));
        }
        if !is_installed(machine)? {
            // `--plan` on a bare machine: the packages come first.
            return Ok(finding);
        }
        let everybody = effective(machine, "nobody")?;
        let root = effective(machine, "root")?;
        for (keyword, fine) in WANTED {
            let printed = keyword.to_ascii_lowercase();
            let found = [&everybody, &root]
                .map(|effective| effective.value(&printed).to_owned())
                .into_iter()
                .find(|value| !value.is_empty() && !fine.contains(&value.as_str()));
            if let Some(value) = found {
                finding.find(format!(
                    "{keyword} is `{value}`{}",
                    files::source(&files, &printed)
                ));
            }
            if let Some(why) = files::overruled(&files, FILE, &printed, fine) {
                finding.refused.get_or_insert(why);
            }
        }
        if !ours_is_due && finding.refused.is_none() && !finding.findings.is_empty() {
            finding.refused = Some(unexplained(&finding.findings));
        }
        if let Err(lock_out) = login::somebody_gets_in(machine, site.wish)? {
            if !site.unfinished {
                finding.changes.clear();
            }
            // A machine that is closed already is not opened by leaving it alone, but it is worth a word.
            if finding.findings.is_empty() {
                finding.notes.push(lock_out.message);
            } else {
                finding.refused = Some(lock_out);
            }
        }
        Ok(finding)
    }

    /// sshd reads the new drop-in before all else, as it will be once it is in place.
    fn try_out(&self, site: &Site<'_>, changes: &[Change]) -> Result<(), Failure> {
        for change in changes {
            let Change::Write { after, .. } = change else {
                continue;
            };
            let part = format!("{}/sshd.part", journal::FOLDER);
            let whole = format!("{}/sshd.candidate", journal::FOLDER);
            site.machine.write(&part, after, 0o600)?;
            let text = format!("Include {part}\nInclude {}\n", hostkit_core::server::SSHD_MAIN);
            site.machine.write(&whole, &text, 0o600)?;
            let read = sshd(site.machine, &["-t", "-f", &whole]);
            site.machine.remove(&part)?;
            site.machine.remove(&whole)?;
            read?;
        }
        Ok(())
    }

    /// sshd reads all of it, and somebody still gets in.
    fn prove(&self, site: &Site<'_>) -> Result<(), Failure> {
        sshd(site.machine, &["-t"])?;
        login::somebody_gets_in(site.machine, site.wish)?
    }

    fn settle(&self, site: &Site<'_>) -> Result<(), Failure> {
        must(
            site.machine,
            &Order::new("systemctl", &["try-reload-or-restart", "--", UNIT]),
            "reload ssh",
        )
        .map(drop)
    }
}

fn wanted_text(files: &SshdFiles) -> Result<String, Failure> {
    let settings: Vec<(&str, &str)> = WANTED
        .iter()
        .map(|(keyword, fine)| match *keyword {
            "PermitRootLogin" => (*keyword, strictest_root_login(files, FILE)),
            _ => (*keyword, fine[0]),
        })
        .collect();
    sshd_settings(Comment("Who logs in has a key."), &settings)
}

/// The ports sshd listens on, for the firewall and for fail2ban; the usual one where there is no sshd yet.
pub(super) fn ports(machine: &dyn Machine) -> Result<Vec<u16>, Failure> {
    if !is_installed(machine)? {
        return Ok(vec![22]);
    }
    let effective = effective(machine, "root")?;
    let mut ports: Vec<u16> = effective
        .words("port")
        .into_iter()
        .filter_map(|port| port.parse().ok())
        .collect();
    // `ListenAddress` may name further ones.
    for address in effective.words("listenaddress") {
        ports.extend(
            address
                .rsplit(':')
                .next()
                .and_then(|port| port.parse::<u16>().ok()),
        );
    }
    ports.sort_unstable();
    ports.dedup();
    if ports.is_empty() { Ok(vec![22]) } else { Ok(ports) }
}

fn is_installed(machine: &dyn Machine) -> Result<bool, Failure> {
    Ok(machine.look("/usr/sbin/sshd")?.is_some())
}

/// What sshd would do for an account that comes from somewhere on the internet.
fn effective(machine: &dyn Machine, account: &str) -> Result<Effective, Failure> {
    let who = format!("user={account},host=visitor.invalid,addr=203.0.113.7,laddr=127.0.0.1,lport=22");
    Ok(Effective::parse(&sshd(machine, &["-T", "-C", &who])?))
}

fn sshd(machine: &dyn Machine, arguments: &[&str]) -> Result<String, Failure> {
    let order = Order::new("sshd", arguments);
    let mut ran = machine.run(&order)?;
    if !ran.is_fine() && ran.err.contains("privilege separation directory") {
        // Where a socket starts sshd, nobody has made its folder before the first visitor.
        machine.make_folder("/run/sshd", 0o755)?;
        ran = machine.run(&order)?;
    }
    if ran.is_fine() {
        return Ok(ran.out);
    }
    Err(
        Failure::new(Kind::Failed, "cannot read the settings of sshd: it refuses them")
            .details(ran.last_words())
            .hint("mend what `sshd -t` names, then `hostkit server setup` again"),
    )
}

fn unexplained(findings: &[String]) -> Failure {
    Failure::new(
        Kind::Conflict,
        "cannot set SSH to keys only: another file has the last word",
    )
    .details(findings.to_vec())
    .hint("`sshd -T` shows what holds, `grep -rn Authentication /etc/ssh` where it stands")
}
