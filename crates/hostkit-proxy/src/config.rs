//! What the front door is told when it starts. Everything else it learns from the route table.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::layout::Layout;

/// How the front door runs.
#[derive(Debug)]
pub struct ProxyConfig {
    /// Where the last good table and the request log lie.
    pub data: Layout,
    /// The public listeners, divided over the threads. See [`crate::bind_public`] and [`crate::inherited_listeners`].
    pub listeners: Vec<TcpListener>,
    /// The same for those that speak TLS. Without any, certificates are nobody's concern.
    pub tls_listeners: Vec<TcpListener>,
    /// Where certificates come from.
    pub certificates: hostkit_certificates::Settings,
    /// The unix socket tables are handed over by.
    pub admin: PathBuf,
    /// That socket, where the parent process holds it open; otherwise it is made.
    pub admin_listener: Option<UnixListener>,
    /// Stable ports that outlive this process; otherwise each is bound when a table names it.
    pub kept_ports: KeptPorts,
    /// How many threads forward requests.
    pub threads: usize,
    /// Bounds that keep one client from hurting the others.
    pub limits: Limits,
    /// What makes images in other sizes; none are made without.
    pub images: Option<ImageProgram>,
    /// The request log; none is written without.
    pub request_log: Option<LogLimits>,
}

impl ProxyConfig {
    /// The usual configuration of an installation.
    pub fn new(data: Layout, listeners: Vec<TcpListener>) -> Self {
        ProxyConfig {
            admin: data.proxy_socket(),
            admin_listener: None,
            kept_ports: KeptPorts::default(),
            certificates: hostkit_certificates::Settings::of(&data),
            data,
            listeners,
            tls_listeners: Vec::new(),
            threads: default_threads(),
            limits: Limits::default(),
            images: None,
            request_log: Some(LogLimits::default()),
        }
    }
}

/// Listeners of stable ports from the process before this one, and who keeps them for the one after it.
#[derive(Default)]
pub struct KeptPorts {
    /// What was kept, by its port.
    pub listeners: HashMap<u16, TcpListener>,
    /// Who is told of what to keep. Without one, ports end with the process.
    pub keeper: Option<Box<dyn PortKeeper>>,
}

impl std::fmt::Debug for KeptPorts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptPorts")
            .field("listeners", &self.listeners)
            .field("keeps", &self.keeper.is_some())
            .finish()
    }
}

/// Keeps listeners open beyond the end of this process, so that connections to them wait for the next one. Whether it
/// worked makes no difference to this process.
pub trait PortKeeper: Send + Sync {
    /// To be kept from now on. Told once for each port.
    fn keep(&self, port: u16, listener: &TcpListener);
    /// Not needed any more.
    fn forget(&self, port: u16);
}

/// One forwarding thread per processor, at most eight: the work is mostly the kernel's.
pub fn default_threads() -> usize {
    std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(8)
}

/// How long and how much.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The longest a client may take to send a request's headers.
    pub headers: Duration,
    /// The longest a kept-alive connection may be idle.
    pub idle: Duration,
    /// The longest pause inside a request body.
    pub body_pause: Duration,
    /// The longest a client may take nothing of an answer that waits for it.
    pub stall: Duration,
    /// The longest a backend may take until its answer begins, counted from the end of the request.
    pub answer: Duration,
    /// The most bytes of request line and headers. (The most headers are 100, hyper's own bound: any other number
    /// would cost two allocations per request.)
    pub header_bytes: usize,
    /// The most client connections at once, over all threads.
    pub connections: usize,
    /// The most requests and tunnels of one project that are under way at once: a project that answers slowly leaves
    /// as many connections to the others.
    pub project_requests: u64,
    /// The most requests of one project that wait, for an instance or for room on one.
    pub project_waiting: u32,
    /// The most requests and tunnels on one backend, each of which needs a connection of its own; more wait.
    pub backend_requests: u64,
    /// The longest a connect to a backend may take.
    pub connect: Duration,
    /// How long an idle connection to a backend is kept. Node closes its own after five seconds.
    pub upstream_idle: Duration,
    /// How many idle connections are kept per backend and thread.
    pub upstream_kept: usize,
    /// The most bytes of answers that are kept to be used again, over all threads.
    pub cache_bytes: usize,
    /// The most bytes of files with such answers, for when the memory is full or the front door was started again; none
    /// are written where it is 0. Of these 9 MB are for the file that is being written.
    pub cache_disk_bytes: u64,
    /// How long requests in flight may go on after the front door was told to stop.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            headers: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            body_pause: Duration::from_secs(60),
            stall: Duration::from_secs(120),
            answer: Duration::from_secs(300),
            header_bytes: 64 * 1024,
            connections: 20_000,
            project_requests: 10_000,
            project_waiting: 1000,
            backend_requests: 10_000,
            connect: Duration::from_secs(3),
            upstream_idle: Duration::from_secs(4),
            upstream_kept: 256,
            cache_bytes: 64 << 20,
            cache_disk_bytes: 0,
            stop: Duration::from_secs(20),
        }
    }
}

/// Starts the process that makes one image, with a socket in the place of its standard input and nothing else open.
pub trait ImageProcess: Send + Sync {
    /// Starts one.
    fn start(&self, socket: OwnedFd) -> io::Result<Child>;
}

/// How images in other sizes are made.
#[derive(Clone)]
pub struct ImageProgram {
    /// Starts the process for one.
    pub process: Arc<dyn ImageProcess>,
    /// The most at once.
    pub at_once: usize,
    /// The longest one may take; then it is killed.
    pub time: Duration,
}

impl ImageProgram {
    /// In the usual bounds: half of the processors, four at most, leave the others to requests.
    pub fn new(process: Arc<dyn ImageProcess>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        ImageProgram {
            process,
            at_once: (processors / 2).clamp(1, 4),
            time: Duration::from_secs(15),
        }
    }
}

impl std::fmt::Debug for ImageProgram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageProgram")
            .field("at_once", &self.at_once)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

/// How much request log is kept.
#[derive(Debug, Clone)]
pub struct LogLimits {
    /// The size at which a file is put aside and a new one begun.
    pub file_bytes: u64,
    /// How many files there are, the current one included.
    pub files: usize,
    /// Of so many requests that went well one is written. Errors, answers that broke off, tunnels and slow requests
    /// always are.
    pub one_of: NonZeroU32,
    /// How long a request takes that counts as slow.
    pub slow: Duration,
}

impl Default for LogLimits {
    fn default() -> Self {
        LogLimits {
            file_bytes: 20 << 20,
            files: 5,
            one_of: NonZeroU32::MIN,
            slow: Duration::from_secs(1),
        }
    }
}
