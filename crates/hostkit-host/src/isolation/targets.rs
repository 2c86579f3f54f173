//! THE list of attempts: what an account may want of another project, one line each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use hostkit_core::layout::Layout;
use hostkit_core::names::EnvironmentName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::services::{ServiceName, ServiceRole};

use super::attempt::{Act, Attempt};
use super::found::Found;
use super::{Question, Tenant};
use crate::sudoers;
use crate::systemd::UnitName;

/// An attempt, and why it cannot be made, if so.
pub(super) struct Target {
    pub(super) attempt: Attempt,
    pub(super) missing: Option<String>,
}

/// Places of the machine that are no project's, and what standing in them would mean.
const FOREIGN_FOLDERS: [(&str, &str); 9] = [
    ("place", "/home"),
    ("place", "/etc"),
    ("place", "/usr/local/bin"),
    ("place", "/var/log/projects"),
    ("state", "/run/hostkit"),
    ("unit", "/etc/systemd/system"),
    ("sudo", "/etc/sudoers.d"),
    ("schedule", "/etc/cron.d"),
    ("session", "/var/lib/systemd/linger"),
];
const CRON_TABLES: &str = "/var/spool/cron/crontabs";
const AT_JOBS: &str = "/var/spool/cron/atjobs";

/// Everything that is tried, by what it goes for.
pub(super) fn all(layout: &Layout, to: &Tenant, found: &Found, questions: &[Question]) -> Vec<Target> {
    let mut targets = Vec::new();
    targets.extend(of_home(layout, to));
    targets.extend(of_machine(layout, to, found));
    targets.extend(of_services(layout, to));
    targets.extend(of_backups(layout, to));
    targets.extend(of_processes(found));
    targets.extend(of_ports(found));
    targets.extend(of_programs(to));
    targets.extend(questions.iter().map(|question| {
        let act = Act::Ask {
            socket: layout.control_socket(),
            method: question.method.clone(),
            path: question.path.clone(),
            body: question.body.clone(),
        };
        target("control", format!("have control {}", question.says), act)
    }));
    targets
}

fn target(noun: &str, says: String, act: Act) -> Target {
    let noun = noun.to_owned();
    let attempt = Attempt { noun, says, act };
    let missing = match &attempt.act {
        Act::Read(path)
        | Act::List(path)
        | Act::Create(path)
        | Act::Append(path)
        | Act::ConnectSocket(path) => (!path.exists()).then(|| "there is none".to_owned()),
        Act::Run(line) => not_installed(line),
        // What root does not see either nobody could.
        Act::Print(line) => not_installed(line).or_else(|| attempt.make(|| ()).err()),
        _ => None,
    };
    Target { attempt, missing }
}

fn not_installed(line: &[String]) -> Option<String> {
    let program = line.first().filter(|program| !Path::new(program).exists())?;
    Some(format!("{program} is not installed"))
}

fn read(noun: &str, path: PathBuf) -> Target {
    target(noun, format!("read {}", path.display()), Act::Read(path))
}

fn list(noun: &str, path: PathBuf) -> Target {
    target(noun, format!("list {}", path.display()), Act::List(path))
}

fn create(noun: &str, path: PathBuf) -> Target {
    target(
        noun,
        format!("make a file in {}", path.display()),
        Act::Create(path),
    )
}

fn append(noun: &str, path: PathBuf) -> Target {
    target(noun, format!("write to {}", path.display()), Act::Append(path))
}

/// What is the project's own.
fn of_home(layout: &Layout, to: &Tenant) -> Vec<Target> {
    let id = EnvironmentId::new(to.project.clone(), EnvironmentName::production());
    let home = layout.home(&to.project);
    let logs = layout.logs(&id);
    vec![
        list("home", home.clone()),
        create("home", home.clone()),
        list("release", layout.releases(&id)),
        create("release", layout.releases(&id)),
        list("release", layout.current(&id)),
        list("environment", home.join("environments")),
        read("variables", home.join(".env")),
        append("variables", home.join(".env")),
        list("shared", layout.shared(&id)),
        create("shared", layout.shared(&id)),
        list("cache", layout.cache(&to.project)),
        create("cache", layout.cache(&to.project)),
        read("key", home.join(".ssh/authorized_keys")),
        append("key", home.join(".ssh/authorized_keys")),
        list("log", logs.clone()),
        create("log", logs.clone()),
        read("log", logs.join("app.log")),
        read("log", logs.join("error.log")),
    ]
}

