//! The OpenAPI 3.1 document, made from the table.

use hostkit_core::access::Permission;
use http::Method;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::endpoint::{Endpoint, Form};
use crate::endpoints::Name;
use crate::error::ErrorBody;
use crate::run::RunRequest;

/// The document.
pub fn document() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let error = generator.subschema_for::<ErrorBody>();
    // Sent inside the WebSocket, so no body names it.
    generator.subschema_for::<RunRequest>();
    let mut paths: Map<String, Value> = Map::new();
    for name in Name::ALL {
        let endpoint = name.endpoint();
        let method = endpoint.method.as_str().to_ascii_lowercase();
        let operation = operation(&endpoint, &mut generator);
        let path = paths
            .entry(endpoint.path)
            .or_insert_with(|| Value::Object(Map::new()));
        path[method] = operation;
    }
    let schemas: Map<String, Value> = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "HostKit",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Deploys and runs your applications on your own machine. Every call but the public ones \
                            needs a token: `Authorization: Bearer hk_…`.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "responses": {
                "Error": {
                    "description": "What went wrong, why, and what to try next.",
                    "content": { "application/json": { "schema": error } }
                }
            },
            "schemas": schemas
        }
    })
}

fn operation(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": endpoint.name.as_str(),
        "tags": [endpoint.group()],
        "summary": endpoint.summary(),
        "description": endpoint.description(),
        "x-permission": endpoint.permission,
        "parameters": parameters(endpoint, generator),
        "responses": responses(endpoint, generator),
    });
    if endpoint.permission == Permission::Public {
        operation["security"] = json!([]);
    }
    if let Some(media) = endpoint.request.form.media() {
        let schema = (endpoint.request.schema)(generator);
        operation["requestBody"] = json!({
            "required": true,
            "description": format!("At most {} bytes.", endpoint.request.limit),
            "content": { media: content(schema) }
        });
    }
    operation
}

fn content(schema: Option<schemars::Schema>) -> Value {
    schema.map_or_else(|| json!({}), |schema| json!({ "schema": schema }))
}

fn parameters(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Vec<Value> {
    let in_path = endpoint.parameters.iter().map(|parameter| {
        let number = parameter.name == "deployment";
        json!({
            "name": parameter.name,
            "in": "path",
            "required": true,
            "description": parameter.doc,
            "schema": { "type": if number { "integer" } else { "string" } }
        })
    });
    let mut all: Vec<Value> = in_path.collect();
    for (name, mut schema) in query(endpoint, generator) {
        let doc = schema.as_object_mut().and_then(|s| s.remove("description"));
        all.push(json!({
            "name": name,
            "in": "query",
            "required": false,
            "description": doc,
            "schema": schema
        }));
    }
    all
}

/// The properties of the query; its type itself becomes no component.
pub(crate) fn query(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Map<String, Value> {
    let schema = (endpoint.query)(generator);
    let name = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|r| r.rsplit('/').next());
    let Some(definition) = name.and_then(|name| generator.definitions_mut().remove(name)) else {
        return Map::new();
    };
    match definition.get("properties") {
        Some(Value::Object(properties)) => properties.clone(),
        _ => Map::new(),
    }
}

fn responses(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let response = &endpoint.response;
    let mut success = json!({ "description": describe(response.form) });
    if let Some(media) = response.form.media() {
        success["content"] = json!({ media: content((response.schema)(generator)) });
    }
    let error = json!({ "$ref": "#/components/responses/Error" });
    let mut all = Map::new();
    if endpoint.name == Name::GetHealth {
        let mut unhealthy = success.clone();
        unhealthy["description"] = json!("A check is not healthy.");
        all.insert("503".into(), unhealthy);
    }
    all.insert(response.status.to_string(), success);
    if endpoint.permission != Permission::Public {
        all.insert("401".into(), error.clone());
        all.insert("403".into(), error.clone());
        all.insert("400".into(), error.clone());
    }
    if !endpoint.parameters.is_empty() {
        all.insert("404".into(), error.clone());
    }
    if endpoint.method != Method::GET {
        all.insert("409".into(), error.clone());
    }
    if endpoint.request.form != Form::Nothing {
        all.insert("413".into(), error.clone());
    }
    all.insert("default".into(), error);
    Value::Object(all)
}

pub(crate) fn describe(form: Form) -> &'static str {
    match form {
        Form::Nothing => "Done.",
        Form::Json => "The answer.",
        Form::Lines => {
            "One JSON value a line, as they come. Empty lines in between keep the connection open; a line \
             `{\"error\": …}` ends a stream that could not go on."
        }
        Form::Text => "The text.",
        Form::Bytes => "The bytes.",
        Form::Socket => "The connection is a WebSocket now.",
    }
}

#[cfg(test)]
mod tests;
