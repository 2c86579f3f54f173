//! A whole server in a temporary folder, its client, and raw calls for what a client would never send.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hostkit_api::client::{Address, Client};
use hostkit_core::access::Role;
use hostkit_core::canary::Side;
use hostkit_core::kind::Failure;
use hostkit_core::layout::Layout;
use hostkit_core::names::{EnvironmentName, HostName, ProjectName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::source::SourceLimits;
use hostkit_core::traits::front_door::Visit;
use hostkit_core::traits::{Clock, Files, FrontDoor};
use hostkit_engine::{Engine, Parts};
use hostkit_server::{AccountOf, Settings};
use hostkit_store::Store;
use hostkit_testkit::fakes::{
    FakeAddon, FakeArchives, FakeBuilder, FakeCertificates, FakeDatabases, FakeInternet, FakePremises,
    FakeProbe, FakeRuntime, FakeSources, FakeSshKeys, FakeTraffic,
};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::exec::WithExec;

pub(crate) struct House {
    pub(crate) layout: Layout,
    pub(crate) engine: Arc<Engine>,
    pub(crate) sources: FakeSources,
    pub(crate) traffic: FakeTraffic,
    pub(crate) internet: FakeInternet,
    pub(crate) builder: FakeBuilder,
    pub(crate) databases: FakeDatabases,
    pub(crate) runtime: WithExec,
    pub(crate) admin: String,
    pub(crate) loopback: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Result<(), Failure>>,
    _folder: TempDir,
}

/// What came back of a raw call.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The message of an error.
    pub(crate) fn message(&self) -> String {
        let json = self.json();
        json["error"]["message"]
            .as_str()
            .unwrap_or_else(|| panic!("no error: {json}"))
            .to_owned()
    }
}

pub(crate) fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

pub(crate) fn production(name: &str) -> EnvironmentId {
    EnvironmentId::new(project(name), EnvironmentName::production())
}

impl House {
    /// A server as in local mode: only tokens count.
    pub(crate) async fn open() -> House {
        Self::open_to(None).await
    }

    /// A server that asks who a caller of the unix socket is.
    pub(crate) async fn open_to(account_of: Option<AccountOf>) -> House {
        let limits = SourceLimits {
            bytes: 8 << 20,
            files: 20_000,
        };
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        std::fs::create_dir_all(layout.run()).unwrap();
        let clock = Arc::new(Now);
        let store = Store::open(&layout, clock.clone()).unwrap();
        store.bootstrap_token(&layout).unwrap();
        let admin = std::fs::read_to_string(layout.token()).unwrap().trim().to_owned();
        let base_host = HostName::parse("localhost").unwrap();
        let (fake, sources, traffic) = (
            FakeRuntime::default(),
            FakeSources::default(),
            FakeTraffic::default(),
        );
        let internet = FakeInternet::before(&traffic);
        let keys = FakeSshKeys::default();
        let builder = FakeBuilder::default();
        let databases = FakeDatabases::default();
        let runtime = WithExec::new(fake.clone());
        let parts = Parts {
            layout: layout.clone(),
            store: store.clone(),
            premises: Arc::new(FakePremises::new(layout.clone())),
            operator_keys: Some(keys.of_operators()),
            archives: Some(Arc::new(FakeArchives::default())),
            port_owners: None,
            runtime: Arc::new(runtime.clone()),
            addons: vec![Arc::new(FakeAddon::default()), Arc::new(databases.clone())],
            services: None,
            backups: None,
            builders: vec![Arc::new(builder.clone())],
            procfile: |_| Ok(Default::default()),
            sources: Arc::new(sources.clone()),
            traffic: Arc::new(traffic.clone()),
            certificates: Arc::new(FakeCertificates::default()),
            front_door: Arc::new(Open(traffic.clone())),
            internet: Arc::new(internet.clone()),
            probe: Arc::new(FakeProbe::of(&fake)),
            files: Arc::new(Disk),
            clock,
            port_is_free: |_| true,
            settings: hostkit_engine::Settings::new(base_host.clone()),
        };
        let engine = Engine::start(parts).await.unwrap();
        let unix = UnixListener::bind(layout.control_socket()).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let loopback = tcp.local_addr().unwrap();
        let settings = Settings {
            version: "1.2.3".into(),
            layout: layout.clone(),
            base_host,
            front_door: "127.0.0.1:8080".parse().unwrap(),
            https_port: None,
            limits,
            started_at: Now.now(),
            account_of,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let (of_server, its_sources) = (engine.clone(), Arc::new(sources.clone()));
        let serving = tokio::spawn(async move {
            let shutdown = async {
                stopped.await.ok();
            };
            hostkit_server::serve(of_server, its_sources, unix, tcp, settings, shutdown).await
        });
        House {
            layout,
            engine,
            sources,
            traffic,
            internet,
            builder,
            databases,
            runtime,
            admin,
            loopback,
            stop: Some(stop),
            serving,
            _folder: folder,
        }
    }

    /// A house with the project `shop`.
    pub(crate) async fn with_shop() -> House {
        let house = House::open().await;
        house.engine.create_project(&project("shop")).await.unwrap();
        house
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.layout.control_socket()
    }

    pub(crate) fn client(&self) -> Client {
        self.client_of(&self.admin)
    }

    pub(crate) fn client_of(&self, token: &str) -> Client {
        Client::new(Address::Socket(self.socket()), Some(Secret::new(token)))
    }

    pub(crate) fn token(&self, name: &str, role: Role, project: Option<&ProjectName>) -> String {
        let token = self.engine.create_token(name, role, project).unwrap();
        token.reveal().to_owned()
    }

    /// Ends the server and waits for it.
    pub(crate) async fn close(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        let ended = tokio::time::timeout(std::time::Duration::from_secs(20), &mut self.serving).await;
        ended.expect("the server ends").unwrap().unwrap();
    }

    /// One call on a connection of its own, over the unix socket, exactly as it is given.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Answer {
        send_to(&self.socket(), method, path, token, body).await
    }

