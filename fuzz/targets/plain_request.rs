//! The short way's reading of a request against hyper's reading of the same bytes: where the short way takes a request, hyper
//! takes the same one, without a body and with nothing behind it.

#![no_main]

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use hostkit_proxy::fuzzing::{Fields, plain_request};
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use tokio::io::AsyncWriteExt;

fuzz_target!(|bytes: &[u8]| {
    let Some(ours) = plain_request(bytes) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let seen = runtime.block_on(by_hyper(bytes));
    assert_eq!(seen, [ours], "hyper takes what the short way takes, and nothing else");
});

/// Target and headers of all requests that hyper sees in the bytes.
async fn by_hyper(bytes: &[u8]) -> Vec<(String, Fields)> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let (mut client, ours) = tokio::io::duplex(1 << 20);
    let noted = Rc::clone(&seen);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        assert_eq!(request.method(), http::Method::GET);
        assert!(request.body().is_end_stream());
        let headers = request.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect();
        noted.borrow_mut().push((request.uri().to_string(), headers));
        async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(ours), service);
    let asking = async {
        client.write_all(bytes).await.ok();
        client.shutdown().await.ok();
        // It reads nothing: the answer has room between the two.
        client
    };
    let (_client, _served) = tokio::join!(asking, serving);
    seen.take()
}
