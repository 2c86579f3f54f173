//! What Redis answered, in the forms that a client may ask for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::Value;
use serde_json::{Value as Json, json};

/// How strings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As JSON; what is no UTF-8 is replaced by U+FFFD.
    Text,
    /// As JSON; strings in base64, but `OK`.
    Base64,
    /// As Redis wrote it (RESP2).
    Resp2,
}

/// The answer to one command: `{"result": …}` or `{"error": …}`.
pub(super) fn answer(value: &Value, form: Form) -> Json {
    match error(value) {
        Some(why) => json!({ "error": why }),
        None => json!({ "result": json(value, form) }),
    }
}

/// What Redis refused with.
pub(super) fn error(value: &Value) -> Option<String> {
    let Value::ServerError(error) = value else {
        return None;
    };
    Some(match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    })
}

fn json(value: &Value, form: Form) -> Json {
    let text = |bytes: &[u8]| match form {
        Form::Base64 => Json::String(STANDARD.encode(bytes)),
        Form::Text | Form::Resp2 => Json::String(String::from_utf8_lossy(bytes).into_owned()),
    };
    let list = |values: &[Value]| Json::Array(values.iter().map(|value| json(value, form)).collect());
    match value {
        Value::Nil => Json::Null,
        Value::Int(number) => json!(number),
        Value::Okay => json!("OK"),
        Value::BulkString(bytes) => text(bytes),
        Value::SimpleString(line) => text(line.as_bytes()),
        Value::Array(values) | Value::Set(values) => list(values),
        Value::Map(pairs) => Json::Array(
            pairs
                .iter()
                .flat_map(|(key, value)| [json(key, form), json(value, form)])
                .collect(),
        ),
        // Inside of another answer there is no place for an error but a string.
        Value::ServerError(_) => text(error(value).unwrap_or_default().as_bytes()),
        Value::Double(number) => text(number.to_string().as_bytes()),
        Value::Boolean(yes) => json!(i32::from(*yes)),
        Value::VerbatimString { text: line, .. } => text(line.as_bytes()),
        Value::Attribute { data, .. } => json(data, form),
        // The protocol that is spoken with Redis has no others.
        _ => Json::Null,
    }
}

/// The answer as Redis wrote it.
pub(super) fn resp2(value: &Value, out: &mut Vec<u8>) {
    let mut line = |mark: char, text: &str| out.extend_from_slice(format!("{mark}{text}\r\n").as_bytes());
    match value {
        Value::Nil => line('$', "-1"),
        Value::Int(number) => line(':', &number.to_string()),
        Value::Okay => line('+', "OK"),
        Value::SimpleString(text) => line('+', text),
        Value::ServerError(_) => line('-', &error(value).unwrap_or_default()),
        Value::BulkString(bytes) => {
            line('$', &bytes.len().to_string());
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        }
        Value::Array(values) | Value::Set(values) => {
            line('*', &values.len().to_string());
            values.iter().for_each(|value| resp2(value, out));
        }
        _ => line('$', "-1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested() -> Value {
        Value::Array(vec![
            Value::Nil,
            Value::Int(-3),
            Value::Okay,
            Value::SimpleString("PONG".into()),
            Value::BulkString(vec![b'a', 0xff]),
            Value::Array(vec![Value::BulkString(b"OK".to_vec())]),
        ])
    }

    #[test]
    fn strings_are_text_or_base64_and_ok_is_ok() {
        assert_eq!(
            answer(&nested(), Form::Text),
            json!({"result": [null, -3, "OK", "PONG", "a\u{fffd}", ["OK"]]})
        );
        assert_eq!(
            answer(&nested(), Form::Base64),
            json!({"result": [null, -3, "OK", "UE9ORw==", "Yf8=", ["T0s="]]})
        );
    }

    #[test]
    fn what_redis_wrote_is_written_again() {
        let mut out = Vec::new();
        resp2(&nested(), &mut out);

        assert_eq!(
            out,
            b"*6\r\n$-1\r\n:-3\r\n+OK\r\n+PONG\r\n$2\r\na\xff\r\n*1\r\n$2\r\nOK\r\n"
        );
    }
}
