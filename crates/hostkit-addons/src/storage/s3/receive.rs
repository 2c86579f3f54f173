//! Bytes that arrive: into a file, hashed on the way, against what the client announced of them.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::HeaderMap;
use s3s::dto::StreamingBlob;
use s3s::{S3ErrorCode, S3Result, TrailingHeaders};

use super::digests::{Algorithm, Hashing, decoded, hex};
use super::{Storage, answer, answer_to, blocking};
use crate::storage::contents::{Incoming, Written};
use crate::storage::error::StorageError;
use crate::storage::index::Checksums;

/// The largest body of one request, in bytes (5 GiB, as S3 has it). More comes in parts.
const LARGEST: u64 = 5 << 30;
/// Bytes that are written at once.
const BLOCK: usize = 1 << 20;
/// A client that sends nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the client said of the bytes.
#[derive(Default)]
pub(super) struct Announced {
    /// How many.
    pub(super) length: Option<i64>,
    /// Their MD5, in base64.
    pub(super) md5: Option<String>,
    /// Their checksums.
    pub(super) checksums: Checksums,
    /// Which checksums are wanted.
    pub(super) algorithms: Vec<Algorithm>,
    /// What it says behind them.
    pub(super) trailers: Option<TrailingHeaders>,
}

/// Bytes that are on the disk.
pub(super) struct Received {
    pub(super) written: Written,
    /// Their MD5 in hexadecimal digits.
    pub(super) etag: String,
    pub(super) checksums: Checksums,
}

impl Announced {
    /// Adds what headers say: which checksum is to be made, and which comes behind the bytes.
    pub(super) fn with_headers(mut self, headers: &HeaderMap) -> S3Result<Self> {
        let texts = |name: &str| {
            headers
                .get_all(name)
                .into_iter()
                .filter_map(|value| value.to_str().ok())
        };
        for name in texts("x-amz-sdk-checksum-algorithm").chain(texts("x-amz-checksum-algorithm")) {
            let unknown = || {
                answer_to(
                    S3ErrorCode::InvalidRequest,
                    "There is no such checksum algorithm.",
                )
            };
            self.algorithms.push(Algorithm::named(name).ok_or_else(unknown)?);
        }
        self.algorithms.extend(
            texts("x-amz-trailer")
                .flat_map(|names| names.split(','))
                .filter_map(Algorithm::of_header),
        );
        self.algorithms.extend(
            Algorithm::ALL
                .into_iter()
                .filter(|one| one.of(&self.checksums).is_some()),
        );
        Ok(self)
    }

    /// Adds what came behind the bytes. A checksum that was announced for there must be there.
    fn with_trailers(&mut self, headers: &HeaderMap) -> Result<(), StorageError> {
        let announced = headers
            .get_all("x-amz-trailer")
            .into_iter()
            .filter_map(|value| value.to_str().ok());
        for one in announced
            .flat_map(|names| names.split(','))
            .filter_map(Algorithm::of_header)
        {
            let said = self.trailers.as_ref().and_then(|trailers| {
                trailers.read(|found| Some(found.get(one.header())?.to_str().ok()?.to_owned()))?
            });
            let said = said.ok_or(StorageError::BadDigest(
                "the one announced for behind the bytes is not there",
            ))?;
            let before = one.of_mut(&mut self.checksums);
            if before.as_ref().is_some_and(|before| *before != said) {
                return Err(StorageError::BadDigest("two are said that differ"));
            }
            *before = Some(said);
        }
        Ok(())
    }
}

impl Storage {
    /// Writes a body to a file. `headers` are those of the request; `quota` is what the bucket may have.
    pub(super) async fn receive(
        &self,
        body: Option<StreamingBlob>,
        announced: Announced,
        headers: &HeaderMap,
        quota: Option<u64>,
    ) -> S3Result<Received> {
        let mut announced = announced.with_headers(headers)?;
        let length = announced
            .length
            .map(|length| u64::try_from(length).unwrap_or_default());
        if length.is_some_and(|length| length > LARGEST) {
            return Err(answer_to(
                S3ErrorCode::EntityTooLarge,
                "One request has at most 5 GiB.",
            ));
        }
        if let (Some(needed), Some(quota)) = (length, quota)
            && needed > quota
        {
            return Err(answer(StorageError::Quota { quota, needed }));
        }
        let md5 = announced.md5.as_deref().map(decoded).transpose();
        let md5 = md5
            .ok()
            .filter(|md5| md5.as_ref().is_none_or(|md5| md5.len() == 16));
        let md5 = md5.ok_or_else(|| {
            answer_to(
                S3ErrorCode::InvalidDigest,
                "Content-MD5 is not 16 bytes in base64.",
            )
        })?;
        let hashing = Hashing::new(announced.algorithms.iter().copied());
        let (incoming, hashing) = self.fill(body, length, hashing).await?;
        announced.with_trailers(headers).map_err(answer)?;
        blocking(move || {
            let (found_md5, checksums) = hashing.finish();
            if md5.is_some_and(|md5| md5 != found_md5) {
                return Err(StorageError::BadDigest("the MD5 is another one"));
            }
            if !checksums.agree_with(&announced.checksums) {
                return Err(StorageError::BadDigest("that of the bytes is another one"));
            }
            Ok(Received {
                written: incoming.finish()?,
                etag: hex(&found_md5),
                checksums,
            })
        })
        .await
        .map_err(answer)
    }

    async fn fill(
        &self,
        body: Option<StreamingBlob>,
        length: Option<u64>,
        hashing: Hashing,
    ) -> S3Result<(Incoming, Hashing)> {
        let mut state = Filling {
            incoming: None,
            hashing,
            size: 0,
        };
        let mut waiting: Vec<Bytes> = Vec::new();
        let mut body = body;
        loop {
            let next = match &mut body {
                Some(body) => tokio::time::timeout(PATIENCE, body.next())
                    .await
                    .map_err(|_| answer_to(S3ErrorCode::RequestTimeout, "Nothing came for a minute."))?,
                None => None,
            };
            let is_end = next.is_none();
            if let Some(bytes) = next {
                // What was signed and what came differ, or the client went away.
                waiting.push(bytes.map_err(|why| {
                    answer_to(
                        S3ErrorCode::IncompleteBody,
                        format!("The body is not as it was announced: {why}."),
                    )
                })?);
            }
            let size = waiting.iter().map(Bytes::len).sum::<usize>();
            let total = state.size + size as u64;
            if length.is_some_and(|length| total > length || (is_end && total < length)) || total > LARGEST {
                return Err(answer_to(
                    S3ErrorCode::IncompleteBody,
                    "The body has not as many bytes as was announced.",
                ));
            }
            if is_end || size >= BLOCK {
                let contents = self.contents.clone();
                let blocks = std::mem::take(&mut waiting);
                state = blocking(move || {
                    let mut incoming = match state.incoming {
                        Some(incoming) => incoming,
                        None => contents.begin(length.unwrap_or_default())?,
                    };
                    for block in &blocks {
                        incoming.write(block)?;
                        state.hashing.update(block);
                    }
                    Ok(Filling {
                        incoming: Some(incoming),
                        hashing: state.hashing,
                        size: total,
                    })
                })
                .await
                .map_err(answer)?;
            }
            if is_end && let Some(incoming) = state.incoming {
                return Ok((incoming, state.hashing));
            }
        }
    }
}

struct Filling {
    /// None: nothing was written yet.
    incoming: Option<Incoming>,
    hashing: Hashing,
    size: u64,
}
