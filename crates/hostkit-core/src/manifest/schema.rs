//! The JSON schema of `hostkit.toml` for editors, drawn from the table of keys.

use serde_json::{Map, Value, json};

use super::keys::{Key, ROOT, Shape};

/// The schema of the file as it is written (draft 7, which editors for TOML understand).
pub fn schema() -> Value {
    let mut schema = table(ROOT);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("hostkit.toml");
    schema["description"] =
        json!("How a project is built and run by HostKit. Every key is optional, and so is the file.");
    schema
}

fn table(keys: &[Key]) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| (key.name.to_owned(), property(key)))
        .collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    let needed: Vec<&str> = keys.iter().filter(|key| key.needed).map(|key| key.name).collect();
    if !needed.is_empty() {
        schema["required"] = json!(needed);
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = shape(&key.shape);
    schema["description"] = json!(key.doc);
    // Defaults are written as TOML; those of the table are JSON as well (a test reads them all).
    if let Some(default) = key
        .default
        .and_then(|text| serde_json::from_str::<Value>(text).ok())
    {
        schema["default"] = default;
    }
    schema
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Text(rule) => match rule.pattern {
            Some(pattern) => json!({ "type": "string", "pattern": pattern }),
            None => json!({ "type": "string" }),
        },
        Shape::TextOrOff(_) => json!({ "anyOf": [{ "type": "string" }, { "const": false }] }),
        Shape::OneOf(words) => json!({ "type": "string", "enum": words }),
        Shape::Switch => json!({ "type": "boolean" }),
        Shape::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Duration(..) => {
            json!({ "type": "string", "pattern": "^\\s*[0-9]+(\\.[0-9]+)?\\s*(ms|s|m|min|h|d)$" })
        }
        Shape::Size(_) => {
            json!({ "type": "string", "pattern": "^\\s*[0-9]+(\\.[0-9]+)?\\s*([kKmMgGtT]?[iI]?[bB]?)$" })
        }
        Shape::Processors => json!({ "type": "number", "minimum": 0.01 }),
        Shape::Command => json!({
            "anyOf": [
                { "type": "string", "minLength": 1 },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            ]
        }),
        Shape::List(item) => json!({ "type": "array", "items": self::shape(item) }),
        Shape::Table(keys) => table(keys),
        Shape::Named(rule, value) => json!({
            "type": "object",
            "propertyNames": { "pattern": rule.pattern },
            "additionalProperties": self::shape(value),
        }),
    }
}
