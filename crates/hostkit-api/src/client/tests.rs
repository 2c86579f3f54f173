//! The client against answers that are written out by hand: errors, odd framing, things that are not HostKit.

use std::path::Path;

use futures_util::StreamExt;
use hostkit_core::event::{Event, What};
use hostkit_core::names::ProjectName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::*;
use crate::endpoints::{CreateProject, GetProject, ListEvents};
use crate::event::EventsQuery;
use crate::project::NewProject;

/// Answers one connection with `parts`, one after the other, and returns what was asked.
async fn answering(path: &Path, parts: &'static [&'static str]) -> tokio::task::JoinHandle<String> {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.windows(4).any(|w| w == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut asked).await.unwrap(), 0);
        }
        for part in parts {
            stream.write_all(part.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        String::from_utf8(asked).unwrap()
    })
}

fn client(path: &Path) -> Client {
    Client::new(Address::Socket(path.into()), Some(Secret::new("hk_x")))
}

fn project() -> ProjectName {
    ProjectName::parse("shop").unwrap()
}

#[tokio::test]
async fn a_refusal_comes_back_as_the_failure_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let body = r#"{"error":{"code":"conflict","message":"cannot create `shop`: it exists","hint":"choose"}}"#;
    let answer = format!(
        "HTTP/1.1 409 Conflict\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let parts: &'static [&'static str] = Box::leak(Box::new([&*answer.leak()]));
    let server = answering(&path, parts).await;
    let failure = client(&path)
        .call::<CreateProject>(&Installation, &NoQuery {}, &NewProject::named(project()))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
    assert_eq!(failure.hint.as_deref(), Some("choose"));
    let asked = server.await.unwrap();
    assert!(asked.starts_with("POST /api/projects HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("authorization: Bearer hk_x\r\n"), "{asked}");
    assert!(asked.contains("content-length: 15\r\n"), "{asked}");
}

#[tokio::test]
async fn lines_are_cut_where_they_end_and_an_error_line_ends_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let server = answering(
        &path,
        &[
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\n\n{\"id\":1,\"at\":\"2026-01-01T00:00:00Z\",\"proj",
            "ect\":null,\"environment\":null,\"event\":\"project_created\"}\n\n{\"id\":2,\"at\":\"2026-01-01T00:00:00Z\",\"project\":null,\"environment\":null,\"event\":\"project_deleted\"}\n",
            "{\"error\":{\"code\":\"unavailable\",\"message\":\"cannot go on\"}}\nnever read\n",
        ],
    )
    .await;
    let query = EventsQuery {
        last: Some(3),
        follow: true,
        after: None,
    };
    let lines = client(&path)
        .lines::<ListEvents>(&Installation, &query)
        .await
        .unwrap();
    let all: Vec<Result<Event, Failure>> = lines.collect().await;
    assert_eq!(all.len(), 3);
    assert!(matches!(all[0].as_ref().unwrap().what, What::ProjectCreated));
    assert_eq!(all[1].as_ref().unwrap().id, 2);
    assert_eq!(all[2].as_ref().unwrap_err().kind, Kind::Unavailable);
    let asked = server.await.unwrap();
    assert!(
        asked.starts_with("GET /api/events?last=3&follow=true HTTP/1.1"),
        "{asked}"
    );
}

#[tokio::test]
async fn what_is_not_there_or_not_hostkit_is_said_plainly() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let get = || async {
        client(&path)
            .call::<GetProject>(&project(), &NoQuery {}, &())
            .await
            .unwrap_err()
    };
    let failure = get().await;
    assert_eq!(failure.kind, Kind::Unavailable);
    assert!(failure.message.ends_with("it is not running"), "{failure}");
    assert!(failure.hint.unwrap().contains("hostkit up"));

    let server = answering(
        &path,
        &["HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\noops"],
    )
    .await;
    assert!(
        get()
            .await
            .message
            .contains("404 Not Found): it is not one of HostKit's API")
    );
    server.await.unwrap();

    std::fs::remove_file(&path).unwrap();
    let server = answering(&path, &["HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\noops"]).await;
    assert!(get().await.message.starts_with("cannot finish the call"));
    server.await.unwrap();
}

#[test]
fn addresses_are_read_strictly() {
    let good = Address::parse("http://127.0.0.1:8090/").unwrap();
    assert_eq!(good.to_string(), "http://127.0.0.1:8090");
    assert!(Address::parse("http://[::1]:80").is_ok());
    for (url, why) in [
        ("https://x", "http only"),
        ("127.0.0.1:8090", "no scheme"),
        ("http://x/api", "has a path"),
        ("http://u:p@x", "user name"),
        ("not a url", "not a URL"),
    ] {
        let failure = Address::parse(url).unwrap_err();
        assert!(failure.message.contains(why), "{url}: {failure}");
    }
}
