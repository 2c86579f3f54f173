//! Signatures of version 4 in the query of a URL
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>).

use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::{digest, hmac};

use crate::secret::Secret;

/// What stands in a URL as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The same in a path.
const PATH: &AsciiSet = &PLAIN.remove(b'/');

/// What a request is signed with.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The public half.
    pub access: String,
    /// The secret half.
    pub secret: Secret,
    /// The region that the signature is for.
    pub region: String,
}

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `GET`.
    pub method: &'a str,
    /// As in the header `host`.
    pub host: &'a str,
    /// Not encoded.
    pub path: &'a str,
    /// Not encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// By name in lower case, besides `host`.
    pub headers: &'a [(&'a str, &'a str)],
}

/// Path and query of a URL that does what is asked, for so long from `at` on.
pub fn signed(keys: &Keys, asked: Asked<'_>, at: Timestamp, expires: Duration) -> String {
    let time = at.strftime("%Y%m%dT%H%M%SZ").to_string();
    let scope = format!("{}/{}/s3/aws4_request", &time[..8], keys.region);
    let mut headers = vec![("host", asked.host)];
    headers.extend(asked.headers);
    headers.sort_unstable();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let credential = format!("{}/{scope}", keys.access);
    let seconds = expires.as_secs().to_string();
    let mut query = asked.query.to_vec();
    query.extend([
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", &credential),
        ("X-Amz-Date", &time),
        ("X-Amz-Expires", &seconds),
        ("X-Amz-SignedHeaders", &names),
    ]);
    let encoded = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let mut query: Vec<(String, String)> = query
        .iter()
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    query.sort_unstable();
    let query: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let (path, query) = (utf8_percent_encode(asked.path, PATH).to_string(), query.join("&"));
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}:{}\n", value.trim()))
        .collect();
    let request = format!(
        "{}\n{path}\n{query}\n{lines}\n{names}\nUNSIGNED-PAYLOAD",
        asked.method
    );
    let request = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{request}");
    let first = format!("AWS4{}", keys.secret.reveal());
    let key = [&time[..8], &keys.region, "s3", "aws4_request"]
        .iter()
        .fold(first.into_bytes(), |key, part| mac(&key, part));
    format!("{path}?{query}&X-Amz-Signature={}", hex(&mac(&key, &text)))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Encoded as in a path.
pub fn path(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Amazon's page.
    #[test]
    fn a_url_is_signed_as_amazon_does() {
        let keys = Keys {
            access: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            region: "us-east-1".to_owned(),
        };
        let asked = Asked {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            query: &[],
            headers: &[],
        };
        let at = "2013-05-24T00:00:00Z".parse().unwrap();
        let url = signed(&keys, asked, at, Duration::from_secs(86400));
        assert!(
            url.ends_with(
                "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
            ),
            "{url}"
        );
    }
}
