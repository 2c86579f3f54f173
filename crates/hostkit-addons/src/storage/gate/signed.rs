//! Which signatures are taken: version 4, for S3, of every header that changes what a request does. `s3s` checks the
//! signature itself; it also takes version 2, URLs that are valid for years, and headers that nobody signed. With those,
//! whoever was given a URL to write one object could read any other, by adding `x-amz-copy-source`.

use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use s3s::{S3Error, S3ErrorCode};

/// For how long a URL may be signed, in seconds (7 days, as S3 has it).
const LONGEST: u64 = 7 * 24 * 3600;
/// Headers that a signed URL may have in its query instead, where the signature covers them: an SDK moves them there.
const MOVED: [&str; 2] = ["x-amz-tagging", "x-amz-acl"];
/// The same, by how they begin. Whoever signs a checksum lets nothing else be put.
const MOVED_BEGIN: [&str; 2] = ["x-amz-meta-", "x-amz-checksum-"];
/// What the SDK for JavaScript signs where nobody asked for it: the checksum of nothing, whatever will be put.
const OF_NOTHING: (&str, &str) = ("x-amz-checksum-crc32", "AAAAAA==");

/// Refuses what is not taken, and puts headers back that an SDK moved into the query.
pub(super) fn check<B>(request: &mut Request<B>) -> Result<(), S3Error> {
    let query: Vec<(String, String)> = serde_urlencoded::from_str(request.uri().query().unwrap_or_default())
        .map_err(|_| S3Error::with_message(S3ErrorCode::InvalidURI, "The query is not `name=value&…`."))?;
    let value = |name: &str| {
        query
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    };
    if is_form(request.headers()) {
        return Err(not_there(
            "Forms (POST policies) are not taken; sign a URL for PUT.",
        ));
    }
    let authorization = request.headers().get(header::AUTHORIZATION);
    let is_old = authorization.is_some_and(|value| value.as_bytes().starts_with(b"AWS "));
    if is_old || value("Signature").is_some() || value("AWSAccessKeyId").is_some() {
        return Err(invalid(
            "Signatures of version 2 are not taken; use version 4 (AWS4-HMAC-SHA256).",
        ));
    }
    if value("X-Amz-Signature").is_some() {
        let seconds = value("X-Amz-Expires").and_then(|text| text.parse::<u64>().ok());
        if seconds.is_none_or(|seconds| seconds == 0 || seconds > LONGEST) {
            let code = S3ErrorCode::AuthorizationQueryParametersError;
            return Err(S3Error::with_message(
                code,
                "A URL is signed for 1 second to 7 days.",
            ));
        }
        check_scope(value("X-Amz-Credential").unwrap_or_default())?;
        let signed = value("X-Amz-SignedHeaders").unwrap_or_default();
        check_headers(request.headers(), signed, &["x-amz-content-sha256"])?;
        let moved: Vec<_> = query.iter().filter_map(moved).collect();
        request.headers_mut().extend(moved);
    } else if let Some(authorization) = authorization {
        let text = authorization
            .to_str()
            .map_err(|_| invalid("The Authorization header is no text."))?;
        let part = |name: &str| {
            let begin = text.find(name)? + name.len();
            text[begin..].split([',', ' ']).next()
        };
        check_scope(part("Credential=").unwrap_or_default())?;
        check_headers(request.headers(), part("SignedHeaders=").unwrap_or_default(), &[])?;
    }
    Ok(())
}

fn is_form(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_TYPE).into_iter().any(|value| {
        value.to_str().is_ok_and(|value| {
            value
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("multipart/form-data")
        })
    })
}

fn check_scope(credential: &str) -> Result<(), S3Error> {
    if credential.ends_with("/s3/aws4_request") {
        return Ok(());
    }
    Err(invalid("The signature is not one for S3."))
}

