//! The cluster that the machine keeps, as root: HostKit gets in by the kernel's word, and what others have in it stays.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hostkit_addons::postgres::databases::{self, Limits};
use hostkit_addons::postgres::names::DatabaseName;
use hostkit_addons::postgres::programs::Programs;
use hostkit_addons::postgres::system::SystemCluster;
use hostkit_core::addon::Credential;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;

/// A cluster as Debian makes one, in folders of the account `postgres`, on a port of its own.
struct Debian {
    cluster: SystemCluster,
    server: Child,
    _folder: tempfile::TempDir,
}

fn as_postgres(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid=postgres",
            "--regid=postgres",
            "--init-groups",
            "--pdeathsig=INT",
            "--",
        ])
        .arg(program)
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null());
    command
}

impl Debian {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let owned = Command::new("chown")
            .arg("postgres:postgres")
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(owned.success(), "this needs root and the account `postgres`");
        let (programs, data) = (Programs::newest().unwrap(), folder.path().join("data"));
        let data_text = data.to_str().unwrap();
        let made = as_postgres(
            &programs.file("initdb"),
            &[
                "-D",
                data_text,
                "--auth-local=peer",
                "--auth-host=scram-sha-256",
                "--no-sync",
            ],
        )
        .output()
        .unwrap();
        assert!(made.status.success(), "{made:?}");
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let sockets = folder.path().to_str().unwrap();
        let server = as_postgres(
            &programs.file("postgres"),
            &[
                "-D",
                data_text,
                "-p",
                &port.to_string(),
                "-k",
                sockets,
                "-c",
                "listen_addresses=127.0.0.1",
            ],
        )
        .spawn()
        .unwrap();
        let cluster = SystemCluster {
            configuration: data,
            sockets: PathBuf::from(sockets),
            port,
            account: "postgres".to_owned(),
            unit: "none.service".to_owned(),
        };
        Debian {
            cluster,
            server,
            _folder: folder,
        }
    }

    /// Says something as the account `postgres`, as the machine's administrator would.
    fn say(&self, statement: &str) -> Result<String, String> {
        let output = as_postgres(
            Path::new("/usr/bin/psql"),
            &[
                "-XAtq",
                "-h",
                self.cluster.sockets.to_str().unwrap(),
                "-p",
                &self.cluster.port.to_string(),
                "-d",
                "postgres",
                "-c",
                statement,
            ],
        )
        .output()
        .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }
}

impl Drop for Debian {
    fn drop(&mut self) {
        let server = nix::unistd::Pid::from_raw(self.server.id() as i32);
        nix::sys::signal::kill(server, nix::sys::signal::Signal::SIGINT).ok();
        self.server.wait().ok();
    }
}

async fn log_in(port: u16, database: &str, login: &str, password: &str) -> bool {
    let url = format!("postgresql://{login}:{password}@127.0.0.1:{port}/{database}");
    tokio_postgres::connect(&url, tokio_postgres::NoTls).await.is_ok()
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn what_others_have_in_the_cluster_stays_and_projects_get_into_their_own_only() {
    let debian = Debian::start();
    let begun = std::time::Instant::now();
    while debian.say("SELECT 1").is_err() {
        assert!(begun.elapsed().as_secs() < 60);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    debian.say("CREATE ROLE theirs LOGIN PASSWORD 'open'").unwrap();
    debian.say("CREATE DATABASE theirs OWNER theirs").unwrap();
    let rules = debian.cluster.configuration.join("pg_hba.conf");
    let before = std::fs::read_to_string(&rules).unwrap();
    let whole = || {
        debian.say("SELECT datname, datacl, datdba FROM pg_database WHERE datname IN ('theirs', 'postgres', 'template1') ORDER BY 1").unwrap()
    };
    let databases_before = whole();

    for _ in 0..2 {
        debian.cluster.ensure().await.unwrap();
    }
    let after = std::fs::read_to_string(&rules).unwrap();
    assert!(after.ends_with(&before));
    assert_eq!(after.matches("HostKit").count(), 2);
    assert_eq!(whole(), databases_before);
    let owner = |path: &Path| {
        use std::os::unix::fs::MetadataExt;
        let facts = std::fs::metadata(path).unwrap();
        (facts.uid(), facts.mode() & 0o777)
    };
    assert_eq!(
        owner(&rules),
        owner(&debian.cluster.configuration.join("postgresql.conf"))
    );
    assert!(!debian.cluster.configuration.join("pg_hba.conf.hostkit").exists());

    let (access, limits) = (debian.cluster.access(), Limits::default());
    let id = EnvironmentId::new("shop".parse().unwrap(), "production".parse().unwrap());
    let name = DatabaseName::main(&id);
    let credential = Credential {
        number: 1,
        secret: Secret::new("a-long-one"),
    };
    databases::ensure(&access, &name, &limits).await.unwrap();
    databases::admit(&access, &name, &[credential], &limits)
        .await
        .unwrap();
    let port = debian.cluster.port;
    assert!(log_in(port, "shop_db", "shop_db.1", "a-long-one").await);
    for other in ["theirs", "postgres", "template1", "hostkit"] {
        assert!(!log_in(port, other, "shop_db.1", "a-long-one").await, "{other}");
    }
    assert!(log_in(port, "theirs", "theirs", "open").await, "as before");
    assert!(
        !log_in(port, "shop_db", "theirs", "open").await,
        "no right to connect"
    );
    assert!(
        !log_in(port, "postgres", "hostkit", "").await,
        "by the socket alone"
    );
    // Only root is HostKit: another account of the machine is not.
    let other = Command::new("setpriv")
        .args([
            "--reuid=nobody",
            "--regid=nogroup",
            "--clear-groups",
            "psql",
            "-X",
            "-U",
            "hostkit",
            "-d",
            "postgres",
            "-c",
            "SELECT 1",
        ])
        .args([
            "-h",
            debian.cluster.sockets.to_str().unwrap(),
            "-p",
            &port.to_string(),
        ])
        .output()
        .unwrap();
    assert!(!other.status.success());
    databases::remove(&access, &name).await.unwrap();
    assert_eq!(whole(), databases_before);
    assert!(log_in(port, "theirs", "theirs", "open").await);
}