/// What root and the system keep.
fn of_machine(layout: &Layout, to: &Tenant, found: &Found) -> Vec<Target> {
    let mut targets = vec![
        list("state", layout.data().to_owned()),
        create("state", layout.data().to_owned()),
        read("state", layout.database()),
        read("state", layout.key()),
        list("state", layout.project(&to.project)),
        read(
            "sudo",
            Path::new("/etc/sudoers.d").join(sudoers::file_name(&to.project)),
        ),
        create("schedule", CRON_TABLES.into()),
        read("schedule", Path::new(CRON_TABLES).join(to.project.as_str())),
        create("schedule", AT_JOBS.into()),
        list("session", format!("/run/user/{}", to.uid).into()),
        target(
            "socket",
            "connect to the front door's socket for tables".to_owned(),
            Act::ConnectSocket(layout.proxy_socket()),
        ),
    ];
    targets.extend(FOREIGN_FOLDERS.map(|(noun, folder)| create(noun, folder.into())));
    targets.extend(
        found
            .instance_files
            .iter()
            .map(|path| read("state", path.clone())),
    );
    targets.extend(found.sockets.iter().map(|path| {
        let says = format!("connect to the socket {}", path.display());
        target("socket", says, Act::ConnectSocket(path.clone()))
    }));
    targets.extend(
        found
            .temporary
            .iter()
            .map(|path| append("temporary file", path.clone())),
    );
    targets
}

/// What services keep for the project.
fn of_services(layout: &Layout, to: &Tenant) -> Vec<Target> {
    let production = EnvironmentId::new(to.project.clone(), EnvironmentName::production());
    let redis = layout.service(&ServiceName {
        environment: Some(production),
        role: ServiceRole::Redis,
    });
    let gateway = layout.service(&ServiceName {
        environment: None,
        role: ServiceRole::RedisRest,
    });
    let postgres = layout.service(&ServiceName {
        environment: None,
        role: ServiceRole::Postgres,
    });
    vec![
        list("history", postgres.join("data/spool")),
        create("history", postgres.join("data/spool")),
        list("add-on", layout.services()),
        list("add-on", redis.join("data")),
        create("add-on", redis.join("data")),
        read("add-on", redis.join("configuration/users.acl")),
        read("add-on", gateway.join("configuration/settings.json")),
    ]
}

/// Backups, and bases of the history of databases, in the installation's own folder. They are encrypted besides.
fn of_backups(layout: &Layout, to: &Tenant) -> Vec<Target> {
    let folder = layout.backups().join(to.project.as_str());
    vec![
        list("history", layout.backups().join("cluster.postgres")),
        list("backup", folder.clone()),
        create("backup", folder),
        read("backup", layout.backup_key()),
    ]
}

fn of_processes(found: &Found) -> Vec<Target> {
    let mut targets = Vec::new();
    for pid in &found.processes {
        let file = |name: &str| PathBuf::from(format!("/proc/{pid}/{name}"));
        targets.push(read("process", file("cmdline")));
        targets.push(read("process", file("environ")));
        targets.push(target(
            "process",
            format!("trace process {pid}"),
            Act::Read(file("mem")),
        ));
        targets.push(target(
            "process",
            format!("signal process {pid}"),
            Act::Signal(*pid),
        ));
    }
    targets.extend(
        found
            .control_groups
            .iter()
            .map(|path| append("control group", path.clone())),
    );
    if targets.is_empty() {
        // Said, so that nobody takes silence for a wall.
        let act = Act::Signal(0);
        targets.push(Target {
            missing: Some("nothing of it runs".to_owned()),
            ..target("process", "reach its processes".to_owned(), act)
        });
    }
    targets
}

