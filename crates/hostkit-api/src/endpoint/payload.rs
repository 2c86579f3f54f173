//! Kinds of bodies: how each travels, within which bounds, and how it becomes bytes and a value again.

use hostkit_core::kind::{Failure, Kind};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Form;

/// The most bytes of a JSON body, where nothing else is said.
pub const JSON_LIMIT: u64 = 1 << 20;
/// The most bytes of a list of files or variables: the largest source allowed has this much to say.
pub const LARGE_LIMIT: u64 = 32 << 20;

/// A kind of body. The types that implement it only name one; they are never made.
pub trait Payload {
    /// What it carries: the JSON value, or one line.
    type Value: Send + Sync + 'static;
    /// How it travels.
    const FORM: Form;
    /// The status it is answered with.
    const STATUS: u16 = 200;
    /// The most bytes taken of it.
    const LIMIT: u64 = JSON_LIMIT;
    /// Its schema, or that of one line of it.
    fn schema(generator: &mut SchemaGenerator) -> Option<Schema>;
    /// The value (or one line, without line end) as bytes.
    fn encode(value: &Self::Value) -> Result<bytes::Bytes, Failure>;
    /// The value (or one line) from bytes.
    fn decode(bytes: &[u8]) -> Result<Self::Value, Failure>;
}

fn to_json<T: Serialize>(value: &T) -> Result<bytes::Bytes, Failure> {
    serde_json::to_vec(value)
        .map(bytes::Bytes::from)
        .map_err(|why| Failure::new(Kind::Internal, format!("cannot write JSON: {why}")))
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let refused = |why: String| Failure::new(Kind::Invalid, format!("cannot read the JSON: {why}"));
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let place = error.path().to_string();
        let why = error.into_inner().to_string();
        // Of a value at the top the path says nothing.
        refused(if place == "." {
            why
        } else {
            format!("`{place}`: {why}")
        })
    })?;
    json.end().map_err(|why| refused(why.to_string()))?;
    Ok(value)
}

/// No body.
#[derive(Debug)]
pub enum Nothing {}

impl Payload for Nothing {
    type Value = ();
    const FORM: Form = Form::Nothing;
    const STATUS: u16 = 204;
    fn schema(_: &mut SchemaGenerator) -> Option<Schema> {
        None
    }
    fn encode(_: &()) -> Result<bytes::Bytes, Failure> {
        Ok(bytes::Bytes::new())
    }
    fn decode(_: &[u8]) -> Result<(), Failure> {
        Ok(())
    }
}

macro_rules! json {
    ($(#[$doc:meta])* $name:ident, $form:expr, $status:literal, $limit:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<T>(std::marker::PhantomData<T>);

        impl<T: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static> Payload for $name<T> {
            type Value = T;
            const FORM: Form = $form;
            const STATUS: u16 = $status;
            const LIMIT: u64 = $limit;
            fn schema(generator: &mut SchemaGenerator) -> Option<Schema> {
                Some(generator.subschema_for::<T>())
            }
            fn encode(value: &T) -> Result<bytes::Bytes, Failure> {
                to_json(value)
            }
            fn decode(bytes: &[u8]) -> Result<T, Failure> {
                from_json(bytes)
            }
        }
    };
}

json!(
    /// One JSON value.
    Json, Form::Json, 200, JSON_LIMIT
);
json!(
    /// One JSON value, large where a source has many files or an import many variables.
    Large, Form::Json, 200, LARGE_LIMIT
);
json!(
    /// One JSON value: what was made.
    Created, Form::Json, 201, JSON_LIMIT
);
json!(
    /// One JSON value: what was begun and goes on.
    Accepted, Form::Json, 202, JSON_LIMIT
);
json!(
    /// JSON values, one a line, as they come.
    Lines, Form::Lines, 200, JSON_LIMIT
);

/// Plain text.
#[derive(Debug)]
pub enum Text {}

impl Payload for Text {
    type Value = String;
    const FORM: Form = Form::Text;
    fn schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        Some(generator.subschema_for::<String>())
    }
    fn encode(value: &String) -> Result<bytes::Bytes, Failure> {
        Ok(bytes::Bytes::copy_from_slice(value.as_bytes()))
    }
    fn decode(bytes: &[u8]) -> Result<String, Failure> {
        String::from_utf8(bytes.to_vec())
            .map_err(|_| Failure::new(Kind::Invalid, "cannot read the text: it is not UTF-8"))
    }
}

/// Bytes as they come, as many as a source may have.
#[derive(Debug)]
pub enum Bytes {}

impl Payload for Bytes {
    type Value = bytes::Bytes;
    const FORM: Form = Form::Bytes;
    const LIMIT: u64 = 2 << 30;
    fn schema(_: &mut SchemaGenerator) -> Option<Schema> {
        None
    }
    fn encode(value: &bytes::Bytes) -> Result<bytes::Bytes, Failure> {
        Ok(value.clone())
    }
    fn decode(bytes: &[u8]) -> Result<bytes::Bytes, Failure> {
        Ok(bytes::Bytes::copy_from_slice(bytes))
    }
}

/// Bytes as they come, however many: what takes them keeps none of them by itself.
#[derive(Debug)]
pub enum Unbounded {}

impl Payload for Unbounded {
    type Value = bytes::Bytes;
    const FORM: Form = Form::Bytes;
    const LIMIT: u64 = u64::MAX;
    fn schema(_: &mut SchemaGenerator) -> Option<Schema> {
        None
    }
    fn encode(value: &bytes::Bytes) -> Result<bytes::Bytes, Failure> {
        Bytes::encode(value)
    }
    fn decode(bytes: &[u8]) -> Result<bytes::Bytes, Failure> {
        Bytes::decode(bytes)
    }
}

/// A body that is sent as it comes.
pub trait Raw: Payload {}

impl Raw for Bytes {}
impl Raw for Unbounded {}

/// A WebSocket.
#[derive(Debug)]
pub enum Socket {}

impl Payload for Socket {
    type Value = ();
    const FORM: Form = Form::Socket;
    const STATUS: u16 = 101;
    fn schema(_: &mut SchemaGenerator) -> Option<Schema> {
        None
    }
    fn encode(_: &()) -> Result<bytes::Bytes, Failure> {
        Ok(bytes::Bytes::new())
    }
    fn decode(_: &[u8]) -> Result<(), Failure> {
        Ok(())
    }
}
