//! What programs print.

use std::time::Duration;

use futures_util::StreamExt;
use hostkit_core::log::{LogStream, Shown};
use hostkit_core::size::Span;
use hostkit_core::workload::{InstanceId, Scope};

use super::*;

fn all() -> LogQuery {
    LogQuery {
        last: Some(1_000_000),
        ..LogQuery::default()
    }
}

/// Waits until a line was captured.
async fn wait_for_line(runtime: &dyn Runtime, of: &EnvironmentId, text: &str) {
    eventually(&format!("`{text}` is captured"), || async {
        let query = LogQuery {
            grep: Some(text.to_owned()),
            ..all()
        };
        (!lines(runtime, of, query).await.is_empty()).then_some(())
    })
    .await;
}

/// Each line with its stream, process, instance and time; the last one without an end, and bytes that are no text.
pub async fn both_streams_are_captured_in_order(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let text = "echo one; echo two; printf '\\377bad\\n' >&2; echo; printf '  last '; exec sleep 600";
    let wanted = line("shop", "web", 1, text);
    let instance = ensure(&*runtime, &wanted).await.remove(0);
    let of = &wanted.id.environment;
    wait_for_line(&*runtime, of, "bad").await;
    wait_for_line(&*runtime, of, "two").await;
    remove(&*runtime, &wanted.id).await;
    let printed = lines(&*runtime, of, all()).await;
    let of_stream = |wanted: LogStream| -> Vec<&str> {
        printed
            .iter()
            .filter(|l| l.stream == wanted)
            .map(|l| l.text.as_str())
            .collect()
    };
    assert_eq!(of_stream(LogStream::Out), ["one", "two", "", "  last "]);
    assert_eq!(of_stream(LogStream::Err), ["\u{fffd}bad"]);
    for line in &printed {
        assert_eq!(line.process.as_ref(), Some(&wanted.id.process));
        assert_eq!(line.instance, Some(instance.id.to_string()));
    }
    assert!(printed.is_sorted_by_key(|l| l.at));
}

/// Programs that end as soon as they have said something, many at a time: each word is kept.
pub async fn what_ends_at_once_was_heard(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let wanted = Workload {
        count: 6,
        ..line("shop", "web", 1, "echo no room >&2; exit 3")
    };
    ensure(&*runtime, &wanted).await;
    let of = &wanted.id.environment;
    eventually("each ended twice", || async {
        let instances = observe(&*runtime, &Scope::of(of)).await;
        instances.iter().all(|i| i.restarts > 1).then_some(())
    })
    .await;
    remove(&*runtime, &wanted.id).await;
    let printed = lines(&*runtime, of, all()).await;
    for number in 1..=wanted.count {
        let id = InstanceId {
            workload: wanted.id.clone(),
            number,
        };
        let of_it = || printed.iter().filter(|l| l.instance == Some(id.to_string()));
        let said = of_it().filter(|l| l.text == "no room").count();
        let ended = of_it().filter(|l| l.text.starts_with("program ended")).count();
        assert!(
            ended > 1 && said >= ended,
            "{number}: {said} of {ended}: {printed:#?}"
        );
    }
}

/// A program that prints faster than anybody reads is not held up.
pub async fn much_output_does_not_block(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let done = fixture.scratch().join("done");
    let text = format!(
        "head -c 25000000 /dev/zero | tr '\\0' x | fold -w 99; echo; echo the end; echo done > {}; exec sleep 600",
        done.display()
    );
    let wanted = line("shop", "web", 1, &text);
    ensure(&*runtime, &wanted).await;
    whole_file(&done).await;
    wait_for_line(&*runtime, &wanted.id.environment, "the end").await;
    let printed = lines(
        &*runtime,
        &wanted.id.environment,
        LogQuery {
            last: Some(3),
            ..all()
        },
    )
    .await;
    let lengths: Vec<usize> = printed.iter().map(|l| l.text.len()).collect();
    assert_eq!(lengths, [99, 25_000_000 % 99, 7]);
}

