//! Schemas as text: a name for where one is used, a table for each component.

use std::fmt::Write;

use serde_json::Value;

/// What a reader calls a schema: `text`, `number`, a link to a type, `list of …`.
pub(super) fn name(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("[{name}](#{})", name.to_ascii_lowercase());
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let named = choices.iter().filter(|c| c["type"] != "null").map(name);
        return named.collect::<Vec<_>>().join(" or ");
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().map(|v| format!("`{v}`")).collect();
        return values.join(", ");
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds
            .iter()
            .find(|k| *k != "null")
            .cloned()
            .unwrap_or(Value::Null),
        kind => kind.clone(),
    };
    match kind.as_str() {
        Some("string") if schema["format"] == "date-time" => "time".into(),
        Some("string") => "text".into(),
        Some("integer" | "number") => "number".into(),
        Some("boolean") => "true or false".into(),
        Some("array") if schema["items"].is_object() => format!("list of {}", name(&schema["items"])),
        Some("array") => "list".into(),
        Some("object") if schema["additionalProperties"].is_object() => {
            format!("{} by name", name(&schema["additionalProperties"]))
        }
        _ => "any".into(),
    }
}

pub(super) fn all(page: &mut String, document: &Value) {
    let Some(schemas) = document["components"]["schemas"].as_object() else {
        return;
    };
    for (title, schema) in schemas {
        writeln!(page, "\n### {title}\n\n{}", doc(schema)).ok();
        if let Some(variants) = schema["oneOf"].as_array() {
            writeln!(page).ok();
            variants.iter().for_each(|v| variant(page, v));
        } else if schema.get("enum").is_some() {
            writeln!(page, "\nOne of {}.", name(schema)).ok();
        }
        fields(page, schema);
    }
}

fn doc(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One choice of several: a word, or an object told apart by one of its fields.
fn variant(page: &mut String, schema: &Value) {
    if schema["properties"].is_null() {
        writeln!(page, "- {}: {}", name(schema), doc(schema)).ok();
        return;
    }
    let parts: Vec<String> = properties(schema)
        .map(|(field, schema)| format!("`{field}` {}", name(schema)))
        .collect();
    let text = doc(schema);
    let text = if text.is_empty() {
        text
    } else {
        format!(": {text}")
    };
    writeln!(page, "- {}{text}", parts.join(", ")).ok();
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

fn fields(page: &mut String, schema: &Value) {
    if properties(schema).next().is_none() {
        return;
    }
    writeln!(page, "\n| field | type | |\n|---|---|---|").ok();
    for (field, schema) in properties(schema) {
        let text = doc(schema).replace('|', "\\|");
        writeln!(page, "| `{field}` | {} | {text} |", name(schema)).ok();
    }
}
