//! What is asked for: `?url=/photo.jpg&w=640&q=75`. Only what the project's settings name, and only paths of the same
//! host, is; everything else would be a way to have this machine work or fetch for strangers.

use hostkit_core::image::Format;
use hostkit_core::route::images::Images;
use hostkit_core::route::pattern::normal;
use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::refusal::Refusal;

/// The longest path taken.
const LONGEST: usize = 2048;
/// What stands in a path only in another way of writing.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// An image in a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// Its path and query on the same host.
    pub(super) source: String,
    pub(super) width: u32,
    pub(super) quality: u8,
    /// The form the client takes, of those that are made.
    pub(super) format: Option<Format>,
}

impl Question {
    /// Reads a query.
    pub(super) fn read(
        query: Option<&str>,
        settings: &Images,
        accept: Option<&HeaderValue>,
    ) -> Result<Question, Refusal> {
        let (mut url, mut width, mut quality) = (None, None, None);
        for pair in query.unwrap_or_default().split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match key {
                "url" => &mut url,
                "w" => &mut width,
                "q" => &mut quality,
                // A deployment's id, say, that some tools add.
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(Refusal::Question("`url`, `w` and `q` can each be said once."));
            }
        }
        let source = source(url.unwrap_or_default(), settings)?;
        let width = number(width)
            .filter(|width| settings.widths.contains(width))
            .ok_or(Refusal::Question(
                "`w` must be one of the widths that the project allows.",
            ))?;
        let quality = match quality {
            None => settings.qualities.first().copied(),
            some => number(some)
                .and_then(|quality| u8::try_from(quality).ok())
                .filter(|quality| settings.qualities.contains(quality)),
        };
        let quality = quality.ok_or(Refusal::Question(
            "`q` must be one of the qualities that the project allows.",
        ))?;
        let format = (!settings.formats.is_empty() && takes_webp(accept)).then_some(Format::Webp);
        Ok(Question {
            source,
            width,
            quality,
            format,
        })
    }

    /// What tells it from others of the same source.
    pub(super) fn form(&self) -> String {
        let format = self.format.map_or("source", Format::extension);
        format!("image-{}-{}-{format}", self.width, self.quality)
    }
}

/// A number as people write it: no sign, no zero in front, not long.
fn number(text: Option<&str>) -> Option<u32> {
    let text = text?;
    let fine = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    (fine && !text.starts_with('0'))
        .then(|| text.parse().ok())
        .flatten()
}

fn source(written: &str, settings: &Images) -> Result<String, Refusal> {
    let refused = |why| Err(Refusal::Question(why));
    if written.is_empty() {
        return refused("`url` is missing: it is the path of an image on this site.");
    }
    if written.len() > LONGEST * 3 {
        return refused("`url` is too long.");
    }
    let spaced = written.replace('+', " ");
    let Ok(path) = percent_decode_str(&spaced).decode_utf8() else {
        return refused("`url` is not text.");
    };
    if path.len() > LONGEST {
        return refused("`url` is too long.");
    }
    if !path.starts_with('/') || path.starts_with("//") {
        return refused("`url` must be a path of this site, which begins with one `/`.");
    }
    if path.contains(|c: char| c.is_control() || c == '\\' || c == '#') {
        return refused("`url` has characters that no path has.");
    }
    let only_path = path.split('?').next().unwrap_or_default();
    // Looked at as a program may read it, however often it decodes.
    let mut meant = only_path.to_owned();
    loop {
        let decoded = percent_decode_str(&meant).decode_utf8_lossy().into_owned();
        if decoded == meant {
            break;
        }
        meant = decoded;
    }
    if meant.contains('\\') || meant.split('/').any(|part| matches!(part, "." | "..")) {
        return refused("`url` must not lead up or back.");
    }
    let begins = meant.split('/').find(|part| !part.is_empty());
    if matches!(begins, Some("_hostkit" | "_vercel")) {
        return refused("`url` must be an image of the site itself.");
    }
    let encoded = utf8_percent_encode(&path, UNSAFE).to_string();
    let of_path = encoded.split('?').next().unwrap_or_default();
    if !settings.paths.is_empty()
        && !settings
            .paths
            .iter()
            .any(|allowed| allowed.matches(&normal(of_path)))
    {
        return refused("`url` is not below a path that the project allows.");
    }
    Ok(encoded)
}