    /// One call over TCP.
    pub(crate) async fn browse(&self, request: Request<Full<Bytes>>) -> Answer {
        call(TcpStream::connect(self.loopback).await.unwrap(), request).await
    }
}

/// One call on a connection of its own to a unix socket.
pub(crate) async fn send_to(
    socket: &Path,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: impl Into<Bytes>,
) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let stream = UnixStream::connect(socket).await.unwrap();
    call(stream, request.body(Full::new(body.into())).unwrap()).await
}

async fn call<S>(stream: S, request: Request<Full<Bytes>>) -> Answer
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    drop(sender);
    connection.abort();
    assert_ne!(parts.status, StatusCode::INTERNAL_SERVER_ERROR, "{body:?}");
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("it never came to this: {what}");
}

/// The time of the machine.
struct Now;

impl Clock for Now {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

/// A front door that answers what its table says.
struct Open(FakeTraffic);

#[async_trait::async_trait]
impl FrontDoor for Open {
    async fn visit(&self, host: &HostName, _: &str, _: Side) -> Result<Visit, String> {
        let table = self.0.table();
        let route = table.routes.iter().find(|route| route.hosts.contains(host));
        Ok(Visit {
            status: 200,
            release: route.and_then(|route| route.release.clone()),
        })
    }
}

/// The disk, as far as these tests come to it.
struct Disk;

impl Files for Disk {
    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(1 << 40)
    }
    fn exists(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok()
    }
    fn is_folder(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok_and(|m| m.is_dir())
    }
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }
    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = BTreeMap::new();
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            names.insert(entry?.file_name().to_string_lossy().into_owned(), ());
        }
        Ok(names.into_keys().collect())
    }
    fn read_at(&self, path: &Path, offset: u64, limit: usize) -> io::Result<Vec<u8>> {
        let bytes = std::fs::read(path).unwrap_or_default();
        let rest = bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        Ok(rest[..rest.len().min(limit)].to_vec())
    }
    fn write_private(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        std::fs::write(path, bytes)
    }
    fn append(&self, path: &Path) -> io::Result<Box<dyn io::Write + Send>> {
        std::fs::create_dir_all(path.parent().unwrap())?;
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Box::new(file))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }
    fn point_link(&self, link: &Path, target: &Path) -> io::Result<()> {
        std::fs::remove_file(link).ok();
        std::os::unix::fs::symlink(target, link)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        match path.symlink_metadata() {
            Err(_) => Ok(()),
            Ok(m) if m.is_dir() => std::fs::remove_dir_all(path),
            Ok(_) => std::fs::remove_file(path),
        }
    }
    fn clone_tree(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::create_dir_all(to)?;
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            let into = to.join(entry.file_name());
            match entry.file_type()?.is_dir() {
                true => self.clone_tree(&entry.path(), &into)?,
                false => std::fs::copy(entry.path(), into).map(drop)?,
            }
        }
        Ok(())
    }
    fn size(&self, _: &Path) -> io::Result<u64> {
        Ok(0)
    }
    fn sync_tree(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}
