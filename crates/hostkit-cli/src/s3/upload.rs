//! Putting objects: small ones at once, others in parts that are sent side by side. An upload that fails leaves nothing.

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::storage::listing::first;
use http::{Method, header};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::bucket::{Act, Bucket, refuse_late};

/// The least bytes of a part, and the most that are put at once.
const PART: u64 = 16 << 20;
/// Parts that an object may have.
const MOST_PARTS: u64 = 10_000;
/// Parts that are sent side by side.
const TOGETHER: usize = 3;

impl Bucket {
    /// Puts what `from` gives as an object. `size` is how much that will be, where it is known; `sent` is told of bytes as
    /// they are sent.
    pub(crate) async fn put(
        &self,
        key: &str,
        headers: &[(&str, &str)],
        from: &mut (dyn AsyncRead + Unpin + Send),
        size: Option<u64>,
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<(), Failure> {
        let part = size.map_or(PART, |size| PART.max(size.div_ceil(MOST_PARTS)));
        let begin = next(from, part).await?;
        if (begin.len() as u64) < part {
            let length = begin.len() as u64;
            let act = Act {
                method: Method::PUT,
                key,
                headers,
                body: begin,
                ..Act::default()
            };
            self.asked(&format!("put `{key}`"), act).await?;
            sent(length);
            return Ok(());
        }
        let what = format!("put `{key}`");
        let act = Act {
            method: Method::POST,
            key,
            query: &[("uploads", "")],
            headers,
            ..Act::default()
        };
        let begun = self.asked(&what, act).await?;
        let upload = first(&begun, "UploadId")
            .ok_or_else(|| Failure::new(Kind::Internal, format!("cannot {what}: the upload has no id")))?;
        let put = tokio::select! {
            put = self.put_parts(key, &upload, begin, part, from, sent) => put,
            // Its parts would wait for more, and count against the quota.
            _ = tokio::signal::ctrl_c() => {
                Err(Failure::new(Kind::Failed, format!("cannot {what}: it was interrupted")))
            }
        };
        if put.is_err() {
            let act = Act {
                method: Method::DELETE,
                key,
                query: &[("uploadId", &upload)],
                ..Act::default()
            };
            // Why it failed is the better thing to say; the life-cycle may take what is left.
            drop(self.asked("give up an upload", act).await);
        }
        put
    }

    async fn put_parts(
        &self,
        key: &str,
        upload: &str,
        begin: Bytes,
        part: u64,
        from: &mut (dyn AsyncRead + Unpin + Send),
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<(), Failure> {
        let mut under_way = FuturesUnordered::new();
        let mut tags: Vec<(usize, String)> = Vec::new();
        let (mut bytes, mut number) = (begin, 1);
        while !bytes.is_empty() {
            if under_way.len() == TOGETHER
                && let Some(done) = under_way.next().await
            {
                tags.push(done?);
            }
            under_way.push(self.put_part(key, upload, number, bytes, sent));
            bytes = next(from, part).await?;
            number += 1;
        }
        while let Some(done) = under_way.next().await {
            tags.push(done?);
        }
        tags.sort_unstable();
        let parts: String = tags
            .iter()
            .map(|(number, tag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"))
            .collect();
        let act = Act {
            method: Method::POST,
            key,
            query: &[("uploadId", upload)],
            body: format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>").into(),
            ..Act::default()
        };
        let what = format!("put `{key}`");
        let done = self.asked(&what, act).await?;
        refuse_late(&what, &done)
    }

    async fn put_part(
        &self,
        key: &str,
        upload: &str,
        number: usize,
        body: Bytes,
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<(usize, String), Failure> {
        let (what, length) = (format!("put part {number} of `{key}`"), body.len() as u64);
        let number_text = number.to_string();
        let act = Act {
            method: Method::PUT,
            key,
            query: &[("partNumber", &number_text), ("uploadId", upload)],
            body,
            ..Act::default()
        };
        let answer = self.send(&what, act).await?;
        let tag = answer
            .headers()
            .get(header::ETAG)
            .and_then(|tag| tag.to_str().ok());
        let tag = tag.unwrap_or_default().replace('"', "&quot;");
        sent(length);
        Ok((number, tag))
    }
}

/// The next bytes, as many as a part has, or what is left.
async fn next(from: &mut (dyn AsyncRead + Unpin + Send), part: u64) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    let read = from.take(part).read_to_end(&mut bytes).await;
    read.map_err(|why| Failure::new(Kind::Invalid, format!("cannot read what is to be put: {why}")))?;
    Ok(bytes.into())
}
