//! What regions and key pairs of S3 look like, whoever gives them.

/// Whether it is the name of a region: `eu-central-1`, `auto`.
pub fn is_region(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Whether it can be the public half of a key pair. It is part of a header: no space, comma or slash can be in it.
pub fn is_access_key_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b',' | b'='))
}

/// Whether it can be the secret half.
pub fn is_secret_access_key(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
