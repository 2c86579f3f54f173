//! The programs of the fake machine.

use hostkit_core::server::{Order, Ran};

use super::{State, Unit, sshd};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f op@home\n";

pub(super) const BARE_FILES: &[(&str, &str)] = &[
    (
        "/etc/os-release",
        "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n",
    ),
    ("/run/systemd/system/-", ""),
    (
        "/etc/ssh/sshd_config",
        "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n",
    ),
    (
        "/etc/ssh/sshd_config.d/50-cloud-init.conf",
        "PasswordAuthentication yes\nPermitRootLogin yes\n",
    ),
    (
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n",
    ),
    ("/etc/shadow", "root:*:19000:0:99999:7:::\n"),
    ("/root/.ssh/authorized_keys", KEY),
    ("/proc/swaps", "Filename Type Size Used Priority\n"),
    ("/etc/systemd/journald.conf", "[Journal]\n#Storage=auto\n"),
    (
        "/etc/apt/apt.conf.d/20auto-upgrades",
        "APT::Periodic::Update-Package-Lists \"1\";\n",
    ),
];

pub(super) const BARE_KERNEL: &[(&str, &str)] = &[
    ("net.core.somaxconn", "4096\n"),
    ("net.ipv4.ip_local_reserved_ports", "\n"),
    ("vm.swappiness", "60\n"),
    ("fs.inotify.max_user_watches", "8192\n"),
    ("kernel.dmesg_restrict", "0\n"),
];

pub(super) const BARE_PACKAGES: &[&str] =
    &["acl", "ca-certificates", "openssh-server", "procps", "logrotate"];

/// Puts there what a package brings.
pub(super) fn unpack(state: &mut State, name: &str) {
    state.installed.insert(name.to_owned());
    let running = Unit {
        enabled: true,
        active: true,
        masked: false,
    };
    let mut unit = |name: &str| {
        state.units.entry(name.to_owned()).or_insert(running);
    };
    match name {
        "openssh-server" => {
            unit("ssh.service");
            state.put("/usr/sbin/sshd", "", 0o755);
            let text = sshd::effective(state);
            state.in_force.insert("sshd", text);
        }
        "fail2ban" => unit("fail2ban.service"),
        "logrotate" => unit("logrotate.timer"),
        "pgbouncer" | "postgresql" | "redis-server" => unit(&format!("{name}.service")),
        "systemd-timesyncd" => unit("systemd-timesyncd.service"),
        "unattended-upgrades" => {
            unit("apt-daily.timer");
            unit("apt-daily-upgrade.timer");
        }
        "nftables" => state.put("/usr/sbin/nft", "", 0o755),
        _ => {}
    }
}

/// Whether a program is called to change something.
pub(super) fn changes_something(order: &Order) -> bool {
    let first = order.arguments.first().map(String::as_str).unwrap_or_default();
    match order.program.as_str() {
        "apt-get" | "chattr" | "fallocate" | "mkswap" | "mv" | "swapoff" | "sysctl" => true,
        "systemctl" => first != "show",
        "ufw" => first != "status",
        "dpkg" => first != "--audit",
        _ => false,
    }
}

