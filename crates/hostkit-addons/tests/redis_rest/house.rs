//! A Redis with two users, and a gateway that knows a token for each.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hostkit_addons::redis_rest::{Access, Gateway, Settings, token_hash};
use hostkit_testkit::http::{self, Answer};

pub(crate) const ALL: &str = "token-of-all";
pub(crate) const READER: &str = "token-of-the-reader";

/// What a driver would write: everything but what is dangerous, and reading without the two that look at all keys.
const USERS: &str = "user default off\n\
    user app on >secret-of-app ~* &* +@all -@dangerous +monitor +keys +flushdb\n\
    user reader on >secret-of-reader ~* &* +@read -keys -scan\n";

pub(crate) struct House {
    pub(crate) gateway: Gateway,
    pub(crate) port: u16,
    redis: Redis,
    _runtime: tokio::runtime::Runtime,
}

/// A server, until it is dropped.
struct Redis {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl House {
    pub(crate) fn open() -> Self {
        let redis = Redis::start(free_port(), tempfile::tempdir().unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let gateway = Gateway::new();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let _inside = runtime.enter();
        gateway.apply(&redis.settings()).unwrap();
        let serving = gateway.clone();
        runtime.spawn(async move { serving.serve(listener, std::future::pending()).await });
        House {
            gateway,
            port,
            redis,
            _runtime: runtime,
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        self.redis.settings()
    }

    pub(crate) fn apply(&self, settings: &Settings) {
        let _inside = self._runtime.enter();
        self.gateway.apply(settings).unwrap();
    }

    pub(crate) fn get(&self, token: &str, path: &str) -> Answer {
        self.send("GET", token, path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", ALL, path, &[], body.as_bytes())
    }

    pub(crate) fn send(
        &self,
        method: &str,
        token: &str,
        path: &str,
        headers: &[&str],
        body: &[u8],
    ) -> Answer {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n",
            body.len()
        );
        headers
            .iter()
            .for_each(|line| request.push_str(&format!("{line}\r\n")));
        request.push_str("\r\n");
        http::raw(self.port, &[request.as_bytes(), body].concat())
    }

    /// A connection on which a request was sent whose answer does not end.
    pub(crate) fn stream(&self, token: &str, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    pub(crate) fn kill_redis(&mut self) {
        self.redis.child.kill().unwrap();
        self.redis.child.wait().unwrap();
    }

    pub(crate) fn start_redis_again(&mut self) {
        let folder = std::mem::replace(&mut self.redis.folder, tempfile::tempdir().unwrap());
        self.redis = Redis::start(self.redis.port, folder);
    }
}

impl Redis {
    fn start(port: u16, folder: tempfile::TempDir) -> Self {
        let users = folder.path().join("users");
        std::fs::write(&users, USERS).unwrap();
        let mut child = Command::new("redis-server")
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|why| {
                panic!("cannot start `redis-server`: {why}; `script/setup.sh` installs it")
            });
        let settings = format!(
            "bind 127.0.0.1\nport {port}\ndir {}\naclfile {}\nsave \"\"\n",
            folder.path().display(),
            users.display()
        );
        child
            .stdin
            .take()
            .unwrap()
            .write_all(settings.as_bytes())
            .unwrap();
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "Redis does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        Redis { child, port, folder }
    }

    fn settings(&self) -> Settings {
        let access = |token: &str, user: &str| Access {
            owner: "shop/production".to_owned(),
            token: token_hash(token),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)),
            user: user.to_owned(),
            password: format!("secret-of-{user}"),
        };
        Settings {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            accesses: vec![access(ALL, "app"), access(READER, "reader")],
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