/// Whether a client says that it shows WebP. That it takes anything says nothing: all of them say so.
fn takes_webp(accept: Option<&HeaderValue>) -> bool {
    let Some(accept) = accept.and_then(|accept| accept.to_str().ok()) else {
        return false;
    };
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_webp = parts
            .next()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("image/webp"));
        let refused = parts.any(|part| {
            let quality = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            quality.is_some_and(|quality| quality.parse::<f32>().is_ok_and(|quality| quality <= 0.0))
        });
        is_webp && !refused
    })
}

#[cfg(test)]
mod tests {
    use hostkit_core::route::pattern::PathPattern;

    use super::*;

    fn read(query: &str) -> Result<Question, Refusal> {
        Question::read(Some(query), &Images::default(), None)
    }

    #[test]
    fn a_path_of_the_same_site_in_an_allowed_size_is_taken() {
        for (written, source) in [
            ("%2Fa.jpg", "/a.jpg"),
            ("/a.jpg", "/a.jpg"),
            ("%2Fa%3Fv%3D1%26x%3D2", "/a?v=1&x=2"),
            ("%2Fmy+photo.jpg", "/my%20photo.jpg"),
            ("%2Fmy%2520photo.jpg", "/my%20photo.jpg"),
            ("%2Fgr%C3%BCn.jpg", "/gr%C3%BCn.jpg"),
        ] {
            let asked = read(&format!("url={written}&w=640&dpl=x")).unwrap();
            assert_eq!(
                (asked.source.as_str(), asked.width, asked.quality),
                (source, 640, 75)
            );
            assert_eq!(asked.form(), "image-640-75-source");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let long = format!("url=/{}&w=640", "a".repeat(LONGEST));
        for query in [
            "",
            "url=/a.jpg",
            "w=640",
            "url=&w=640",
            "url=/a.jpg&w=641",
            "url=/a.jpg&w=0640",
            "url=/a.jpg&w=+640",
            "url=/a.jpg&w=-640",
            "url=/a.jpg&w=99999999999999999999",
            "url=/a.jpg&w=640&q=76",
            "url=/a.jpg&w=640&q=",
            "url=/a.jpg&w=640&w=640",
            "url=/a.jpg&url=/b.jpg&w=640",
            "url=a.jpg&w=640",
            "url=//evil.example/a.jpg&w=640",
            "url=%2F%2Fevil.example/a.jpg&w=640",
            "url=/%5Cevil.example/a.jpg&w=640",
            "url=%5C%5Cevil.example/a.jpg&w=640",
            "url=https%3A%2F%2Fevil.example%2Fa.jpg&w=640",
            "url=file:///etc/passwd&w=640",
            "url=data:image/png;base64,AAAA&w=640",
            "url=/../a.jpg&w=640",
            "url=/a/%2e%2e/b.jpg&w=640",
            "url=/a/%252e%252e/b.jpg&w=640",
            "url=/a/%25252e%25252e/b.jpg&w=640",
            "url=/a%0d%0aX:1.jpg&w=640",
            "url=/a%00.jpg&w=640",
            "url=/a%23.jpg&w=640",
            "url=/%ff.jpg&w=640",
            "url=/_hostkit/image%3Furl%3D/a.jpg%26w%3D640&w=640",
            "url=/%5Fvercel/image%3Furl%3D/a.jpg%26w%3D640&w=640",
            "url=/%255fhostkit/image&w=640",
            long.as_str(),
        ] {
            assert!(matches!(read(query), Err(Refusal::Question(_))), "{query}");
        }
        assert!(Question::read(None, &Images::default(), None).is_err());
    }

    #[test]
    fn where_paths_are_named_no_other_is_taken() {
        let settings = Images {
            paths: vec![PathPattern::parse("/media/(.*)").unwrap()],
            qualities: vec![80, 50],
            ..Images::default()
        };
        let read = |query| Question::read(Some(query), &settings, None);
        assert_eq!(read("url=/media/a.jpg&w=640").unwrap().quality, 80);
        assert_eq!(read("url=/media/a.jpg&w=640&q=50").unwrap().quality, 50);
        assert!(read("url=/private/a.jpg&w=640").is_err());
        assert!(read("url=/a.jpg%3Fx=/media/&w=640").is_err());
    }

    #[test]
    fn webp_is_for_those_who_name_it() {
        for (accept, taken) in [
            ("image/avif,image/webp,image/*,*/*;q=0.8", true),
            ("text/html, IMAGE/WEBP;q=0.1", true),
            ("image/webp;q=0", false),
            ("image/webp; q=0.000", false),
            ("image/*,*/*;q=0.8", false),
            ("", false),
        ] {
            let accept = HeaderValue::from_static(accept);
            assert_eq!(takes_webp(Some(&accept)), taken, "{accept:?}");
        }
        assert!(!takes_webp(None));
    }
}
