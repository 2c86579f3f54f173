//! What an endpoint is: a method, a path, a permission and the types that travel. A type that does not say all of
//! this is no [`Call`], so an endpoint without a permission cannot be written.

mod payload;

use hostkit_core::access::Permission;
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::endpoints::Name;
use crate::target::{Parameter, Target};

pub use payload::{
    Accepted, Bytes, Created, JSON_LIMIT, Json, LARGE_LIMIT, Large, Lines, Nothing, Payload, Raw, Socket,
    Text, Unbounded,
};

/// One endpoint, as a type: the client calls it, the server answers it.
pub trait Call: Send + Sync + 'static {
    /// What the path names.
    type Target: Target;
    /// What stands behind the `?`.
    type Query: JsonSchema + Serialize + DeserializeOwned + Default + Send;
    /// The body that is sent.
    type Request: Payload;
    /// The body that is answered.
    type Response: Payload;
    /// Its row in the table.
    const NAME: Name;
    /// The HTTP method.
    const METHOD: Method;
    /// The path, with `{project}` and the like in it.
    const PATH: &'static str;
    /// What the caller must be allowed to do.
    const PERMISSION: Permission;
    /// What it does: one sentence, then perhaps more.
    const DOC: &'static str;
}

/// A row of the table: a [`Call`] as a value.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its name, also the operation id of the OpenAPI document.
    pub name: Name,
    /// The HTTP method.
    pub method: Method,
    /// The path, with `{project}` and the like in it.
    pub path: &'static str,
    /// What the caller must be allowed to do.
    pub permission: Permission,
    /// What it does: one sentence, then perhaps more.
    pub doc: &'static str,
    /// What stands in the path.
    pub parameters: &'static [Parameter],
    /// The schema of what stands behind the `?`.
    pub query: fn(&mut SchemaGenerator) -> Schema,
    /// The body that is sent.
    pub request: Body,
    /// The body that is answered.
    pub response: Body,
}

impl Endpoint {
    /// The row of a call.
    pub fn of<C: Call>() -> Self {
        Endpoint {
            name: C::NAME,
            method: C::METHOD,
            path: C::PATH,
            permission: C::PERMISSION,
            doc: C::DOC,
            parameters: C::Target::PARAMETERS,
            query: |generator| generator.subschema_for::<C::Query>(),
            request: Body::of::<C::Request>(),
            response: Body::of::<C::Response>(),
        }
    }

    /// The first sentence of the documentation, without its full stop.
    pub fn summary(&self) -> &'static str {
        let first = self.doc.split("\n").next().unwrap_or_default();
        first.trim().trim_end_matches('.')
    }

    /// The documentation as one paragraph.
    pub fn description(&self) -> String {
        self.doc.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The heading it stands under.
    pub fn group(&self) -> &'static str {
        let named = self.path.rsplit('/').find(|part| !part.starts_with('{'));
        if self.path.contains("/databases") {
            return "Databases";
        }
        match named.unwrap_or_default() {
            "backups" | "backup-schedule" | "prune" | "verify" | "restore" | "parts" | "target" | "kit"
            | "confirm" | "adopt" | "history" => "Backups",
            "keys" | "remove" => "Operator keys",
            "tokens" => "Tokens",
            "projects" | "provisions" => "Projects",
            "plan" | "blobs" | "sources" | "archives" => "Sources",
            "environments" => "Environments",
            "deployments" | "log" | "releases" => "Deployments",
            "variables" | "export" => "Variables",
            "instances" | "logs" | "run" => "What runs",
            "events" if self.has_project() => "What runs",
            _ => "Installation",
        }
    }

    /// Whether the path names a project.
    pub fn has_project(&self) -> bool {
        self.parameters.iter().any(|p| p.name == "project")
    }
}

/// A body, as a value.
#[derive(Debug, Clone, Copy)]
pub struct Body {
    /// How it travels.
    pub form: Form,
    /// The status it is answered with.
    pub status: u16,
    /// The most bytes taken of it (as a request).
    pub limit: u64,
    /// Its schema, or that of one line of it.
    pub schema: fn(&mut SchemaGenerator) -> Option<Schema>,
}

impl Body {
    fn of<P: Payload>() -> Self {
        Body {
            form: P::FORM,
            status: P::STATUS,
            limit: P::LIMIT,
            schema: P::schema,
        }
    }
}

/// How a body travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// There is none.
    Nothing,
    /// One JSON value.
    Json,
    /// One JSON value a line, as they come; empty lines in between keep the connection open. A line
    /// `{"error": …}` ends a stream that could not go on.
    Lines,
    /// Plain text.
    Text,
    /// Bytes as they come.
    Bytes,
    /// The connection becomes a WebSocket.
    Socket,
}

impl Form {
    /// The content type, where there is a body.
    pub fn media(self) -> Option<&'static str> {
        match self {
            Form::Nothing | Form::Socket => None,
            Form::Json => Some("application/json"),
            Form::Lines => Some("application/x-ndjson"),
            Form::Text => Some("text/plain; charset=utf-8"),
            Form::Bytes => Some("application/octet-stream"),
        }
    }
}
