//! From the table to a router. [`route`] matches on every name of the table, so an endpoint that is not answered does
//! not compile; a handler takes an [`Admitted`] call, so one that passed no check cannot be written.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use futures_util::Stream;
use hostkit_api::endpoint::{Call, Lines, Payload, Raw, Socket};
use hostkit_api::endpoints::Name;
use hostkit_api::run::MAX_MESSAGE_BYTES;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::size::ByteSize;
use http::request::Parts;
use http::{Method, StatusCode};

use crate::auth::Admitted;
use crate::incoming::Incoming;
use crate::listener::MOST_HEAD;
use crate::routes::{
    addon, backup, bucket, cache, caller, certificate, database, deployment, domain, environment, event,
    installation, log, operator_key, project, release, run, source, token, variable, vault,
};
use crate::shared::Shared;
use crate::{page, reply, stream};

const REFERENCE: &str = "see /api/openapi.json, or docs/api.md";

/// Which listener a router is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// The unix socket.
    Socket,
    /// The loopback port, which browsers reach too.
    Loopback,
}

/// One endpoint, answered.
struct Row {
    name: Name,
    path: &'static str,
    methods: MethodRouter,
}

/// The router of a listener.
pub(crate) fn build(shared: &Arc<Shared>, door: Door) -> Router {
    let router = Name::ALL
        .iter()
        .map(|name| {
            let row = route(*name, shared);
            debug_assert_eq!(
                row.name, *name,
                "an endpoint is answered by the handler of another"
            );
            row
        })
        .fold(Router::new(), |router, row| router.route(row.path, row.methods))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_this_way);
    let router = match door {
        Door::Socket => router,
        Door::Loopback => page::guard(page::add(router, shared), shared),
    };
    router.layer(from_fn(check_head))
}

/// Refuses a head that is too long, to the byte.
async fn check_head(request: Request, next: Next) -> Response {
    let fields = request.headers().iter();
    let bytes: usize = fields
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    let target = request
        .uri()
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if bytes + target <= MOST_HEAD {
        return next.run(request).await;
    }
    drop(Incoming::new(request.into_body(), 0));
    let why = format!(
        "cannot read the request: its head has more than {}",
        ByteSize(MOST_HEAD as u64)
    );
    let mut response = reply::failure(Failure::new(Kind::TooLarge, why));
    *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    response
}

