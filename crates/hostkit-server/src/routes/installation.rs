//! The installation as a whole.

use axum::body::Body;
use axum::response::Response;
use hostkit_api::endpoint::Form;
use hostkit_api::endpoints::{GetDoctor, GetHealth, GetMetrics, GetOpenApi, GetStatus};
use hostkit_api::installation::{Check, Finding, Health, HealthStatus, Status};
use hostkit_core::kind::{Failure, Kind};
use jiff::Timestamp;

use crate::auth::Admitted;
use crate::{reply, view};

/// Says what is well and what is not, never why: that may name folders, and anybody may ask.
pub(crate) async fn health(call: Admitted<GetHealth>) -> Response {
    let shared = call.shared();
    let report = shared.engine.health().await;
    let word = |well: bool| match well {
        true => HealthStatus::Healthy,
        false => HealthStatus::Unhealthy,
    };
    let checks = report.checks.iter().map(|check| {
        let shown = Check {
            status: word(check.problem.is_none()),
            latency_ms: check.latency_ms,
        };
        (check.name.to_owned(), shown)
    });
    let healthy = report.is_healthy();
    let health = Health {
        status: word(healthy),
        version: shared.settings.version.clone(),
        timestamp: Timestamp::now(),
        checks: checks.collect(),
    };
    let status = if healthy {
        200
    } else {
        Kind::Unavailable.http_status()
    };
    match serde_json::to_vec(&health) {
        Ok(bytes) => reply::with(status, Form::Json, bytes.into()),
        Err(why) => reply::failure(Failure::new(Kind::Internal, why.to_string())),
    }
}

pub(crate) async fn openapi(call: Admitted<GetOpenApi>) -> Response {
    reply::with(200, Form::Json, Body::from(call.shared().openapi.clone()))
}

pub(crate) async fn status(call: Admitted<GetStatus>, (): ()) -> Result<Status, Failure> {
    let shared = call.shared();
    let settings = &shared.settings;
    Ok(Status {
        version: settings.version.clone(),
        data: settings.layout.data().display().to_string(),
        api: format!("http://{}", shared.api),
        front_door: shared.url(&settings.base_host),
        started_at: settings.started_at,
        uptime_seconds: shared.uptime_seconds(),
        projects: shared.store().projects()?.len() as u64,
    })
}

pub(crate) async fn doctor(call: Admitted<GetDoctor>, (): ()) -> Result<Vec<Finding>, Failure> {
    let findings = call.shared().engine.doctor().await;
    Ok(findings.into_iter().map(view::finding).collect())
}

pub(crate) async fn metrics(call: Admitted<GetMetrics>, (): ()) -> Result<String, Failure> {
    call.shared().engine.metrics().await
}
