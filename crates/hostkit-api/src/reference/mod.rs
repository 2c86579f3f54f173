//! `docs/api.md`, made from the table and the schemas: for readers, where the OpenAPI document is for programs.

mod types;

use std::fmt::Write;

use hostkit_core::access::{Permission, Role};
use serde_json::Value;

use crate::endpoint::Form;
use crate::endpoints::Name;
use crate::openapi;

const INTRODUCTION: &str = r#"# HTTP API

<!-- Written from the endpoint table by `UPDATE=1 cargo test -p hostkit-api`. Do not edit by hand. -->

The API answers on the unix socket `run/control.sock` in the data folder, on a loopback port (`hostkit status` shows
it), and through the front door at `http://hostkit.localhost`. The same as an OpenAPI 3.1 document is at
`/api/openapi.json`.

```sh
curl --unix-socket ~/.local/share/hostkit/run/control.sock http://localhost/api/projects \
  -H "Authorization: Bearer $(cat ~/.local/share/hostkit/token)"
```

**Who may.** Every call but the public ones needs a token in the `Authorization` header; there are no cookies. A token
has a role and covers all projects or one. What a token does not cover answers 404, like what does not exist.

**Errors** are `{"error": {"code", "message", "hint", "details"}}`; the code decides the HTTP status: `invalid` 400,
`unauthenticated` 401, `denied` 403, `not_found` 404, `conflict` 409, `too_large` 413, `failed` 422, `internal` 500,
`unavailable` 503 (try again). A method that a path does not take is `invalid` with 405, and `Allow` names those it does.

**Lines.** Where an answer is *lines*, it is one JSON value a line (`application/x-ndjson`), sent as they come. Empty
lines in between keep the connection open; a line `{"error": …}` ends a stream that could not go on. Fields that are
not known are refused in what you send, and may be added to what you get.
"#;

/// The page.
pub fn page() -> String {
    let document = openapi::document();
    let mut page = String::from(INTRODUCTION);
    for group in groups() {
        heading(&mut page, group);
        for name in Name::ALL.iter().filter(|n| n.endpoint().group() == group) {
            endpoint(&mut page, *name, &document);
        }
    }
    heading(&mut page, "Types");
    types::all(&mut page, &document);
    page
}

fn groups() -> Vec<&'static str> {
    let mut groups = Vec::new();
    for name in Name::ALL {
        let group = name.endpoint().group();
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

fn heading(page: &mut String, text: &str) {
    // Writing to a string cannot fail.
    writeln!(page, "\n## {text}").ok();
}

fn endpoint(page: &mut String, name: Name, document: &Value) {
    let row = name.endpoint();
    let operation = &document["paths"][row.path][row.method.as_str().to_ascii_lowercase()];
    writeln!(
        page,
        "\n### {} {}\n\n{}\n",
        row.method,
        row.path,
        row.description()
    )
    .ok();
    writeln!(page, "- Who: {}", who(row.permission)).ok();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] == "query" {
            let name = parameter["name"].as_str().unwrap_or_default();
            let doc = parameter["description"].as_str().unwrap_or_default();
            writeln!(page, "- `?{name}=` {}: {doc}", types::name(&parameter["schema"])).ok();
        }
    }
    let body = |content: &Value, form: Form| match (form, form.media().map(|media| &content[media])) {
        (Form::Lines, Some(content)) => format!("lines of {}", types::name(&content["schema"])),
        (Form::Bytes, _) => "bytes".to_owned(),
        (Form::Text, _) => "text".to_owned(),
        (_, Some(content)) => types::name(&content["schema"]),
        (Form::Socket, None) => "a WebSocket".to_owned(),
        (_, None) => "nothing".to_owned(),
    };
    if row.request.form != Form::Nothing {
        let content = &operation["requestBody"]["content"];
        writeln!(page, "- Takes: {}", body(content, row.request.form)).ok();
    }
    let status = row.response.status;
    let content = &operation["responses"][status.to_string()]["content"];
    writeln!(page, "- Answers {status}: {}", body(content, row.response.form)).ok();
}

fn who(permission: Permission) -> String {
    if permission == Permission::Public {
        return "everybody, without a token".into();
    }
    let roles: Vec<&str> = Role::ALL
        .iter()
        .filter(|role| role.may(permission))
        .map(|role| match role {
            Role::Admin => "admin",
            Role::Developer => "developer",
            Role::Viewer => "viewer",
        })
        .collect();
    let covers = match permission {
        Permission::ReadInstallation | Permission::ManageInstallation => "; tokens that cover all projects",
        _ => "",
    };
    format!("{}{covers}", roles.join(", "))
}

#[cfg(test)]
mod tests;
