//! A front door in a temporary folder, upstream servers that record raw bytes, and a client that sends them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hostkit_core::kind::Failure;
use hostkit_core::layout::Layout;
use hostkit_core::names::{EnvironmentName, HostName, ProcessName, ProjectName, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::route::{
    Applied, Backend, BackendId, Compression, Drained, HoldRule, Https, Route, RouteTable, Target,
    TrafficStatus,
};
use hostkit_core::size::Span;
use hostkit_core::traits::traffic::Traffic;
use hostkit_proxy::{Proxy, ProxyClient, ProxyConfig, ProxyHandle, bind_public};

/// Long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Door {
    pub(crate) handle: Option<ProxyHandle>,
    pub(crate) address: SocketAddr,
    pub(crate) client: ProxyClient,
    pub(crate) layout: Layout,
    pub(crate) folder: Arc<tempfile::TempDir>,
    pub(crate) version: Mutex<u64>,
}

impl Door {
    pub(crate) fn start() -> Door {
        Door::start_with(|_| ())
    }

    pub(crate) fn start_with(change: impl FnOnce(&mut ProxyConfig)) -> Door {
        Door::start_in(Arc::new(tempfile::tempdir().unwrap()), change)
    }

    pub(crate) fn start_in(folder: Arc<tempfile::TempDir>, change: impl FnOnce(&mut ProxyConfig)) -> Door {
        let layout = Layout::new(folder.path());
        let listeners = bind_public((Ipv4Addr::LOCALHOST, 0).into(), 2).unwrap();
        let mut config = ProxyConfig::new(layout.clone(), listeners);
        config.threads = 2;
        change(&mut config);
        let handle = Proxy::start(config).unwrap();
        Door {
            address: handle.address().unwrap(),
            client: ProxyClient::new(layout.proxy_socket()),
            handle: Some(handle),
            layout,
            folder,
            version: Mutex::new(0),
        }
    }

    pub(crate) fn apply(&self, routes: Vec<Route>) -> Applied {
        let mut version = self.version.lock().unwrap();
        *version += 1;
        self.apply_table(RouteTable {
            version: *version,
            routes,
            canaries: Vec::new(),
        })
        .unwrap()
    }

    pub(crate) fn apply_table(&self, table: RouteTable) -> Result<Applied, Failure> {
        block_on(self.client.apply(&table))
    }

    pub(crate) fn drain(&self, ids: &[&str], grace: Duration) -> Drained {
        let ids: Vec<BackendId> = ids.iter().map(|id| BackendId((*id).into())).collect();
        block_on(self.client.drain(&ids, grace)).unwrap()
    }

    pub(crate) fn status(&self) -> TrafficStatus {
        block_on(self.client.status()).unwrap()
    }

    pub(crate) fn in_flight(&self, id: &str) -> u64 {
        block_on(self.in_flight_now(id))
    }

    pub(crate) async fn in_flight_now(&self, id: &str) -> u64 {
        let status = self.client.status().await.unwrap();
        status
            .in_flight
            .iter()
            .filter(|(backend, _)| backend.0 == id)
            .map(|(_, count)| count)
            .sum()
    }

    /// A connection to the public listener.
    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// Sends one request on a connection of its own and reads the answer.
    pub(crate) fn send(&self, request: impl AsRef<[u8]>) -> Answer {
        send(self.address, request)
    }

    pub(crate) fn get(&self, host: &str, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
    }

    pub(crate) fn log_lines(&self) -> Vec<serde_json::Value> {
        std::fs::read_to_string(self.layout.proxy().join("requests.log"))
            .unwrap_or_default()
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub(crate) fn send(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let request = request.as_ref();
    let mut stream = connect(address);
    stream.write_all(request).unwrap();
    read_answer(&mut stream, request.starts_with(b"HEAD"))
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut check: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !check() {
        assert!(Instant::now() < end, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Reads one answer; status 0 where the connection was closed without one.
pub(crate) fn read_answer(stream: &mut impl Read, is_head: bool) -> Answer {
    let head = read_head(stream);
    if head.is_empty() {
        return Answer::default();
    }
    let mut answer = Answer {
        status: head[9..12].parse().unwrap_or(0),
        head,
        body: Vec::new(),
    };
    if is_head || matches!(answer.status, 204 | 304) || answer.status < 200 {
        return answer;
    }
    if answer
        .header("transfer-encoding")
        .is_some_and(|coding| coding == "chunked")
    {
        loop {
            let size = read_line(stream);
            let Ok(size) = usize::from_str_radix(size.trim(), 16) else {
                return answer;
            };
            let mut chunk = vec![0; size];
            if stream.read_exact(&mut chunk).is_err() {
                return answer;
            }
            answer.body.extend(chunk);
            if size == 0 {
                loop {
                    let line = read_line(stream);
                    if line.trim().is_empty() {
                        return answer;
                    }
                    answer.head.push_str(&line);
                }
            }
            read_line(stream);
        }
    }
    match answer
        .header("content-length")
        .map(|length| length.parse::<usize>().unwrap())
    {
        Some(length) => {
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            answer.body = body;
        }
        None => {
            stream.read_to_end(&mut answer.body).ok();
        }
    }
    answer
}

pub(crate) fn read_line(stream: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while let Ok(1) = stream.read(&mut byte) {
        line.push(byte[0]);
        if byte[0] == b'\n' {
            break;
        }
    }
    String::from_utf8_lossy(&line).into_owned()
}

pub(crate) fn read_head(stream: &mut impl Read) -> String {
    let mut head = String::new();
    loop {
        let line = read_line(stream);
        head.push_str(&line);
        if line.is_empty() || line == "\r\n" {
            return head;
        }
    }
}

/// A request as an upstream server saw it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).into_iter().next()
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }
}

/// An upstream server: one thread per connection, until the test ends.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    pub(crate) connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Upstream {
    /// Answers every request with `name` and keeps connections.
    pub(crate) fn named(name: &'static str) -> Upstream {
        Upstream::start(move |_, stream| {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}",
                name.len()
            )
            .is_ok()
        })
    }

