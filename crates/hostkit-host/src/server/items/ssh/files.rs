//! The files sshd reads, and which of them has the last word.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::server::{Machine, SSHD_MAIN, SshdFiles};

/// How far inclusions are followed; sshd itself goes no further.
const DEPTH: usize = 16;

/// Reads the files of sshd, following every `Include`.
pub(super) fn load(machine: &dyn Machine) -> Result<SshdFiles, Failure> {
    let mut files = SshdFiles::default();
    if let Some(text) = machine.read(SSHD_MAIN)? {
        files.insert(SSHD_MAIN, &text);
    }
    for _ in 0..DEPTH {
        let mut more = false;
        for pattern in files.includes() {
            let Some((folder, _)) = pattern.rsplit_once('/') else {
                continue;
            };
            for name in machine.list(folder)? {
                let path = format!("{folder}/{name}");
                if !files.contains(&path)
                    && SshdFiles::is_meant(&pattern, &path)
                    && let Some(text) = machine.read(&path)?
                {
                    files.insert(&path, &text);
                    more = true;
                }
            }
        }
        if !more {
            break;
        }
    }
    Ok(files)
}

/// ` by FILE line N`, where a line says so.
pub(super) fn source(files: &SshdFiles, keyword: &str) -> String {
    let all = files.occurrences(keyword);
    all.iter()
        .find(|one| !one.conditional)
        .map(|one| format!(" by {} line {}", one.path, one.line))
        .unwrap_or_default()
}

/// A line of somebody else that will keep `ours` from having its way: one that sshd reads first, or in a `Match` block.
pub(super) fn overruled(files: &SshdFiles, ours: &str, keyword: &str, fine: &[&str]) -> Option<Failure> {
    if !files.reads(ours) {
        return Some(
            Failure::new(
                Kind::Conflict,
                format!("cannot set SSH to keys only: {SSHD_MAIN} does not read /etc/ssh/sshd_config.d"),
            )
            .hint(format!(
                "put the line `Include /etc/ssh/sshd_config.d/*.conf` on top of {SSHD_MAIN}, then `hostkit server setup` again"
            )),
        );
    }
    let mut with_ours = files.clone();
    // A word that nobody else has says where ours is read.
    with_ours.insert(ours, &format!("{keyword} hostkit-is-read-here\n"));
    let all = with_ours.occurrences(keyword);
    let ours_at = all.iter().position(|one| one.path == ours)?;
    let bad = all.iter().enumerate().find(|(at, one)| {
        let earlier_or_stronger = one.conditional || *at < ours_at;
        one.path != ours && earlier_or_stronger && !fine.contains(&one.value.to_ascii_lowercase().as_str())
    });
    let (_, line) = bad?;
    let (path, number, value) = (&line.path, line.line, &line.value);
    let place = if line.conditional {
        "in a `Match` block, which wins over all"
    } else {
        "which is read first"
    };
    Some(
        Failure::new(
            Kind::Conflict,
            format!("cannot set SSH to keys only: line {number} of {path} says `{keyword} {value}` {place}"),
        )
        .hint(format!(
            "take line {number} out of {path}, then `hostkit server setup` again"
        )),
    )
}
