//! What HTTP/1.1 messages may be, as a table of raw bytes: requests of clients and answers of backends, read by the front
//! door, nginx and HAProxy in the same run. `docs/http-conformance.md` is written by this test and compared with it;
//! with HOSTKIT_BLESS in the environment it is written anew.

mod answers;
mod backend;
mod case;
mod page;
mod requests;
mod servers;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use case::Standard;
use servers::{Other, Outcome};

/// How many cases are read at once: most of their time is waiting.
const AT_ONCE: usize = 48;

/// What the three made of a case.
struct Row {
    front_door: Outcome,
    nginx: Outcome,
    haproxy: Outcome,
}

#[test]
fn nothing_that_could_be_read_in_two_ways_is_passed_on() {
    let cases = requests::all();
    assert!(cases.len() >= 80);
    let nginx = Other::nginx(cases.iter().map(|_| backend::fine()).collect());
    let haproxy = Other::haproxy(cases.iter().map(|_| backend::fine()).collect());
    let requests = each(cases.len(), |at| {
        let bytes: [&[u8]; 1] = [&cases[at].bytes];
        Row {
            front_door: servers::front_door(&bytes, backend::fine()),
            nginx: nginx.read(at, &bytes),
            haproxy: haproxy.read(at, &bytes),
        }
    });
    let sayings = answers::all();
    let nginx = Other::nginx(sayings.iter().map(answers::Answer::say).collect());
    let haproxy = Other::haproxy(sayings.iter().map(answers::Answer::say).collect());
    let answers = each(sayings.len(), |at| {
        let inputs = sayings[at].inputs();
        let bytes = inputs.each_ref().map(|input| input.as_bytes());
        Row {
            front_door: servers::front_door(&bytes, sayings[at].say()),
            nginx: nginx.read(at, &bytes),
            haproxy: haproxy.read(at, &bytes),
        }
    });
    let mut wrong = Vec::new();
    for (case, row) in cases.iter().zip(&requests) {
        wrong.extend(check(case, row).map(|why| format!("{}: {why}: {row:?}", case.name)));
    }
    for (saying, row) in sayings.iter().zip(&answers) {
        wrong.extend(check_answer(saying, row).map(|why| format!("{}: {why}: {row:?}", saying.name)));
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    page::check(&cases, &requests, &sayings, &answers);
}

/// What is wrong with how a request was read.
fn check(case: &case::Case, row: &Row) -> Option<String> {
    let Outcome { record, .. } = &row.front_door;
    // Where a valid request stands in front of a bad one, it is answered.
    let passed_on = |outcome: &Outcome| {
        outcome
            .record
            .whole
            .iter()
            .any(|target| !case.fine_in_front(target))
    };
    if !record.ambiguous.is_empty() {
        return Some("what was passed on can be read in two ways".into());
    }
    if record.whole.iter().any(|target| target.starts_with("/hidden")) {
        return Some("a hidden request became one".into());
    }
    if case.standard == Standard::Refuse && passed_on(&row.front_door) {
        return Some("it was passed on".into());
    }
    if case.standard == Standard::Take && !passed_on(&row.front_door) {
        return Some("a valid request was refused".into());
    }
    if row.front_door.statuses() != case.answers || record.whole != case.seen {
        return Some(format!("expected {:?} and {:?}", case.answers, case.seen));
    }
    let others_refuse = !passed_on(&row.nginx) && !passed_on(&row.haproxy);
    (passed_on(&row.front_door) && others_refuse && case.note.is_empty())
        .then(|| "both others refuse it, and nothing says why it is taken".into())
}

/// What is wrong with how an answer was read.
fn check_answer(saying: &answers::Answer, row: &Row) -> Option<String> {
    let Outcome { answer, record } = &row.front_door;
    if answer.contains("poisoned") {
        return Some("an answer nobody asked for was passed on".into());
    }
    if !record.ambiguous.is_empty() {
        return Some("what was passed on can be read in two ways".into());
    }
    let statuses = row.front_door.statuses();
    if saying.told == answers::TORN {
        // The second request on the torn connection is not answered, the one on another connection is.
        return (statuses.len() > 2 || !answer.ends_with("second")).then(|| "it looked whole".into());
    }
    let told = [saying.told, &[200]].concat();
    (statuses != told).then(|| format!("expected {told:?}"))
}

/// Does something for each number below `count`, several at once.
fn each<T: Send>(count: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return;
                    }
                    let result = act(at);
                    results.lock().unwrap().push((at, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let one = |outcome: &Outcome| (outcome.words(), outcome.record.clone());
        let start: String = self.front_door.answer.chars().take(300).collect();
        f.debug_struct("Row")
            .field("front_door", &one(&self.front_door))
            .field("nginx", &one(&self.nginx).0)
            .field("haproxy", &one(&self.haproxy).0)
            .field("answer", &start)
            .finish()
    }
}
