//! What a request asks for: `/set/foo/bar`, a command as JSON, several of them, or a stream.

use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

use super::commands::Command;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    /// One command.
    One(Command),
    /// Several, one after the other; others may come in between.
    Pipeline(Vec<Command>),
    /// Several, all at once or none.
    Transaction(Vec<Command>),
    /// What is published on channels, as it comes.
    Subscribe(Vec<Vec<u8>>),
    /// The same for patterns of channels.
    PatternSubscribe(Vec<Vec<u8>>),
    /// All commands that the Redis gets, as they come.
    Monitor,
}

/// Reads a call, or says what is wrong with it.
///
/// The path has the command and its arguments; a body is one more argument; what the query says besides `_token` follows
/// that. Without a path the body is a JSON array of the command and its arguments.
pub(super) fn parse(path: &str, query: &str, body: &[u8]) -> Result<Call, String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let mut words: Command = path.split('/').map(decode).collect();
    // `/get/a/` means `/get/a`, and `/` means nothing.
    if words.last().is_some_and(Vec::is_empty) {
        words.pop();
    }
    let Some(first) = words.first() else {
        return match one(body)? {
            command if command.is_empty() => Err("ERR empty command".to_owned()),
            command => Ok(Call::One(command)),
        };
    };
    match (first.to_ascii_lowercase().as_slice(), words.len()) {
        (b"pipeline", 1) => Ok(Call::Pipeline(many(body)?)),
        (b"multi-exec", 1) => Ok(Call::Transaction(many(body)?)),
        (b"monitor", 1) => Ok(Call::Monitor),
        (b"subscribe", 2..) => Ok(Call::Subscribe(words.split_off(1))),
        (b"psubscribe", 2..) => Ok(Call::PatternSubscribe(words.split_off(1))),
        _ => {
            if !body.is_empty() {
                words.push(body.to_vec());
            }
            for part in query.split('&').filter(|part| !part.is_empty()) {
                let (name, value) = part
                    .split_once('=')
                    .map_or((part, None), |(name, value)| (name, Some(value)));
                if name != "_token" {
                    words.push(decode_query(name));
                    words.extend(value.map(decode_query));
                }
            }
            Ok(Call::One(words))
        }
    }
}

/// The token of the query, where there is one.
pub(super) fn token_of(query: &str) -> Option<String> {
    let token = query.split('&').find_map(|part| part.strip_prefix("_token="))?;
    String::from_utf8(decode_query(token)).ok()
}

fn decode(text: &str) -> Vec<u8> {
    percent_decode_str(text).collect()
}

fn decode_query(text: &str) -> Vec<u8> {
    percent_decode_str(&text.replace('+', " ")).collect()
}

fn many(body: &[u8]) -> Result<Vec<Command>, String> {
    let rows: Vec<&RawValue> = serde_json::from_slice(body).map_err(unreadable)?;
    match rows.is_empty() {
        true => Err("ERR empty pipeline request".to_owned()),
        false => rows.into_iter().map(|row| one(row.get().as_bytes())).collect(),
    }
}

fn one(body: &[u8]) -> Result<Command, String> {
    let words: Vec<&RawValue> = serde_json::from_slice(body).map_err(unreadable)?;
    words.into_iter().map(word).collect()
}

fn unreadable(_: serde_json::Error) -> String {
    "ERR failed to parse command: a JSON array of the command and its arguments is needed".to_owned()
}

/// Numbers stay as they were written: 64 bits are more than a number of JavaScript holds.
fn word(word: &RawValue) -> Result<Vec<u8>, String> {
    let text = word.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<String>(text)
            .map(String::into_bytes)
            .map_err(unreadable),
        Some(b'[' | b'{' | b'n') | None => {
            Err("ERR failed to parse command: arguments are strings, numbers or booleans".to_owned())
        }
        Some(_) => Ok(text.as_bytes().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Command {
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn a_command_is_in_the_path_in_the_body_or_in_both() {
        for (path, query, body, expected) in [
            ("/get/foo", "", "", vec!["get", "foo"]),
            ("/set/foo/a%2Fb%20c", "", "", vec!["set", "foo", "a/b c"]),
            (
                "/set/foo",
                "EX=100",
                "bar",
                vec!["set", "foo", "bar", "EX", "100"],
            ),
            (
                "/set/foo/bar",
                "_token=abc&NX&EX=1",
                "",
                vec!["set", "foo", "bar", "NX", "EX", "1"],
            ),
            ("/set/foo", "", "{\"a\": [1]}", vec!["set", "foo", "{\"a\": [1]}"]),
            (
                "/",
                "",
                r#"["SET","foo","bar","EX",100]"#,
                vec!["SET", "foo", "bar", "EX", "100"],
            ),
            (
                "/",
                "_token=a",
                r#"["set","f",9223372036854775807,1.50,true]"#,
                vec!["set", "f", "9223372036854775807", "1.50", "true"],
            ),
            ("", "", r#"["echo","\u00e9\n"]"#, vec!["echo", "é\n"]),
            ("/publish/ch/msg", "", "", vec!["publish", "ch", "msg"]),
            ("/get/foo/", "", "", vec!["get", "foo"]),
        ] {
            assert_eq!(
                parse(path, query, body.as_bytes()),
                Ok(Call::One(words(&expected))),
                "{path}?{query} {body}"
            );
        }
    }

    #[test]
    fn bytes_stay_bytes() {
        assert_eq!(
            parse("/set/a", "", &[0, 255, 13, 10]),
            Ok(Call::One(vec![
                b"set".to_vec(),
                b"a".to_vec(),
                vec![0, 255, 13, 10]
            ]))
        );
        assert_eq!(
            parse("/get/%00%ff", "", b""),
            Ok(Call::One(vec![b"get".to_vec(), vec![0, 255]]))
        );
    }

    #[test]
    fn several_commands_and_streams_have_paths_of_their_own() {
        let two = br#"[["SET","a","b"],["GET","a"]]"#;
        let commands = vec![words(&["SET", "a", "b"]), words(&["GET", "a"])];
        assert_eq!(parse("/pipeline", "", two), Ok(Call::Pipeline(commands.clone())));
        assert_eq!(parse("/multi-exec/", "", two), Ok(Call::Transaction(commands)));
        assert_eq!(
            parse("/subscribe/a/b", "", b""),
            Ok(Call::Subscribe(words(&["a", "b"])))
        );
        assert_eq!(
            parse("/psubscribe/a*", "", b""),
            Ok(Call::PatternSubscribe(words(&["a*"])))
        );
        assert_eq!(parse("/monitor", "", b""), Ok(Call::Monitor));
    }

    #[test]
    fn what_is_no_command_is_refused_and_not_repeated() {
        for (path, body) in [
            ("/", ""),
            ("/", "[]"),
            ("/", "{}"),
            ("/", "\"get\""),
            ("/", "[[\"get\"]]"),
            ("/", "[\"set\",\"a\",null]"),
            ("/", "[\"set\",\"secret"),
            ("/pipeline", "[]"),
            ("/pipeline", "[\"get\"]"),
            ("/pipeline", "[[\"get\",{}]]"),
            ("/multi-exec", ""),
        ] {
            let why = parse(path, "", body.as_bytes()).unwrap_err();
            assert!(
                why.starts_with("ERR ") && !why.contains("secret"),
                "{path} {body}: {why}"
            );
        }
    }

    #[test]
    fn a_token_can_be_in_the_query() {
        assert_eq!(token_of("a=b&_token=x%2By"), Some("x+y".to_owned()));
        assert_eq!(token_of("token=x&x_token=y"), None);
    }
}