pub(super) fn run(state: &mut State, order: &Order) -> Ran {
    let arguments: Vec<&str> = order.arguments.iter().map(String::as_str).collect();
    let first = arguments.first().copied().unwrap_or_default();
    for fault in [order.program.clone(), format!("{} {first}", order.program)] {
        if let Some(words) = state.failing.get(&fault) {
            return no(100, words);
        }
    }
    match order.program.as_str() {
        "dpkg" if first == "--audit" => yes(match (state.half_installed, state.half_unpacked) {
            (_, true) => "must be reinstalled: x\n",
            (true, false) => "half-configured: x\n",
            (false, false) => "",
        }),
        "dpkg" => {
            state.half_installed = false;
            yes("")
        }
        "dpkg-query" => yes(state
            .installed
            .iter()
            .map(|name| format!("ii  {name}\n"))
            .collect::<String>()),
        "apt-get" => apt(state, &arguments),
        "apt-config" => yes(apt_settings(state, &arguments)),
        "systemctl" => systemctl(state, &arguments),
        "systemd-detect-virt" => no(i32::from(!state.container), ""),
        "systemd-analyze" => yes(merged(
            state,
            "/etc/systemd/journald.conf",
            "/etc/systemd/journald.conf.d/",
        )),
        "sshd" if first == "-T" => yes(sshd::effective(state)),
        "sshd" => {
            let main = arguments
                .iter()
                .position(|word| *word == "-f")
                .map(|at| arguments[at + 1]);
            match sshd::complaint(state, main) {
                Some(words) => no(255, &words),
                None => yes(""),
            }
        }
        "getent" => yes(state.text("/etc/passwd").unwrap_or_default()),
        "sudo" => sudo(arguments.last().copied().unwrap_or_default()),
        "sysctl" => sysctl(state, &arguments),
        "ufw" => ufw(state, &arguments),
        "nft" if !state.installed.contains("nftables") => no(Ran::NOT_INSTALLED, "nft: not installed"),
        "nft" => yes(""),
        "fail2ban-client" => fail2ban(state, first),
        "fallocate" => {
            let size: u64 = arguments[1].parse().unwrap_or_default();
            if size > state.free {
                no(1, "No space left on device")
            } else {
                yes("")
            }
        }
        "mv" => {
            let [from, to] = [arguments[2], arguments[3]];
            if let Some(entry) = state.files.remove(from) {
                state.files.insert(to.to_owned(), entry);
            }
            yes("")
        }
        "chattr" | "mkswap" | "swapoff" => yes(""),
        other => no(Ran::NOT_INSTALLED, &format!("{other}: not installed")),
    }
}

fn yes(text: impl Into<String>) -> Ran {
    Ran {
        code: 0,
        out: text.into(),
        err: String::new(),
    }
}

fn no(code: i32, words: &str) -> Ran {
    Ran {
        code,
        out: String::new(),
        err: words.to_owned(),
    }
}

fn apt(state: &mut State, arguments: &[&str]) -> Ran {
    if arguments.contains(&"--fix-broken") {
        state.half_unpacked = false;
    }
    if arguments.contains(&"install") {
        let names = arguments.iter().skip_while(|word| **word != "--").skip(1);
        for name in names {
            unpack(state, name);
        }
    }
    yes("")
}

fn apt_settings(state: &State, arguments: &[&str]) -> String {
    let lines = |text: &str| -> String {
        let lines = text.lines().filter(|line| line.ends_with(';'));
        lines.map(|line| format!("{line}\n")).collect()
    };
    if first_is(arguments, "--config-file") {
        return lines(state.text(arguments[1]).unwrap_or_default());
    }
    let inside = |path: &&String| path.starts_with("/etc/apt/apt.conf.d/");
    let mut files: Vec<&String> = state.files.keys().filter(inside).collect();
    // The last word counts; it is printed first here, for the first is found.
    files.sort_by(|one, other| other.cmp(one));
    files
        .into_iter()
        .map(|path| lines(state.text(path).unwrap_or_default()))
        .collect()
}

fn first_is(arguments: &[&str], word: &str) -> bool {
    arguments.first() == Some(&word)
}

