//! A PostgreSQL that somebody else keeps: a server of its own that encrypts, with a superuser whom HostKit does not know.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Whom root lets the server run as: it refuses root.
const NOBODY: u32 = 65534;
/// Its superuser, who has this password, too.
const BOSS: &str = "boss";

/// A server. It ends, and its data go, when this is dropped.
pub struct Elsewhere {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    folder: tempfile::TempDir,
    programs: PathBuf,
    server: Option<Child>,
}

impl Elsewhere {
    /// Makes and starts one.
    #[track_caller]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("hk-elsewhere")
            .tempdir()
            .expect("a folder");
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|one| one.local_addr())
            .expect("a port")
            .port();
        let mut elsewhere = Elsewhere {
            port,
            programs: programs(),
            folder,
            server: None,
        };
        elsewhere.make();
        elsewhere.resume();
        elsewhere
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What proves who it is: the certificate, which all may read.
    pub fn certificate(&self) -> PathBuf {
        self.path("certificate.pem")
    }

    fn make(&self) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]);
        let made = made.expect("a certificate");
        let data = self.path("data");
        fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o755)).expect("rights");
        fs::create_dir(&data).expect("a folder for data");
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("rights");
        for (name, text, mode) in [
            ("certificate.pem", made.cert.pem(), 0o644),
            ("key.pem", made.signing_key.serialize_pem(), 0o600),
            ("password", BOSS.to_owned(), 0o600),
        ] {
            fs::write(self.path(name), text).expect("a file");
            fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("rights");
        }
        if nix::unistd::geteuid().is_root() {
            for name in ["data", "certificate.pem", "key.pem", "password"] {
                chown(self.path(name), Some(NOBODY), Some(NOBODY)).expect("an owner");
            }
        }
        let mut initdb = self.program("initdb");
        initdb
            .arg("--pgdata")
            .arg(&data)
            .args([
                "--auth=scram-sha-256",
                "--locale=C.UTF-8",
                "--encoding=UTF8",
                "--no-sync",
            ])
            .args(["--username", BOSS, "--pwfile"])
            .arg(self.path("password"));
        let said = initdb.output().expect("initdb starts");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = ''\nfsync = off\nssl = on\n\
             ssl_cert_file = '{}'\nssl_key_file = '{}'\n",
            self.port,
            self.certificate().display(),
            self.path("key.pem").display()
        );
        let file = data.join("postgresql.conf");
        let before = fs::read_to_string(&file).expect("settings");
        fs::write(file, before + &settings).expect("settings");
    }

    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = match nix::unistd::geteuid().is_root() {
            true => {
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
                    .arg(program);
                command
            }
            false => Command::new(program),
        };
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// Starts it again after [`Elsewhere::pause`].
    #[track_caller]
    pub fn resume(&mut self) {
        let log = fs::File::create(self.path("log")).expect("a log");
        let mut server = self.program("postgres");
        server
            .arg("-D")
            .arg(self.path("data"))
            .stdout(Stdio::null())
            .stderr(log);
        self.server = Some(server.spawn().expect("postgres starts"));
        let begun = Instant::now();
        while self.try_run("postgres", "SELECT 1").is_err() {
            let log = fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "the server elsewhere does not start: {log}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it; its data stay.
    pub fn pause(&mut self) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        if let Ok(pid) = i32::try_from(server.id()) {
            // It ends connections and writes what is to be written.
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT);
        }
        let _ = server.wait();
    }

    /// What its superuser's `psql` says to statements in a database.
    #[track_caller]
    pub fn run(&self, database: &str, statements: &str) -> String {
        self.try_run(database, statements)
            .expect("the server elsewhere does as it is told")
    }

    fn try_run(&self, database: &str, statements: &str) -> Result<String, String> {
        let said = Command::new("psql")
            .args([
                "-XAtq",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-U",
                BOSS,
                "-d",
                database,
            ])
            .args(["-p", &self.port.to_string(), "-c", statements])
            .env("PGPASSWORD", BOSS)
            .output()
            .map_err(|why| why.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match said.status.success() {
            true => Ok(text(&said.stdout)),
            false => Err(text(&said.stderr)),
        }
    }

    /// A login of no special rights with a database of its own: their address, as its keeper would show it.
    #[track_caller]
    pub fn customer(&self, name: &str, password: &str) -> String {
        self.run(
            "postgres",
            &format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'"),
        );
        self.run("postgres", &format!("CREATE DATABASE {name} OWNER {name}"));
        self.address(name, password)
    }

    /// The address of a customer.
    pub fn address(&self, name: &str, password: &str) -> String {
        let (port, certificate) = (self.port, self.certificate());
        let certificate = certificate.display();
        format!(
            "postgresql://{name}:{password}@127.0.0.1:{port}/{name}?sslmode=verify-full&sslrootcert={certificate}"
        )
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.pause();
    }
}

/// The newest version that is installed.
fn programs() -> PathBuf {
    let found =
        fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed: `script/setup.sh` does it");
    let newest = found
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").is_file())
        .max_by_key(|bin| major(bin));
    newest.expect("PostgreSQL is installed")
}

fn major(bin: &Path) -> u32 {
    let name = bin.parent().and_then(Path::file_name);
    name.and_then(|name| name.to_str()?.parse().ok())
        .unwrap_or_default()
}