/// Removal ends instances, not their lines.
pub async fn lines_outlive_their_instance(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    for deployment in 1..=2 {
        let wanted = line(
            "shop",
            "web",
            deployment,
            &format!("echo from {deployment}; exec sleep 600"),
        );
        ensure(&*runtime, &wanted).await;
        wait_for_line(&*runtime, &wanted.id.environment, &format!("from {deployment}")).await;
        remove(&*runtime, &wanted.id).await;
    }
    let of = environment("shop");
    assert!(observe(&*runtime, &Scope::of(&of)).await.is_empty());
    let query = LogQuery {
        grep: Some("from".into()),
        ..LogQuery::default()
    };
    let printed = lines(&*fixture.runtime(), &of, query).await;
    assert_eq!(
        printed.iter().map(|l| l.text.as_str()).collect::<Vec<_>>(),
        ["from 1", "from 2"]
    );
}

/// By process, text, number and age; other environments are others.
pub async fn queries_choose_lines(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    for (project, process) in [("shop", "web"), ("shop", "worker"), ("blog", "web")] {
        let text = format!("for n in 1 2 3 4; do echo {project} {process} $n; done; exec sleep 600");
        let wanted = line(project, process, 1, &text);
        ensure(&*runtime, &wanted).await;
        wait_for_line(&*runtime, &wanted.id.environment, &format!("{process} 4")).await;
    }
    let of = environment("shop");
    let texts = |query: LogQuery| {
        let (runtime, of) = (runtime.clone(), of.clone());
        async move {
            lines(&*runtime, &of, query)
                .await
                .into_iter()
                .map(|l| l.text)
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(texts(all()).await.len(), 8);
    let worker = LogQuery {
        process: ProcessName::parse("worker").ok(),
        ..all()
    };
    assert_eq!(texts(worker.clone()).await.len(), 4);
    assert_eq!(
        texts(LogQuery {
            last: Some(2),
            ..worker
        })
        .await,
        ["shop worker 3", "shop worker 4"]
    );
    assert_eq!(
        texts(LogQuery {
            grep: Some("b 2".into()),
            ..all()
        })
        .await,
        ["shop web 2"]
    );
    let hidden = |part: &str, last| LogQuery {
        grep: Some(part.into()),
        last: Some(last),
        shown: Shown::through(|text| text.replace("web", "***")),
        ..LogQuery::default()
    };
    assert_eq!(texts(hidden("web", 10)).await, Vec::<String>::new());
    assert_eq!(texts(hidden("*** 2", 1)).await, ["shop *** 2"]);
    assert_eq!(
        texts(LogQuery {
            since: Some(Span::secs(3600)),
            ..all()
        })
        .await
        .len(),
        8
    );
    assert!(
        texts(LogQuery {
            since: Some(Span(Duration::ZERO)),
            ..all()
        })
        .await
        .is_empty()
    );
}

/// Old lines first, then new ones as they come, also of instances that were not there before.
pub async fn following_sees_new_lines_and_new_instances(fixture: &dyn RuntimeFixture) {
    let runtime = fixture.runtime();
    let flag = fixture.scratch().join("flag");
    let text = format!(
        "echo first; while ! [ -e {} ]; do sleep 0.02; done; echo second; exec sleep 600",
        flag.display()
    );
    let wanted = line("shop", "web", 1, &text);
    ensure(&*runtime, &wanted).await;
    let of = &wanted.id.environment;
    wait_for_line(&*runtime, of, "first").await;
    let query = LogQuery {
        follow: true,
        grep: Some("s".into()),
        ..LogQuery::default()
    };
    let mut followed = runtime.logs(of, &query).await.unwrap_or_else(|e| panic!("{e}"));
    let mut next = async || {
        let line = tokio::time::timeout(Duration::from_secs(40), followed.next()).await;
        line.unwrap_or_else(|_| panic!("no line came")).map(|l| l.text)
    };
    assert_eq!(next().await.as_deref(), Some("first"));
    std::fs::write(&flag, "").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(next().await.as_deref(), Some("second"));
    ensure(&*runtime, &line("shop", "web", 2, "echo also; exec sleep 600")).await;
    assert_eq!(next().await.as_deref(), Some("also"));
}