fn route(name: Name, shared: &Arc<Shared>) -> Row {
    match name {
        Name::GetHealth => raw(shared, installation::health),
        Name::GetOpenApi => raw(shared, installation::openapi),
        Name::GetStatus => json(shared, installation::status),
        Name::GetMetrics => json(shared, installation::metrics),
        Name::GetDoctor => json(shared, installation::doctor),
        Name::ListEvents => lines(shared, event::of_installation),
        Name::GetCaller => json(shared, caller::get),
        Name::ListTokens => json(shared, token::list),
        Name::CreateToken => json(shared, token::create),
        Name::RotateMasterKey => json(shared, vault::rotate),
        Name::DeleteToken => json(shared, token::delete),
        Name::ListCertificates => json(shared, certificate::list),
        Name::ImportCertificate => json(shared, certificate::import),
        Name::RemoveCertificate => json(shared, certificate::remove),
        Name::RenewCertificate => json(shared, certificate::renew),
        Name::ListProjects => json(shared, project::list),
        Name::CreateProject => json(shared, project::create),
        Name::ProvisionProject => json(shared, project::provision),
        Name::GetProject => json(shared, project::get),
        Name::DeleteProject => json(shared, project::delete),
        Name::ListOperatorKeys => json(shared, operator_key::list),
        Name::AddOperatorKey => json(shared, operator_key::add),
        Name::RemoveOperatorKey => json(shared, operator_key::remove),
        Name::PlanSource => json(shared, source::plan),
        Name::PutContents => bytes(shared, source::put),
        Name::CommitSource => json(shared, source::commit),
        Name::UploadArchive => bytes(shared, source::archive),
        Name::ListEnvironments => json(shared, environment::list),
        Name::GetEnvironment => json(shared, environment::get),
        Name::GetEnvironmentDoctor => json(shared, environment::doctor),
        Name::PurgeCache => json(shared, cache::purge),
        Name::CreateDeployment => json(shared, deployment::create),
        Name::ListDeployments => json(shared, deployment::list),
        Name::GetDeployment => json(shared, deployment::get),
        Name::CancelDeployment => json(shared, deployment::cancel),
        Name::GetDeploymentLog => lines(shared, deployment::log),
        Name::ListReleases => json(shared, release::list),
        Name::ListInstances => json(shared, environment::instances),
        Name::GetLogs => lines(shared, log::get),
        Name::ListEnvironmentEvents => lines(shared, event::of_environment),
        Name::ListDomains => json(shared, domain::list),
        Name::AddDomain => json(shared, domain::add),
        Name::RemoveDomain => json(shared, domain::remove),
        Name::CheckDomain => json(shared, domain::check),
        Name::ListAddons => json(shared, addon::list),
        Name::AddAddon => json(shared, addon::add),
        Name::ChangeAddon => json(shared, addon::change),
        Name::RemoveAddon => json(shared, addon::remove),
        Name::RotateAddon => json(shared, addon::rotate),
        Name::MoveAddon => json(shared, addon::move_to),
        Name::RevealAddon => json(shared, addon::reveal),
        Name::ListDatabases => json(shared, database::list),
        Name::CreateDatabase => json(shared, database::create),
        Name::DropDatabase => json(shared, database::delete),
        Name::GetDatabaseStats => json(shared, database::stats),
        Name::ListConnections => json(shared, database::connections),
        Name::ListExtensions => json(shared, database::extensions),
        Name::CreateExtension => json(shared, database::extend),
        Name::ProtectTable => json(shared, database::protect),
        Name::DumpDatabase => download(shared, database::dump),
        Name::RestoreDatabase => bytes(shared, database::restore),
        Name::CloneDatabase => json(shared, database::clone),
        Name::ListAllBackups => json(shared, backup::list_all),
        Name::ListBackups => json(shared, backup::list),
        Name::CreateBackup => lines(shared, backup::create),
        Name::PruneBackups => json(shared, backup::prune),
        Name::GetBackup => json(shared, backup::get),
        Name::ChangeBackup => json(shared, backup::change),
        Name::VerifyBackup => lines(shared, backup::verify),
        Name::RestoreBackup => lines(shared, backup::restore),
        Name::RestoreMoment => lines(shared, backup::restore_moment),
        Name::RestoreBackupElsewhere => lines(shared, backup::restore_elsewhere),
        Name::DownloadBackup => download(shared, backup::download),
        Name::SetBackupSchedule => json(shared, backup::schedule),
        Name::GetHistory => json(shared, backup::history),
        Name::SetHistory => json(shared, backup::set_history),
        Name::GetBackupTarget => json(shared, backup::target),
        Name::SetBackupTarget => json(shared, backup::set_target),
        Name::ShowRecoveryKit => json(shared, backup::kit),
        Name::ConfirmRecoveryKit => json(shared, backup::confirm_kit),
        Name::AdoptRecoveryKit => json(shared, backup::adopt_kit),
        Name::GetBucket => json(shared, bucket::get),
        Name::SetBucketPolicy => json(shared, bucket::set_policy),
        Name::ListVariables => json(shared, variable::list),
        Name::ChangeVariables => json(shared, variable::change),
        Name::ListVariableChanges => json(shared, variable::changes),
        Name::GetVariable => json(shared, variable::get),
        Name::ExportVariables => json(shared, variable::export),
        Name::RunCommand => socket(shared, run::run),
    }
}

/// An endpoint that takes a value and answers with one.
fn json<C, F, R>(shared: &Arc<Shared>, handler: F) -> Row
where
    C: Call,
    F: Fn(Admitted<C>, <C::Request as Payload>::Value) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<<C::Response as Payload>::Value, Failure>> + Send,
{
    row::<C, _, _>(shared, move |call, _, body| {
        let handler = handler.clone();
        async move {
            let value = C::Request::decode(&body.whole().await?)?;
            Ok(reply::success::<C::Response>(&handler(call, value).await?))
        }
    })
}

/// An endpoint that takes bytes as they come.
fn bytes<C, F, R>(shared: &Arc<Shared>, handler: F) -> Row
where
    C: Call<Request: Raw>,
    F: Fn(Admitted<C>, Incoming) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<<C::Response as Payload>::Value, Failure>> + Send,
{
    row::<C, _, _>(shared, move |call, _, body| {
        let handler = handler.clone();
        async move { Ok(reply::success::<C::Response>(&handler(call, body).await?)) }
    })
}