fn of_ports(found: &Found) -> Vec<Target> {
    let mut targets = Vec::new();
    let ports = found.ports.iter().map(|port| ("port", port));
    let of_addons = found.addon_ports.iter().map(|port| ("add-on port", port));
    for (noun, (port, listened)) in ports.chain(of_addons) {
        let hosts = [
            (IpAddr::from(Ipv4Addr::LOCALHOST), listened.v4),
            (IpAddr::from(Ipv6Addr::LOCALHOST), listened.v6),
        ];
        for (host, is_taken) in hosts {
            let address = SocketAddr::new(host, *port);
            // Where somebody listens one can want to be heard, where nobody does to be taken for the one who should.
            targets.push(match is_taken {
                true => target(noun, format!("connect to {address}"), Act::Connect(address)),
                false => target(
                    noun,
                    format!("answer visitors of {address}"),
                    Act::Answer(address),
                ),
            });
        }
    }
    if targets.is_empty() {
        let act = Act::Connect(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        targets.push(Target {
            missing: Some("it has none".to_owned()),
            ..target("port", "reach its ports".to_owned(), act)
        });
    }
    targets
}

/// What programs with more rights could be asked to do.
fn of_programs(to: &Tenant) -> Vec<Target> {
    let name = to.project.as_str();
    let line = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<String>>()
    };
    let sudo = |words: &[&str]| Act::Run([line(&["/usr/bin/sudo", "-n"]), line(words)].concat());
    let hostkit = sudoers::PROGRAM;
    let units = format!("hostkit-{name}*");
    let slice = UnitName::slice(&["projects", name])
        .map_or_else(|_| name.to_owned(), |unit| unit.as_str().to_owned());
    let journal = |word: String| {
        Act::Print(line(&[
            "/usr/bin/journalctl",
            "--quiet",
            "--no-pager",
            "--lines=1",
            "--output=cat",
            &word,
        ]))
    };
    let systemctl =
        |words: &[&str]| Act::Run([line(&["/usr/bin/systemctl", "--no-ask-password"]), line(words)].concat());
    let program_as_other = line(&[
        "/usr/bin/systemd-run",
        "--no-ask-password",
        "--quiet",
        "--wait",
        "--collect",
        &format!("--uid={name}"),
        "/usr/bin/true",
    ]);
    vec![
        target(
            "sudo",
            format!("run hostkit as {name} by sudo"),
            sudo(&["-u", name, "--", hostkit, "version"]),
        ),
        target(
            "sudo",
            format!("run a program as {name} by sudo"),
            sudo(&["-u", name, "--", "/usr/bin/true"]),
        ),
        target(
            "sudo",
            "run hostkit as root by sudo".to_owned(),
            sudo(&["-u", "root", "--", hostkit, "version"]),
        ),
        target(
            "sudo",
            "run a program as root by sudo".to_owned(),
            sudo(&["-u", "root", "--", "/usr/bin/true"]),
        ),
        target(
            "sudo",
            format!("have hostkit show project {name} by sudo"),
            sudo(&["--", hostkit, "project", "show", name]),
        ),
        target(
            "journal",
            format!("read what the system notes of {name}'s account"),
            journal(format!("_UID={}", to.uid)),
        ),
        target(
            "journal",
            format!("read what the system notes of {units}"),
            journal(format!("--unit={units}")),
        ),
        target(
            "unit",
            format!("manage {slice}"),
            systemctl(&["reset-failed", "--", &slice]),
        ),
        target(
            "unit",
            "have systemd read its units again".to_owned(),
            systemctl(&["daemon-reload"]),
        ),
        target(
            "unit",
            format!("have systemd run a program as {name}"),
            Act::Run(program_as_other),
        ),
    ]
}
