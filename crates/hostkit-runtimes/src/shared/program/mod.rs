//! A workload's command as it is started: words, environment, folder.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hostkit_core::manifest::Command;
use hostkit_core::workload::Workload;
use hostkit_host::launch::{Launch, Leads, Priority, find_program};

/// What is started for one instance of a workload that listens at `address`.
pub(crate) fn launch(workload: &Workload, address: Option<SocketAddr>) -> Launch {
    let environment = environment(workload, address);
    let words = match &workload.command {
        Command::Arguments(words) => words
            .iter()
            .map(|word| fill_in(word, workload, address))
            .collect(),
        Command::Line(line) => vec![
            "/bin/sh".to_owned(),
            "-c".to_owned(),
            shell_line(line, workload, &environment),
        ],
    };
    let mut words = words.into_iter();
    Launch {
        program: words.next().unwrap_or_default(),
        arguments: words.collect(),
        environment,
        directory: workload.directory.clone(),
        leads: Leads::Group,
        priority: Priority::Normal,
    }
}

/// The workload's variables, the port and the host; nothing of ours.
fn environment(workload: &Workload, address: Option<SocketAddr>) -> BTreeMap<String, String> {
    let mut environment: BTreeMap<String, String> = workload
        .variables
        .iter()
        .map(|(name, value)| (name.to_string(), value.reveal().to_owned()))
        .collect();
    if let (Some(name), Some(address)) = (&workload.port_variable, address) {
        environment.insert(name.to_string(), address.port().to_string());
        environment.insert("HOST".into(), address.ip().to_string());
    }
    environment
}

/// Replaces `$PORT`, `${PORT}` (and the port's own variable) and `$HOST`; every other dollar stays what it is.
fn fill_in(word: &str, workload: &Workload, address: Option<SocketAddr>) -> String {
    let (Some(own), Some(address)) = (&workload.port_variable, address) else {
        return word.to_owned();
    };
    let mut filled = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        filled.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (name, after) = match rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some(parts) => parts,
            None => {
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                rest.split_at(end)
            }
        };
        if name == "PORT" || name == own.as_str() {
            filled.push_str(&address.port().to_string());
            rest = after;
        } else if name == "HOST" {
            filled.push_str(&address.ip().to_string());
            rest = after;
        } else {
            filled.push('$');
        }
    }
    filled.push_str(rest);
    filled
}

/// A line that is one plain command replaces the shell, so that signals and exit codes are the program's own.
fn shell_line(line: &str, workload: &Workload, environment: &BTreeMap<String, String>) -> String {
    /// Words a shell knows itself, which `exec` would look for in PATH.
    const SHELL_WORDS: [&str; 33] = [
        ".", ":", "[", "alias", "bg", "break", "case", "cd", "command", "continue", "eval", "exec", "exit",
        "export", "fg", "for", "if", "jobs", "local", "read", "readonly", "return", "set", "shift", "source",
        "time", "times", "trap", "ulimit", "umask", "unset", "until", "while",
    ];
    let plain = |c: char| c.is_ascii_alphanumeric() || " -_./:,=@%+$".contains(c);
    let first = line.split(' ').find(|word| !word.is_empty()).unwrap_or_default();
    let is_program = !first.contains(['=', '$'])
        && !SHELL_WORDS.contains(&first)
        && find_program(first, environment, &workload.directory).is_ok();
    if line.chars().all(plain) && is_program {
        format!("exec {}", line.trim())
    } else {
        line.to_owned()
    }
}

#[cfg(test)]
mod tests;