    /// `answer` writes the answer and says whether the connection is kept.
    pub(crate) fn start(answer: impl Fn(&Seen, &mut TcpStream) -> bool + Send + Sync + 'static) -> Upstream {
        Upstream::on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    pub(crate) fn on(
        listener: TcpListener,
        answer: impl Fn(&Seen, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Upstream {
        Upstream::raw(listener, move |stream, seen| {
            loop {
                let head = read_head(stream);
                if head.is_empty() {
                    return;
                }
                let mut request = Seen {
                    head,
                    body: Vec::new(),
                };
                let length = request
                    .header("content-length")
                    .map(|length| length.parse::<usize>().unwrap());
                if let Some(length) = length {
                    let mut body = vec![0; length];
                    if stream.read_exact(&mut body).is_err() {
                        seen.lock().unwrap().push(request);
                        return;
                    }
                    request.body = body;
                } else if request.header("transfer-encoding").is_some() {
                    loop {
                        let size = read_line(stream);
                        let Ok(size) = usize::from_str_radix(size.trim(), 16) else {
                            request.head.insert_str(0, "TORN ");
                            seen.lock().unwrap().push(request);
                            return;
                        };
                        let mut chunk = vec![0; size];
                        stream.read_exact(&mut chunk).ok();
                        request.body.extend(chunk);
                        if size == 0 {
                            loop {
                                let line = read_line(stream);
                                if line.trim().is_empty() {
                                    break;
                                }
                                request.head.push_str(&line);
                            }
                            break;
                        }
                        read_line(stream);
                    }
                }
                seen.lock().unwrap().push(request.clone());
                if !answer(&request, stream) {
                    return;
                }
            }
        })
    }

    pub(crate) fn raw(
        listener: TcpListener,
        serve: impl Fn(&mut TcpStream, &Mutex<Vec<Seen>>) + Send + Sync + 'static,
    ) -> Upstream {
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(Vec::new()));
        let (all, noted, serve) = (Arc::clone(&connections), Arc::clone(&seen), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                stream.set_nodelay(true).ok();
                stream.set_read_timeout(Some(PATIENCE * 2)).ok();
                all.lock().unwrap().push(stream.try_clone().unwrap());
                let (serve, noted) = (Arc::clone(&serve), Arc::clone(&noted));
                std::thread::spawn(move || {
                    serve(&mut stream, &noted);
                    stream.shutdown(std::net::Shutdown::Both).ok();
                });
            }
        });
        Upstream {
            address,
            seen,
            connections,
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn last(&self) -> Seen {
        self.seen().last().cloned().unwrap_or_default()
    }
}

/// A loopback port nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

pub(crate) fn backend(id: &str, address: SocketAddr) -> Backend {
    Backend {
        id: BackendId(id.into()),
        address,
    }
}

/// A route of project `name` on `name.localhost`.
pub(crate) fn route(name: &str, target: Target) -> Route {
    Route {
        id: format!("{name}/production/web"),
        environment: Some(EnvironmentId::new(
            ProjectName::parse(name).unwrap(),
            EnvironmentName::production(),
        )),
        process: Some(ProcessName::web()),
        hosts: vec![HostName::parse(&format!("{name}.localhost")).unwrap()],
        wildcards: Vec::new(),
        path_prefix: "/".into(),
        ports: Vec::new(),
        target,
        release: Some(ReleaseName::parse("20260101-120000").unwrap()),
        rules: Default::default(),
        hold: HoldRule {
            time: Span::secs(20),
            requests: 1000,
        },
        https: Https::Offered,
        compression: Compression::default(),
        sticky: false,
        answers: Default::default(),
        protocol: Default::default(),
    }
}

/// A route to instances, named `NAME.1`, `NAME.2` …
pub(crate) fn to(name: &str, addresses: &[SocketAddr]) -> Route {
    let backends = addresses
        .iter()
        .enumerate()
        .map(|(at, address)| backend(&format!("{name}.{}", at + 1), *address));
    route(
        name,
        Target::Instances {
            backends: backends.collect(),
        },
    )
}

pub(crate) fn files(name: &str, root: PathBuf, single_page: bool) -> Route {
    let earlier = Vec::new();
    route(
        name,
        Target::Files {
            root,
            single_page,
            earlier,
        },
    )
}
