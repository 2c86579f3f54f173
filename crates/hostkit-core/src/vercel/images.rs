//! `images` of `vercel.json`: which images may be asked for in other sizes. What would let more be asked for than the file
//! means is refused, what is less is told.

use serde_json::Value;

use super::read::{Object, Reader};
use crate::route::images::{ImageFormat, Images};
use crate::route::pattern::PathPattern;
use crate::size::Span;

const KNOWN: &[&str] = &[
    "sizes",
    "qualities",
    "formats",
    "minimumCacheTTL",
    "localPatterns",
    "dangerouslyAllowSVG",
    "remotePatterns",
    "domains",
    "contentSecurityPolicy",
    "contentDispositionType",
];

impl Reader {
    pub(super) fn images(&mut self, key: &str, value: &Value) -> Option<Images> {
        if value.is_null() {
            return None;
        }
        let Some(object) = value.as_object() else {
            self.wrong(key, "it is not an object");
            return None;
        };
        let default = Images::default();
        let place = |name: &str| format!("{key}.{name}");
        let qualities = self.numbers(&place("qualities"), object.get("qualities"));
        if qualities.is_none() {
            let why = "it is missing, and no other quality than 75 is made: name those that are asked for";
            self.ignore(&place("qualities"), why);
        }
        for name in ["remotePatterns", "domains"] {
            match object.get(name) {
                None | Some(Value::Null) => {}
                Some(Value::Array(list)) if list.is_empty() => {}
                Some(_) => self.ignore(&place(name), "only images of the same host are taken"),
            }
        }
        for name in ["contentSecurityPolicy", "contentDispositionType"] {
            if object.contains_key(name) {
                self.ignore(&place(name), "images come with a policy in which nothing runs");
            }
        }
        self.others(key, object, KNOWN);
        Some(Images {
            widths: self
                .numbers(&place("sizes"), object.get("sizes"))
                .unwrap_or(default.widths),
            qualities: qualities.unwrap_or(default.qualities),
            formats: self.formats(&place("formats"), object).unwrap_or(default.formats),
            paths: self.local_patterns(&place("localPatterns"), object),
            keep: match object.get("minimumCacheTTL") {
                None | Some(Value::Null) => default.keep,
                Some(seconds) => match seconds.as_u64().filter(|seconds| *seconds <= LONGEST) {
                    Some(seconds) => Span::secs(seconds),
                    None => {
                        let why = format!("it is not a whole number of seconds up to {LONGEST}, a year");
                        self.wrong(&place("minimumCacheTTL"), why);
                        default.keep
                    }
                },
            },
            svg: match object.get("dangerouslyAllowSVG") {
                Some(value) => self.switch(&place("dangerouslyAllowSVG"), value).unwrap_or(false),
                None => false,
            },
        })
    }

    /// A list of whole numbers. Whether they are sizes or qualities is checked with the rest.
    fn numbers<T: TryFrom<u64>>(&mut self, place: &str, value: Option<&Value>) -> Option<Vec<T>> {
        let value = value.filter(|value| !value.is_null())?;
        let number = |value: &Value| value.as_u64().and_then(|number| T::try_from(number).ok());
        let numbers = value
            .as_array()
            .and_then(|list| list.iter().map(number).collect());
        if numbers.is_none() {
            self.wrong(
                place,
                "it is not a list of whole numbers, or one of them is too large",
            );
        }
        numbers
    }

    fn formats(&mut self, place: &str, object: &Object) -> Option<Vec<ImageFormat>> {
        let value = object.get("formats").filter(|value| !value.is_null())?;
        let Some(list) = value.as_array() else {
            self.wrong(place, "it is not a list");
            return None;
        };
        let mut formats = Vec::new();
        for one in list {
            match one.as_str() {
                Some("image/webp") if formats.is_empty() => formats.push(ImageFormat::Webp),
                Some("image/webp") => {}
                Some("image/avif") => self.ignore(place, "AVIF is not made"),
                _ => self.wrong(place, "it takes `image/webp` and `image/avif`"),
            }
        }
        Some(formats)
    }

    /// The paths images are taken from. They narrow: one that is not understood must not be passed over.
    fn local_patterns(&mut self, place: &str, object: &Object) -> Vec<PathPattern> {
        let Some(value) = object.get("localPatterns").filter(|value| !value.is_null()) else {
            return Vec::new();
        };
        let patterns = self.each(place, value, |reader, place, entry| {
            if entry.contains_key("search") {
                reader.ignore(&format!("{place}.search"), "what is behind `?` is not looked at");
            }
            reader.others(place, entry, &["pathname", "search"]);
            let text = match entry.get("pathname") {
                None => ".*",
                Some(Value::String(text)) => text,
                Some(_) => {
                    reader.wrong(&format!("{place}.pathname"), "it is not a text");
                    return None;
                }
            };
            pattern(text)
                .map_err(|why| reader.wrong(&format!("{place}.pathname"), why))
                .ok()
        });
        if patterns.is_empty() {
            let why = "it is empty, and nothing could be asked for: name paths, or take `images` out";
            self.wrong(place, why);
        }
        patterns
    }
}

/// The longest an image may be used, in seconds.
const LONGEST: u64 = 365 * 24 * 60 * 60;

/// A regular expression for whole paths as a pattern of ours.
fn pattern(expression: &str) -> Result<PathPattern, String> {
    let inner = expression.strip_prefix('^').unwrap_or(expression);
    let inner = inner.strip_suffix('$').unwrap_or(inner);
    match inner.strip_prefix('/') {
        Some("") => PathPattern::parse("/"),
        Some(rest) if !is_one(rest) => {
            Err("it is more than one expression: write each as an entry of its own".into())
        }
        Some(rest) => PathPattern::parse(&format!("/({rest})")),
        None if matches!(inner, ".*" | "(.*)") => PathPattern::parse("/(.*)"),
        None => Err("it has to begin with `/`, as paths do".into()),
    }
}

/// Whether an expression stays what it is between brackets: none of its own closes them, and it has no other beginning
/// and end inside.
fn is_one(expression: &str) -> bool {
    let mut open = 0_usize;
    let mut letters = expression.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '(' => open += 1,
            ')' if open == 0 => return false,
            ')' => open -= 1,
            _ => {}
        }
    }
    open == 0 && !expression.contains("$|") && !expression.contains("|^")
}
