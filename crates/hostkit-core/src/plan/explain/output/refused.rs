//! What programs print when the system refuses them something (ports, files, memory, disk, a connection), and when
//! their own source does not parse.

use super::super::{Cause, Explanation};
use super::{Lines, short};

pub(super) fn out_of_memory(lines: &Lines<'_>) -> Option<Explanation> {
    lines.after(&[
        "JavaScript heap out of memory",
        "MemoryError",
        "Cannot allocate memory",
        "std::bad_alloc",
    ])?;
    let process = lines.evidence.process;
    lines.found(
        Cause::OutOfMemory,
        format!("`{process}` ran out of memory"),
        format!("raise `memory` below `[process.{process}]` (Node.js also: `--max-old-space-size`), or let the program use less"),
    )
}

pub(super) fn privileged_port(lines: &Lines<'_>) -> Option<Explanation> {
    let line = lines.lines.iter().rev().find(|line| {
        let denied = line.contains("EACCES") || line.to_ascii_lowercase().contains("permission denied");
        denied
            && ["listen", "bind", "address"]
                .iter()
                .any(|word| line.contains(word))
    })?;
    let evidence = lines.evidence;
    let port = match evidence.port {
        Some(port) => format!("; its port is {port}"),
        None => String::new(),
    };
    lines.found(
        Cause::PrivilegedPort,
        format!(
            "`{}` may not listen where it wants to{port}: {}",
            evidence.process,
            short(line)
        ),
        format!(
            "let it listen on the port in the variable `{}`; ports below 1024 belong to the system",
            evidence.port_variable
        ),
    )
}

pub(super) fn port_in_use(lines: &Lines<'_>) -> Option<Explanation> {
    let (line, _) = lines.after(&["EADDRINUSE", "ddress already in use", "port is already allocated"])?;
    let evidence = lines.evidence;
    let own = evidence
        .port
        .filter(|port| numbers(line).any(|number| number == port.to_string()));
    let sentence = match (own, evidence.port) {
        (Some(port), _) => format!(
            "`{}` finds its own port {port} taken: it listens on it twice, or left a copy of itself behind",
            evidence.process
        ),
        (None, Some(port)) => format!(
            "`{}` wants a port that is taken, not the {port} it was told: {}",
            evidence.process,
            short(line)
        ),
        (None, None) => format!(
            "`{}` wants a port that is taken: {}",
            evidence.process,
            short(line)
        ),
    };
    lines.found(
        Cause::PortInUse,
        sentence,
        format!(
            "let it listen once, on the port in the variable `{}`, and on no fixed port",
            evidence.port_variable
        ),
    )
}

fn numbers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
}

pub(super) fn disk_full(lines: &Lines<'_>) -> Option<Explanation> {
    lines.after(&["ENOSPC", "No space left on device"])?;
    lines.found(
        Cause::DiskFull,
        format!(
            "`{}` found no space left on the disk (or no file watchers left)",
            lines.evidence.process
        ),
        "`hostkit doctor` shows what takes the space",
    )
}

pub(super) fn dependency_unreachable(lines: &Lines<'_>) -> Option<Explanation> {
    let (line, _) = lines.after(&[
        "ECONNREFUSED",
        "ENOTFOUND",
        "Connection refused",
        "connection refused",
        "could not translate host name",
        "Name or service not known",
        "Temporary failure in name resolution",
    ])?;
    lines.found(
        Cause::DependencyUnreachable,
        format!("`{}` does not reach a service it needs: {}", lines.evidence.process, short(line)),
        "check that the service runs and the variable with its address (`hostkit env list`); let the program start without it and try again",
    )
}

pub(super) fn permission_denied(lines: &Lines<'_>) -> Option<Explanation> {
    let (line, _) = lines.after(&[
        "EACCES",
        "PermissionError",
        "Permission denied",
        "permission denied",
        "EROFS",
        "Read-only file system",
    ])?;
    lines.found(
        Cause::PermissionDenied,
        format!("`{}` may not use a file: {}", lines.evidence.process, short(line)),
        "make the program of the start command executable (`chmod +x`), and write only below the project's folder; what outlives releases belongs into `keep`",
    )
}

pub(super) fn syntax_error(lines: &Lines<'_>) -> Option<Explanation> {
    let (line, _) = lines.after(&["SyntaxError: ", "IndentationError: "])?;
    let hint = if line.contains("import statement outside a module")
        || line.contains("Unexpected token 'export'")
    {
        "add `\"type\": \"module\"` to package.json, or name the file `.mjs`"
    } else {
        "try the start command on your own machine, with the same version (`node` or `python` below `[build]` asks for one)"
    };
    lines.found(
        Cause::SyntaxError,
        format!(
            "the source of `{}` cannot be read: {}",
            lines.evidence.process,
            short(line)
        ),
        hint,
    )
}
