//! The short way's reading of an answer against hyper's reading of the same bytes: where the short way takes an answer, hyper
//! takes the same one.

#![no_main]

use bytes::Bytes;
use hostkit_proxy::fuzzing::{is_left_out, short_answer};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use tokio::io::AsyncWriteExt;

fuzz_target!(|bytes: &[u8]| {
    let Some(short) = short_answer(bytes) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let (status, headers, body) = runtime
        .block_on(by_hyper(bytes))
        .expect("hyper takes what the short way takes");
    assert_eq!(short.status, status);
    let kept = |name: &str| !is_left_out(name) && name != "connection";
    let mut theirs: Vec<_> = headers.into_iter().filter(|(name, _)| kept(name)).collect();
    let mut ours = short.headers;
    theirs.sort();
    ours.sort();
    assert_eq!(ours, theirs);
    let whole = usize::try_from(short.length).expect("a length that is read at once");
    let ours = &short.body[..short.body.len().min(whole)];
    assert!(body.starts_with(ours) && body.len() == ours.len());
});

type Answer = (u16, Vec<(String, Vec<u8>)>, Vec<u8>);

async fn by_hyper(bytes: &[u8]) -> Option<Answer> {
    let (mut backend, ours) = tokio::io::duplex(1 << 20);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours))
        .await
        .ok()?;
    let request = http::Request::get("/")
        .header("host", "a")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let asking = async move {
        let answer = sender.send_request(request).await.ok()?;
        let (parts, mut body) = answer.into_parts();
        let mut read = Vec::new();
        // The body may be torn: what is there of it counts.
        while let Some(Ok(frame)) = body.frame().await {
            read.extend_from_slice(frame.data_ref()?);
        }
        let headers = parts.headers.iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect();
        Some((parts.status.as_u16(), headers, read))
    };
    let answering = async move {
        let mut request = [0; 256];
        tokio::io::AsyncReadExt::read(&mut backend, &mut request)
            .await
            .ok()?;
        backend.write_all(bytes).await.ok()?;
        backend.shutdown().await.ok()?;
        // It stays open for reading until the answer was taken.
        Some(backend)
    };
    let driving = async move {
        connection.await.ok();
    };
    let (answer, _backend, ()) = tokio::join!(asking, answering, driving);
    answer
}
