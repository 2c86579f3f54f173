//! What comes as it happens, as server-sent events: messages of channels, and what a Redis is asked.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::Response;
use hyper::body::Frame;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};

use super::access::Server;
use super::serve::{Body, busy, lost};
use super::share::Place;

/// `data: subscribe,news,1`, then `data: message,news,hello` for each.
pub(super) async fn subscribe(server: &Server, channels: Vec<Vec<u8>>) -> Response<Body> {
    let Some(place) = server.share.stream() else {
        return busy();
    };
    let mut connection = match server.client.get_async_pubsub().await {
        Ok(connection) => connection,
        Err(why) => return lost(&why),
    };
    for channel in &channels {
        if let Err(why) = connection.subscribe(channel.as_slice()).await {
            return lost(&why);
        }
    }
    let messages = connection.into_on_message().map(|message| {
        let content: Vec<u8> = message.get_payload_bytes().to_vec();
        event(&[b"message", message.get_channel_name().as_bytes(), &content])
    });
    events(begun("subscribe", channels).chain(messages), place)
}

/// `data: psubscribe,n*,1`, then `data: pmessage,n*,news,hello` for each.
pub(super) async fn pattern_subscribe(server: &Server, patterns: Vec<Vec<u8>>) -> Response<Body> {
    let Some(place) = server.share.stream() else {
        return busy();
    };
    let mut connection = match server.client.get_async_pubsub().await {
        Ok(connection) => connection,
        Err(why) => return lost(&why),
    };
    for pattern in &patterns {
        if let Err(why) = connection.psubscribe(pattern.as_slice()).await {
            return lost(&why);
        }
    }
    let messages = connection.into_on_message().map(|message| {
        let pattern: Vec<u8> = message.get_pattern().unwrap_or_default();
        let content: Vec<u8> = message.get_payload_bytes().to_vec();
        event(&[
            b"pmessage",
            &pattern,
            message.get_channel_name().as_bytes(),
            &content,
        ])
    });
    events(begun("psubscribe", patterns).chain(messages), place)
}

/// `data: "OK"`, then a line for each command: `data: 1721284005.242090 [0 127.0.0.1:4001] "GET" "k"`.
pub(super) async fn monitor(server: &Server) -> Response<Body> {
    let Some(place) = server.share.stream() else {
        return busy();
    };
    // A connection that only asks whether it may: the library does not tell from one that may not.
    let allowed = async {
        let mut asks = server.client.get_multiplexed_async_connection().await?;
        redis::cmd("MONITOR").query_async::<()>(&mut asks).await
    };
    if let Err(why) = allowed.await {
        return lost(&why);
    }
    let commands = match server.client.get_async_monitor().await {
        Ok(connection) => connection.into_on_message::<String>(),
        Err(why) => return lost(&why),
    };
    let lines = commands.map(|line| event(&[line.as_bytes()]));
    events(stream::iter([event(&[b"\"OK\""])]).chain(lines), place)
}

fn begun(word: &'static str, names: Vec<Vec<u8>>) -> impl Stream<Item = Bytes> {
    stream::iter(
        names
            .into_iter()
            .enumerate()
            .map(move |(before, name)| event(&[word.as_bytes(), &name, (before + 1).to_string().as_bytes()])),
    )
}

/// One event: the parts with commas between. An event is lines of text: each line of a content is one of `data`.
fn event(parts: &[&[u8]]) -> Bytes {
    let text = String::from_utf8_lossy(&parts.join(&b',')).into_owned();
    let mut event = String::with_capacity(text.len() + 8);
    for line in text.replace("\r\n", "\n").split(['\n', '\r']) {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    event.into()
}

/// Has its place until the stream ends.
fn events(events: impl Stream<Item = Bytes> + Send + 'static, place: Place) -> Response<Body> {
    let frames = events.map(move |event| {
        let _held = &place;
        Ok::<_, Infallible>(Frame::data(event))
    });
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_content_ends_its_event_early() {
        assert_eq!(event(&[b"message", b"a", b"x,y"]), "data: message,a,x,y\n\n");
        assert_eq!(
            event(&[b"message", b"a", b"x\r\n\r\ndata: forged"]),
            "data: message,a,x\ndata: \ndata: data: forged\n\n"
        );
        assert_eq!(event(&[b"\xff"]), "data: \u{fffd}\n\n");
    }
}
