//! What went wrong, as S3 says it. What is ours alone to know goes into the log.

use s3s::{S3Error, S3ErrorCode};

use crate::storage::error::StorageError;

/// The answer to a failure.
pub(super) fn answer(why: StorageError) -> S3Error {
    let text = capital(&why);
    match why {
        StorageError::DiskFull => with_status("InsufficientStorage", 507, "The disk of the storage is full."),
        StorageError::Quota { .. } => with_status("QuotaExceeded", 403, text),
        StorageError::NoSuchBucket => S3Error::with_message(S3ErrorCode::NoSuchBucket, text),
        StorageError::NoSuchKey => S3Error::with_message(S3ErrorCode::NoSuchKey, text),
        StorageError::NoSuchUpload => S3Error::with_message(S3ErrorCode::NoSuchUpload, text),
        StorageError::Precondition => S3Error::with_message(S3ErrorCode::PreconditionFailed, text),
        StorageError::InvalidPart(_) => S3Error::with_message(S3ErrorCode::InvalidPart, text),
        StorageError::PartOrder => S3Error::with_message(S3ErrorCode::InvalidPartOrder, text),
        StorageError::PartTooSmall(_) => S3Error::with_message(S3ErrorCode::EntityTooSmall, text),
        StorageError::BadDigest(_) => S3Error::with_message(S3ErrorCode::BadDigest, text),
        StorageError::NotRecorded(_) => {
            tracing::error!("{why}");
            S3Error::with_message(S3ErrorCode::ServiceUnavailable, "Try again.")
        }
        StorageError::File { .. }
        | StorageError::Index(_)
        | StorageError::Damaged(_)
        | StorageError::Incomplete(_)
        | StorageError::OtherBytes(_)
        | StorageError::NoCopy(_) => {
            let cause = std::error::Error::source(&why).map(ToString::to_string);
            tracing::error!(cause, "{why}");
            S3Error::with_message(
                S3ErrorCode::InternalError,
                "The storage failed; its log says why.",
            )
        }
    }
}

/// For `map_err`: an answer with a message of its own.
pub(super) fn answer_to(code: S3ErrorCode, message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    S3Error::with_message(code, message)
}

pub(super) fn with_status(
    code: &'static str,
    status: u16,
    message: impl Into<std::borrow::Cow<'static, str>>,
) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    if let Ok(status) = http::StatusCode::from_u16(status) {
        error.set_status_code(status);
    }
    error
}

fn capital(why: &StorageError) -> String {
    let text = why.to_string();
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
        .unwrap_or_default()
}
