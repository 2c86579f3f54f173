//! The page that shows the table.

use std::fmt::Write as _;
use std::path::Path;

use super::Row;
use super::answers::{Answer, TORN};
use super::case::Case;
use super::servers::version;

const TOP: &str = "# HTTP/1.1, read strictly

Raw bytes of clients and of backends, and what the front door makes of them, beside nginx and HAProxy on the same bytes. The
page is written by a test (`cargo test -p hostkit-proxy smuggling`), which fails when something reads differently; with
`HOSTKIT_BLESS=1` it writes the page anew.

Each cell has the statuses of the answers and how many requests arrived whole at the backend. *Standard* is what RFC 9112 says:
`refuse` must not be passed on, `either` may be refused or read in the one way the standard names, `take` is valid. *Ambiguous*
is a head that a strict backend does not read. The front door passes on nothing that must be refused.
";

const MIDDLE: &str = "
## Answers of backends

What the client was told, who asked twice on one connection and once on another one. *Poisoned*: an answer that nobody asked for
reached a client. *Broken off*: part of the answer, or nothing, and the end of the connection. The front door is held to answer
the other requests as if nothing had been.

";

/// Compares the front door's part of the page with what came out. What others do is looked at anew in each run, but depends on
/// their version: the page has what they did when it was written.
pub(super) fn check(cases: &[Case], requests: &[Row], sayings: &[Answer], answers: &[Row]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/http-conformance.md");
    let page = write(cases, requests, sayings, answers);
    if std::env::var_os("HOSTKIT_BLESS").is_some() {
        std::fs::write(&path, page).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(
        ours(&kept) == ours(&page),
        "docs/http-conformance.md is not what came out; HOSTKIT_BLESS=1 writes it anew:\n{page}"
    );
}

/// The page without the columns of the others.
fn ours(page: &str) -> String {
    let line = |line: &str| match line.split(" | ").collect::<Vec<_>>()[..] {
        [case, standard, ours, _, _, remark] => format!("{case} | {standard} | {ours} | {remark}\n"),
        [case, end, ours, _, _] => format!("{case} | {end} | {ours}\n"),
        _ => format!("{line}\n"),
    };
    page.lines().map(line).collect()
}

fn heading() -> String {
    format!("nginx {} | HAProxy {}", version("nginx"), version("haproxy"))
}

fn write(cases: &[Case], requests: &[Row], sayings: &[Answer], answers: &[Row]) -> String {
    let mut page = String::from(TOP);
    write!(
        page,
        "\n## Requests\n\n| case | standard | HostKit | {} | remark |\n|---|---|---|---|---|---|\n",
        heading()
    )
    .unwrap();
    for (case, row) in cases.iter().zip(requests) {
        let words = [&row.front_door, &row.nginx, &row.haproxy].map(|outcome| outcome.words());
        let [ours, nginx, haproxy] = words;
        writeln!(
            page,
            "| {} | {} | {ours} | {nginx} | {haproxy} | {} |",
            case.name,
            case.standard.word(),
            case.note
        )
        .unwrap();
    }
    page.push_str(MIDDLE);
    write!(
        page,
        "| case | after it | HostKit | {} |\n|---|---|---|---|---|\n",
        heading()
    )
    .unwrap();
    for (saying, row) in sayings.iter().zip(answers) {
        let words = [&row.front_door, &row.nginx, &row.haproxy].map(|outcome| {
            let poisoned = if outcome.answer.contains("poisoned") {
                ", poisoned"
            } else {
                ""
            };
            // What comes behind the first answer may depend on who is faster.
            let status = outcome
                .statuses()
                .into_iter()
                .find(|status| *status >= 200 || *status == 101);
            let told = match status {
                Some(502) => "502".to_owned(),
                _ if saying.told == TORN => "broken off".to_owned(),
                Some(status) => status.to_string(),
                None => "closed".to_owned(),
            };
            told + poisoned
        });
        let [ours, nginx, haproxy] = words;
        writeln!(
            page,
            "| {} | {} | {ours} | {nginx} | {haproxy} |",
            saying.name,
            saying.end()
        )
        .unwrap();
    }
    page
}
