//! What a program is given: environment, port, folder.

use std::collections::BTreeMap;

use hostkit_core::kind::Kind;
use hostkit_core::workload::Scope;

use super::*;

fn with_corpus(mut workload: Workload) -> Workload {
    for (at, value) in corpus().iter().enumerate() {
        workload
            .variables
            .extend([variable(&format!("CORPUS_{at}"), value)]);
    }
    workload
}

/// The environment a program wrote down as the kernel gave it.
async fn environment_in(path: &Path) -> BTreeMap<String, String> {
    let text = eventually("the environment is written", || async {
        std::fs::read(path).ok().filter(|text| text.ends_with(b"\0"))
    })
    .await;
    String::from_utf8(text)
        .unwrap_or_else(|e| panic!("{e}"))
        .split_terminator('\0')
        .filter_map(|entry| entry.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn expected(workload: &Workload, instance: &Instance) -> BTreeMap<String, String> {
    let mut expected: BTreeMap<String, String> = workload
        .variables
        .iter()
        .map(|(n, v)| (n.to_string(), v.reveal().to_owned()))
        .collect();
    if let Some(address) = instance.address {
        expected.insert("PORT".into(), address.port().to_string());
        expected.insert("HOST".into(), address.ip().to_string());
    }
    expected
}

/// The variables of the workload, port and host, and nothing else (ACCEPTANCE A31).
pub async fn the_environment_is_exact_to_the_byte(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let file = fixture.scratch().join("environ");
    let words = ["cp", "/proc/self/environ", &file.display().to_string()].map(str::to_owned);
    let wanted = with_corpus(workload("shop", "web", 1, Command::Arguments(words.to_vec())));
    let instance = ensure(&*runtime, &wanted).await.remove(0);
    assert!(instance.address.is_some());
    assert_eq!(environment_in(&file).await, expected(&wanted, &instance));
}

/// A shell may add words of its own, but changes none.
pub async fn a_shell_line_gets_every_byte_too(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let file = fixture.scratch().join("environ");
    let text = format!("true && cp /proc/self/environ {}", file.display());
    let wanted = with_corpus(line("shop", "web", 1, &text));
    let instance = ensure(&*runtime, &wanted).await.remove(0);
    let found = environment_in(&file).await;
    for (name, value) in expected(&wanted, &instance) {
        assert_eq!(found.get(&name), Some(&value), "{name}");
    }
}

/// In the variable, in the words of the command, in the folder it was promised, and the same after a restart.
pub async fn the_port_is_told_and_stays(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let file = fixture.scratch().join("port");
    let script = format!(
        "echo \"$1 $MY_PORT $(pwd)\" >> {}; exec sleep 600",
        file.display()
    );
    let words = ["/bin/sh", "-c", &script, "name", "$HOST:${MY_PORT}"].map(str::to_owned);
    let mut wanted = workload("shop", "web", 1, Command::Arguments(words.to_vec()));
    wanted.port_variable = VariableName::parse("MY_PORT").ok();
    wanted.directory = fixture.scratch().to_path_buf();
    // The script's own `$1` and `$MY_PORT` are the shell's; the word `$MY_PORT` of the script is replaced as well,
    // by the same number.
    let instance = ensure(&*runtime, &wanted).await.remove(0);
    let address = instance.address.unwrap_or_else(|| panic!("no address"));
    let once = format!("{address} {} {}\n", address.port(), fixture.scratch().display());
    assert_eq!(whole_file(&file).await, once);
    runtime
        .restart(&instance.id)
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    eventually("it says so again", || async {
        (std::fs::read_to_string(&file).ok()? == once.repeat(2)).then_some(())
    })
    .await;

    let mut worker = line("shop", "worker", 1, "sleep 600");
    worker.port_variable = None;
    assert_eq!(ensure(&*runtime, &worker).await[0].address, None);
}

/// A program that does not exist fails the call, with the reason, and leaves nothing.
pub async fn what_cannot_be_started_is_a_failure(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let wanted = workload(
        "shop",
        "web",
        1,
        Command::Arguments(vec!["no-such-program".into()]),
    );
    let failure = runtime
        .ensure(&wanted)
        .await
        .err()
        .unwrap_or_else(|| panic!("it was started"));
    assert_eq!(failure.kind, Kind::Failed);
    assert!(failure.message.contains("`no-such-program`"), "{failure}");
    remove(&*runtime, &wanted.id).await;
    assert!(observe(&*runtime, &Scope::default()).await.is_empty());
}

/// The diagnosis of a program that listens where nobody looks, and of one that crashed (ACCEPTANCE A8).
pub async fn it_says_where_it_listens(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let script = "import socket,time,sys\ns = socket.create_server(('127.0.0.1', 0))\n\
                  print('listening on', s.getsockname()[1], flush=True)\ntime.sleep(600)";
    let words = ["/usr/bin/env", "python3", "-c", script].map(str::to_owned);
    let mut wanted = workload("shop", "web", 1, Command::Arguments(words.to_vec()));
    let path = std::env::var("PATH").unwrap_or_default();
    wanted.variables.extend([variable("PATH", &path)]);
    let instance = ensure(&*runtime, &wanted).await.remove(0);
    let diagnosis = eventually("it listens", || async {
        let diagnosis = runtime
            .diagnose(&instance.id)
            .await
            .unwrap_or_else(|e| panic!("{e}"));
        (!diagnosis.listening.is_empty() && !diagnosis.last_lines.is_empty()).then_some(diagnosis)
    })
    .await;
    assert_eq!(
        diagnosis.last_lines,
        [format!("listening on {}", diagnosis.listening[0].port())]
    );

    let broken = line("shop", "api", 1, "echo no database >&2; exit 3");
    let instance = ensure(&*runtime, &broken).await.remove(0);
    // What keeps lines may take in what the runtime says of an end before what the program wrote last.
    let diagnosis = eventually("it crashed and its last line is kept", || async {
        let diagnosis = runtime
            .diagnose(&instance.id)
            .await
            .unwrap_or_else(|e| panic!("{e}"));
        let written = diagnosis.last_lines.iter().any(|l| l == "no database");
        (diagnosis.restarts > 0 && written).then_some(diagnosis)
    })
    .await;
    assert_eq!(diagnosis.last_exit.and_then(|e| e.code), Some(3));
}