fn systemctl(state: &mut State, arguments: &[&str]) -> Ran {
    let name = arguments.last().copied().unwrap_or_default().to_owned();
    if first_is(arguments, "show") {
        if name.starts_with("--property=DefaultLimitNOFILE") {
            let soft = state
                .in_force
                .get("files")
                .cloned()
                .unwrap_or_else(|| "1024".to_owned());
            return yes(format!("DefaultLimitNOFILESoft={soft}\n"));
        }
        let found = state.units.get(&name).copied();
        let unit = found.unwrap_or_default();
        let load = match (found, unit.masked) {
            (None, _) => "not-found",
            (_, true) => "masked",
            _ => "loaded",
        };
        let file = match (found, unit.masked, unit.enabled) {
            (None, ..) => "",
            (_, true, _) => "masked",
            (.., true) => "enabled",
            _ => "disabled",
        };
        let active = if unit.active { "active" } else { "inactive" };
        return yes(format!(
            "LoadState={load}\nActiveState={active}\nUnitFileState={file}\n"
        ));
    }
    if first_is(arguments, "daemon-reload") {
        let text = state
            .text("/etc/systemd/system.conf.d/60-hostkit.conf")
            .unwrap_or_default();
        let soft = text
            .rsplit('=')
            .next()
            .and_then(|value| value.split(':').next())
            .unwrap_or_default();
        let soft = if soft.parse::<u64>().is_ok() {
            soft.to_owned()
        } else {
            "1024".to_owned()
        };
        state.in_force.insert("files", soft);
        return yes("");
    }
    if first_is(arguments, "mask") {
        // Also one that is not there yet.
        state.units.entry(name).or_default().masked = true;
        return yes("");
    }
    let is_file = state.text(&format!("/etc/systemd/system/{name}")).is_some();
    if !is_file && !state.units.contains_key(&name) && name != "systemd-journald.service" {
        return no(5, &format!("Unit {name} not found."));
    }
    let unit = state.units.entry(name.clone()).or_default();
    let reads = match arguments[0] {
        "unmask" => {
            unit.masked = false;
            false
        }
        "enable" => {
            (unit.enabled, unit.active) = (true, true);
            true
        }
        "disable" => {
            unit.enabled = false;
            false
        }
        "restart" | "reload-or-restart" => {
            unit.active = true;
            true
        }
        _ => unit.active,
    };
    if reads && name == "ssh.service" {
        let text = sshd::effective(state);
        state.in_force.insert("sshd", text);
    }
    if name.ends_with("swapfile.swap") && first_is(arguments, "enable") {
        state.put(
            "/proc/swaps",
            "Filename Type\n/var/lib/hostkit/swapfile file\n",
            0o444,
        );
    }
    yes("")
}

fn merged(state: &State, main: &str, folder: &str) -> String {
    let files = state
        .files
        .iter()
        .filter(|(path, _)| path.as_str() == main || path.starts_with(folder));
    files
        .map(|(path, entry)| format!("# {path}\n{}\n", entry.text))
        .collect()
}

fn sudo(name: &str) -> Ran {
    match name {
        "deploy" => yes("User deploy may run the following commands on vm:\n    (ALL) NOPASSWD: ALL\n"),
        _ => yes(format!("User {name} is not allowed to run sudo on vm.\n")),
    }
}

fn sysctl(state: &mut State, arguments: &[&str]) -> Ran {
    let Some((key, value)) = arguments.last().and_then(|pair| pair.split_once('=')) else {
        return no(1, "no setting");
    };
    let path = format!("/proc/sys/{}", key.replace('.', "/"));
    match state.files.get_mut(&path) {
        Some(entry) if !entry.read_only => {
            entry.text = format!("{value}\n");
            yes("")
        }
        _ => no(255, "cannot set"),
    }
}

fn ufw(state: &mut State, arguments: &[&str]) -> Ran {
    let Some(rules) = &mut state.ufw else {
        return no(Ran::NOT_INSTALLED, "ufw: not installed");
    };
    if first_is(arguments, "allow") {
        rules.push(format!("{}  ALLOW  Anywhere", arguments[1]));
        return yes("");
    }
    yes(format!(
        "Status: active\n\nTo  Action  From\n{}\n",
        rules.join("\n")
    ))
}

fn fail2ban(state: &State, first: &str) -> Ran {
    if !state.installed.contains("fail2ban") {
        return no(Ran::NOT_INSTALLED, "fail2ban-client: not installed");
    }
    let text = state
        .text("/etc/fail2ban/jail.d/hostkit.local")
        .unwrap_or_default();
    match first {
        "get" if text.contains("[sshd]") => {
            yes("The jail sshd has the following actions:\nnftables-multiport\n")
        }
        "get" => no(255, "Sorry but the jail 'sshd' does not exist"),
        _ => yes(""),
    }
}
