//! A typed client: every [`Call`] of the table, over the unix socket of an installation or its `http://` address.
//! One connection a call: on the same machine that costs microseconds, and nothing has to be kept fresh.

mod connection;
mod lines;
mod socket;

use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::TryStreamExt;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};

use crate::endpoint::{Call, Nothing, Payload, Raw};
use crate::endpoints::{GetHealth, NoQuery};
use crate::error::ErrorBody;
use crate::installation::Health;
use crate::target::{Installation, Target};

pub use connection::Address;
pub use lines::LineStream;
pub use socket::{RunInput, RunOutput, Running};

/// The longest an answer to a call without a stream may take to begin.
const PATIENCE: Duration = Duration::from_secs(120);
/// The most bytes of an answer that is read as a whole.
const MAX_ANSWER_BYTES: usize = 64 << 20;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Speaks to one installation with one token. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    address: Address,
    token: Option<Secret>,
}

impl Client {
    /// A client of the installation at `address`; without a token only public endpoints answer.
    pub fn new(address: Address, token: Option<Secret>) -> Self {
        Client { address, token }
    }

    /// Where it speaks to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Calls an endpoint and waits for its whole answer.
    pub async fn call<C: Call>(
        &self,
        target: &C::Target,
        query: &C::Query,
        body: &<C::Request as Payload>::Value,
    ) -> Result<<C::Response as Payload>::Value, Failure> {
        let answer = self.patiently::<C>(target, query, body);
        tokio::time::timeout(PATIENCE, answer)
            .await
            .map_err(|_| self.address.silent(PATIENCE))?
    }

    /// The same, for what may take hours before it is answered.
    pub async fn patiently<C: Call>(
        &self,
        target: &C::Target,
        query: &C::Query,
        body: &<C::Request as Payload>::Value,
    ) -> Result<<C::Response as Payload>::Value, Failure> {
        let bytes = C::Request::encode(body)?;
        let length = bytes.len() as u64;
        let body = Full::new(bytes).map_err(|never| match never {}).boxed_unsync();
        let request = self.request::<C>(target, query, Some(length), body)?;
        let response = self.send(request).await?;
        C::Response::decode(&self.whole(response).await?)
    }

    /// Calls an endpoint that takes bytes, sending them as they come.
    pub async fn upload<C: Call<Request: Raw>>(
        &self,
        target: &C::Target,
        query: &C::Query,
        bytes: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Result<<C::Response as Payload>::Value, Failure> {
        let frames = futures_util::StreamExt::map(bytes, |chunk| chunk.map(Frame::data));
        let request = self.request::<C>(target, query, None, StreamBody::new(frames).boxed_unsync())?;
        let response = self.send(request).await?;
        C::Response::decode(&self.whole(response).await?)
    }

    /// Calls an endpoint that answers line by line. Dropping the stream ends the call.
    pub async fn lines<C: Call<Request = Nothing>>(
        &self,
        target: &C::Target,
        query: &C::Query,
    ) -> Result<LineStream<<C::Response as Payload>::Value>, Failure> {
        let request = self.request::<C>(target, query, None, empty())?;
        let response = tokio::time::timeout(PATIENCE, self.send(request))
            .await
            .map_err(|_| self.address.silent(PATIENCE))??;
        let response = self.succeeded(response).await?;
        Ok(lines::read::<C::Response>(
            response.into_body(),
            self.address.clone(),
        ))
    }

    /// Calls an endpoint that answers bytes as they come. They are all there only where the stream ends without a failure.
    pub async fn download<C: Call<Request = Nothing, Response: Raw>>(
        &self,
        target: &C::Target,
        query: &C::Query,
    ) -> Result<impl Stream<Item = Result<Bytes, Failure>> + use<C>, Failure> {
        let request = self.request::<C>(target, query, None, empty())?;
        let response = tokio::time::timeout(PATIENCE, self.send(request))
            .await
            .map_err(|_| self.address.silent(PATIENCE))??;
        let body = self.succeeded(response).await?.into_body();
        let address = self.address.clone();
        Ok(body
            .into_data_stream()
            .map_err(move |why| address.broke_off(&why)))
    }

    /// The health of HostKit, whatever it is: an unhealthy answer is an answer too.
    pub async fn health(&self) -> Result<Health, Failure> {
        let request = self.request::<GetHealth>(&Installation, &NoQuery {}, None, empty())?;
        let response = self.send(request).await?;
        let status = response.status();
        if status != StatusCode::OK && status != StatusCode::SERVICE_UNAVAILABLE {
            return Err(self.refused(response).await);
        }
        let bytes = self.body(response).await?;
        serde_json::from_slice(&bytes).map_err(|_| self.address.not_hostkit(status))
    }

    fn request<C: Call>(
        &self,
        target: &C::Target,
        query: &C::Query,
        length: Option<u64>,
        body: Body,
    ) -> Result<Request<Body>, Failure> {
        let unreadable =
            |why: String| Failure::new(Kind::Invalid, format!("cannot call `{}`: {why}", C::PATH));
        let query = serde_urlencoded::to_string(query).map_err(|why| unreadable(why.to_string()))?;
        let mut uri = target.fill(C::PATH);
        if !query.is_empty() {
            uri = format!("{uri}?{query}");
        }
        let mut request = Request::builder()
            .method(C::METHOD)
            .uri(uri)
            .header(HOST, self.address.host())
            .header(USER_AGENT, concat!("hostkit/", env!("CARGO_PKG_VERSION")));
        if let Some(media) = C::Request::FORM.media() {
            request = request.header(CONTENT_TYPE, media);
            if let Some(length) = length {
                request = request.header(CONTENT_LENGTH, length);
            }
        }
        if let Some(token) = &self.token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.reveal())).map_err(|_| {
                Failure::new(
                    Kind::Invalid,
                    "cannot use the token: it has characters no token has",
                )
                .hint("check HOSTKIT_TOKEN, or the token file")
            })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.body(body).map_err(|why| unreadable(why.to_string()))
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Failure> {
        self.address
            .connect()
            .await?
            .send_request(request)
            .await
            .map_err(|why| self.address.broke_off(&why))
    }

    async fn whole(&self, response: Response<Incoming>) -> Result<Bytes, Failure> {
        let response = self.succeeded(response).await?;
        self.body(response).await
    }

    async fn body(&self, response: Response<Incoming>) -> Result<Bytes, Failure> {
        Limited::new(response.into_body(), MAX_ANSWER_BYTES)
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .map_err(|why| self.address.broke_off(&*why))
    }

    async fn succeeded(&self, response: Response<Incoming>) -> Result<Response<Incoming>, Failure> {
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(self.refused(response).await)
        }
    }

    async fn refused(&self, response: Response<Incoming>) -> Failure {
        let status = response.status();
        match self.body(response).await {
            Err(failure) => failure,
            Ok(bytes) => match serde_json::from_slice::<ErrorBody>(&bytes) {
                Ok(body) => body.into(),
                Err(_) => self.address.not_hostkit(status),
            },
        }
    }
}

fn empty() -> Body {
    Full::new(Bytes::new())
        .map_err(|never| match never {})
        .boxed_unsync()
}

#[cfg(test)]
mod tests;