fn check_headers(headers: &HeaderMap, signed: &str, free: &[&str]) -> Result<(), S3Error> {
    let signed: Vec<&str> = signed.split(';').collect();
    let is_signed = |name: &str| signed.contains(&name) || free.contains(&name);
    let counts = |name: &HeaderName| name.as_str().starts_with("x-amz-");
    if !is_signed("host")
        || headers
            .keys()
            .any(|name| counts(name) && !is_signed(name.as_str()))
    {
        return Err(S3Error::with_message(
            S3ErrorCode::AccessDenied,
            "There are headers that were not signed: `host` and all that begin with `x-amz-` must be.",
        ));
    }
    Ok(())
}

fn moved((name, value): &(String, String)) -> Option<(HeaderName, HeaderValue)> {
    let name = name.to_ascii_lowercase();
    let is_moved = MOVED.contains(&name.as_str()) || MOVED_BEGIN.iter().any(|begin| name.starts_with(begin));
    (is_moved && (name.as_str(), value.as_str()) != OF_NOTHING)
        .then(|| Some((name.parse().ok()?, value.parse().ok()?)))?
}

fn invalid(why: &'static str) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidRequest, why)
}

fn not_there(why: &'static str) -> S3Error {
    S3Error::with_message(S3ErrorCode::NotImplemented, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    const SIGNED: &str =
        "/b/k?X-Amz-Signature=0&X-Amz-Credential=K/20300101/local/s3/aws4_request&X-Amz-Expires=60";

    #[test]
    fn what_nobody_signed_is_not_taken() {
        let host = "&X-Amz-SignedHeaders=host";
        let v4 = "AWS4-HMAC-SHA256 Credential=K/20300101/local/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=0";
        let good = [
            asked("/b/k", &[]),
            asked(
                &format!("{SIGNED}{host}"),
                &[
                    ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
                    ("range", "bytes=0-1"),
                ],
            ),
            asked(
                "/b/k",
                &[("authorization", v4), ("x-amz-date", "20300101T000000Z")],
            ),
        ];
        for mut request in good {
            check(&mut request).unwrap();
        }
        let sts = v4.replace("/s3/", "/sts/");
        let bad = [
            asked(&format!("{SIGNED}{host}"), &[("x-amz-copy-source", "/b/other")]),
            asked(SIGNED, &[]),
            asked(&format!("{SIGNED}{host}").replace("=60", "=604801"), &[]),
            asked(&format!("{SIGNED}{host}").replace("=60", "=-1"), &[]),
            asked(&format!("{SIGNED}{host}").replace("/s3/", "/sts/"), &[]),
            asked("/b/k?AWSAccessKeyId=K&Signature=x&Expires=9999999999", &[]),
            asked("/b/k?%53ignature=x", &[]),
            asked("/b/k", &[("authorization", "AWS K:c2ln")]),
            asked(
                "/b/k",
                &[("authorization", v4), ("x-amz-copy-source", "/b/other")],
            ),
            asked(
                "/b/k",
                &[("authorization", &sts), ("x-amz-date", "20300101T000000Z")],
            ),
            asked("/b", &[("content-type", "Multipart/Form-Data; boundary=x")]),
        ];
        for mut request in bad {
            assert!(check(&mut request).is_err(), "{request:?}");
        }
    }

    #[test]
    fn headers_that_were_moved_into_a_signed_url_count() {
        let sums = "x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-checksum-sha256=abc";
        let others = format!("x-amz-meta-colour=red&x-amz-copy-source=%2Fb%2Fother&{sums}");
        let moved = format!("{SIGNED}&X-Amz-SignedHeaders=host&{others}");
        let mut request = asked(&moved, &[]);
        check(&mut request).unwrap();
        assert_eq!(request.headers().get("x-amz-meta-colour").unwrap(), "red");
        assert_eq!(request.headers().get("x-amz-checksum-sha256").unwrap(), "abc");
        for name in ["x-amz-copy-source", "x-amz-checksum-crc32"] {
            assert!(request.headers().get(name).is_none(), "{name}");
        }
        let mut unsigned = asked("/b/k?x-amz-meta-colour=red", &[]);
        check(&mut unsigned).unwrap();
        assert!(unsigned.headers().is_empty());
    }
}