/// An endpoint that answers bytes as they come.
fn download<C, F, R, S>(shared: &Arc<Shared>, handler: F) -> Row
where
    C: Call<Response: Raw>,
    F: Fn(Admitted<C>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<S, Failure>> + Send,
    S: Stream<Item = Result<bytes::Bytes, Failure>> + Send + 'static,
{
    row::<C, _, _>(shared, move |call, _, _| {
        let handler = handler.clone();
        async move {
            let (shared, leash) = (call.shared().clone(), call.leash());
            Ok(stream::download(shared, leash, handler(call).await?))
        }
    })
}

/// An endpoint that answers line by line.
fn lines<C, T, F, R, S>(shared: &Arc<Shared>, handler: F) -> Row
where
    C: Call<Response = Lines<T>>,
    Lines<T>: Payload<Value = T>,
    F: Fn(Admitted<C>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<S, Failure>> + Send,
    S: Stream<Item = T> + Send + 'static,
{
    row::<C, _, _>(shared, move |call, _, _| {
        let handler = handler.clone();
        async move {
            let (shared, leash) = (call.shared().clone(), call.leash());
            Ok(stream::answer::<Lines<T>>(shared, leash, handler(call).await?))
        }
    })
}

/// An endpoint that takes the connection over.
fn socket<C, F, R>(shared: &Arc<Shared>, handler: F) -> Row
where
    C: Call<Response = Socket>,
    F: Fn(Admitted<C>, WebSocket) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    row::<C, _, _>(shared, move |call, mut parts, _| {
        let handler = handler.clone();
        async move {
            let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &())
                .await
                .map_err(|why| {
                    Failure::new(Kind::Invalid, format!("cannot open a WebSocket: {why}"))
                        .hint("call this endpoint with a WebSocket client, or use `hostkit run`")
                })?;
            Ok(upgrade
                .max_message_size(2 * MAX_MESSAGE_BYTES)
                .on_upgrade(move |socket| handler(call, socket)))
        }
    })
}

/// An endpoint that makes its own answer.
fn raw<C, F, R>(shared: &Arc<Shared>, handler: F) -> Row
where
    C: Call,
    F: Fn(Admitted<C>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response> + Send,
{
    row::<C, _, _>(shared, move |call, _, _| {
        let handler = handler.clone();
        async move { Ok(handler(call).await) }
    })
}

fn row<C, F, R>(shared: &Arc<Shared>, handler: F) -> Row
where
    C: Call,
    F: Fn(Admitted<C>, Parts, Incoming) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<Response, Failure>> + Send,
{
    let shared = shared.clone();
    let answer = move |request: Request| {
        let (shared, handler) = (shared.clone(), handler.clone());
        async move {
            let began = Instant::now();
            let (mut parts, body) = request.into_parts();
            let body = Incoming::new(body, C::Request::LIMIT);
            let (mut by, method) = (String::new(), parts.method.clone());
            let result = match Admitted::<C>::admit(shared, &mut parts).await {
                Ok(call) => {
                    call.by().clone_into(&mut by);
                    handler(call, parts, body).await
                }
                Err(failure) => Err(failure),
            };
            let response = result.unwrap_or_else(reply::failure);
            let (name, status) = (C::NAME.as_str(), response.status().as_u16());
            let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            if method == Method::GET {
                tracing::debug!(call = name, by, status, ms, "Answered");
            } else {
                tracing::info!(call = name, by, status, ms, "Answered");
            }
            response
        }
    };
    Row {
        name: C::NAME,
        path: C::PATH,
        // The table uses plain methods only; a test walks all rows.
        methods: on(
            MethodFilter::try_from(C::METHOD).unwrap_or(MethodFilter::GET),
            answer,
        ),
    }
}

/// Method and path of a request that leads nowhere, fit to be shown. Whoever still sends a body gets to read the
/// answer.
fn shown(request: Request) -> (String, String) {
    let (parts, body) = request.into_parts();
    drop(Incoming::new(body, 0));
    let path = parts.uri.path().chars().take(200).filter(|c| !c.is_control());
    let method = parts.method.as_str().chars().take(20);
    (method.collect(), path.collect())
}

async fn nothing_here(request: Request) -> Response {
    let (method, path) = shown(request);
    let why = format!("cannot find `{method} {path}`: the API has no such endpoint");
    reply::failure(Failure::new(Kind::NotFound, why).hint(REFERENCE))
}

/// The path is there, the method is not. The router adds the header that says which are.
async fn not_this_way(request: Request) -> Response {
    let (method, path) = shown(request);
    let why = format!("cannot answer `{method} {path}`: this endpoint does not take this method");
    let mut response = reply::failure(Failure::new(Kind::Invalid, why).hint(REFERENCE));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}
