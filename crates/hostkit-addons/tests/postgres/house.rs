//! A server with PgBouncer for tests, and who keeps both running meanwhile.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use hostkit_addons::postgres::cluster::{Cluster, ClusterSettings};
use hostkit_addons::postgres::names::DatabaseName;
use hostkit_addons::postgres::session::Access;
use hostkit_core::addon::Credential;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::service::{
    Ensured, Service, ServiceName, ServicePlace, ServiceState, ServiceTask, WhenChanged,
};
use hostkit_core::size::ByteSize;
use hostkit_core::traits::Services;
use hostkit_core::workload::InstanceState;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::OnceCell;

/// Keeps programs running as children of the test.
pub(crate) struct Children {
    root: PathBuf,
    running: Arc<Mutex<BTreeMap<String, Kept>>>,
    /// Removes the folder once the test is gone, however that comes: it waits for its input to end.
    _sweeper: Child,
}

struct Kept {
    service: Service,
    pid: Pid,
    starts: u32,
    is_wanted: bool,
}

impl Children {
    pub(crate) fn new(below: &Path) -> Self {
        let root = tempfile::Builder::new()
            .prefix("hk")
            .tempdir_in(below)
            .unwrap()
            .keep();
        let sweeper = Command::new("/bin/sh")
            .args(["-c", r#"read -r _; rm -rf -- "$0""#])
            .arg(&root)
            .stdin(Stdio::piped())
            .process_group_of_its_own()
            .spawn()
            .unwrap();
        Children {
            root,
            running: Arc::default(),
            _sweeper: sweeper,
        }
    }

    /// The process of a program.
    pub(crate) fn pid(&self, name: &ServiceName) -> Pid {
        self.running.lock().unwrap()[&name.to_string()].pid
    }

    fn command(service: &Service, arguments: &[String], place: &ServicePlace) -> Command {
        let mut whole: Vec<&str> = Vec::new();
        if service.never_root && nix::unistd::geteuid().is_root() {
            whole.extend(["unshare", "--user", "--map-user=postgres", "--"]);
        }
        whole.extend(["setpriv", "--pdeathsig", "KILL", "--"]);
        whole.extend(arguments.iter().map(String::as_str));
        let mut command = Command::new(whole[0]);
        command
            .args(&whole[1..])
            .current_dir(&place.data)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(service.variables.iter().map(|(n, v)| (n.as_str(), v.reveal())))
            .process_group_of_its_own();
        command
    }

    fn folders(&self, service: &Service) -> Result<bool, Failure> {
        let place = self.place(&service.name);
        std::fs::create_dir_all(&place.data).unwrap();
        std::fs::create_dir_all(&place.configuration).unwrap();
        std::fs::set_permissions(&place.data, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let mut reload = false;
        for file in &service.files {
            let path = place.configuration.join(file.path.as_str());
            if std::fs::read_to_string(&path).ok().as_deref() != Some(file.content.reveal()) {
                std::fs::write(&path, file.content.reveal()).unwrap();
                reload |= file.changed == WhenChanged::Reload;
            }
        }
        Ok(reload)
    }

    fn spawn(service: &Service, place: &ServicePlace) -> Child {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(place.data.with_extension("log"))
            .unwrap();
        Self::command(service, &service.arguments, place)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Starts it and starts it again whenever it ends, as long as it is wanted. The thread lives as long as the test: the
    /// kernel ties the program's life to it.
    fn keep(&self, service: &Service) {
        let (running, service, place) = (self.running.clone(), service.clone(), self.place(&service.name));
        let (told, started) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let name = service.name.to_string();
            let mut starts = 0;
            loop {
                let mut child = Self::spawn(&service, &place);
                starts += 1;
                let pid = Pid::from_raw(child.id() as i32);
                let kept = Kept {
                    service: service.clone(),
                    pid,
                    starts,
                    is_wanted: true,
                };
                running.lock().unwrap().insert(name.clone(), kept);
                let _ = told.send(());
                child.wait().unwrap();
                let mut running = running.lock().unwrap();
                if !running[&name].is_wanted {
                    running.remove(&name);
                    return;
                }
            }
        });
        started.recv().unwrap();
    }
}

trait Apart {
    fn process_group_of_its_own(&mut self) -> &mut Self;
}

impl Apart for Command {
    fn process_group_of_its_own(&mut self) -> &mut Self {
        std::os::unix::process::CommandExt::process_group(self, 0)
    }
}

#[async_trait::async_trait]
impl Services for Children {
    fn place(&self, name: &ServiceName) -> ServicePlace {
        let folder = self.root.join(name.to_string());
        ServicePlace {
            data: folder.join("data"),
            configuration: folder.join("configuration"),
        }
    }

    async fn ensure(&self, service: &Service) -> Result<Ensured, Failure> {
        let reload = self.folders(service)?;
        let there = self
            .running
            .lock()
            .unwrap()
            .get(&service.name.to_string())
            .map(|kept| kept.service.clone());
        match there {
            None => {
                self.keep(service);
                Ok(Ensured::Started)
            }
            Some(before) => {
                assert_eq!(before.arguments, service.arguments, "tests change no arguments");
                if reload {
                    self.reload(&service.name).await?;
                    return Ok(Ensured::Reloaded);
                }
                Ok(Ensured::AsItWas)
            }
        }
    }

    async fn observe(&self, name: &ServiceName) -> Result<Option<ServiceState>, Failure> {
        let running = self.running.lock().unwrap();
        Ok(running.get(&name.to_string()).map(|kept| ServiceState {
            state: if kept.starts > 20 {
                InstanceState::CrashLoop
            } else {
                InstanceState::Running
            },
            pid: Some(kept.pid.as_raw() as u32),
            started_at: None,
            restarts: kept.starts - 1,
            last_exit: None,
            memory: None,
        }))
    }

    async fn reload(&self, name: &ServiceName) -> Result<(), Failure> {
        kill(self.pid(name), Signal::SIGHUP).unwrap();
        Ok(())
    }

    async fn stop(&self, name: &ServiceName) -> Result<(), Failure> {
        let pid = {
            let mut running = self.running.lock().unwrap();
            let Some(kept) = running.get_mut(&name.to_string()) else {
                return Ok(());
            };
            kept.is_wanted = false;
            kept.pid
        };
        let _ = kill(pid, Signal::SIGINT);
        while self.running.lock().unwrap().contains_key(&name.to_string()) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn remove(&self, name: &ServiceName) -> Result<(), Failure> {
        self.stop(name).await?;
        std::fs::remove_dir_all(self.root.join(name.to_string())).unwrap();
        Ok(())
    }

    async fn list(&self, _: Option<&EnvironmentId>) -> Result<Vec<ServiceName>, Failure> {
        let running = self.running.lock().unwrap();
        Ok(running.values().map(|kept| kept.service.name.clone()).collect())
    }

    async fn last_lines(&self, name: &ServiceName, count: usize) -> Result<Vec<String>, Failure> {
        let log = std::fs::read_to_string(self.place(name).data.with_extension("log")).unwrap_or_default();
        let lines: Vec<String> = log.lines().map(str::to_owned).collect();
        Ok(lines[lines.len().saturating_sub(count)..].to_vec())
    }

    async fn run(&self, task: &ServiceTask<'_>) -> Result<String, Failure> {
        self.folders(task.service)?;
        let place = self.place(&task.service.name);
        let mut child = Self::command(task.service, &task.arguments, &place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        if let Some(text) = &task.input {
            std::io::Write::write_all(&mut input, text.reveal().as_bytes()).unwrap();
        }
        drop(input);
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let lines = String::from_utf8_lossy(&output.stderr)
            .lines()
            .map(str::to_owned)
            .collect();
        Err(Failure::new(Kind::Failed, format!("cannot run `{}`", task.arguments[0])).details(lines))
    }
}

/// Waits until something is so; the test is given up after a minute.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waits = async {
        while !is_so().await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), waits)
        .await
        .unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A server, running.
pub(crate) struct House {
    pub(crate) services: Arc<Children>,
    pub(crate) cluster: Cluster,
    pub(crate) port: u16,
}

impl House {
    /// The one that tests share which do it no harm. Its data are in memory: nothing here asks what a disk keeps.
    pub(crate) async fn shared() -> &'static House {
        static SHARED: OnceCell<House> = OnceCell::const_new();
        SHARED.get_or_init(|| House::start(Path::new("/dev/shm"))).await
    }

    /// One of its own, with its data below a folder.
    pub(crate) async fn start(below: &Path) -> House {
        let services = Arc::new(Children::new(below));
        let port = free_port();
        let settings = ClusterSettings {
            port,
            memory: ByteSize::mib(256),
            archive_command: None,
        };
        let cluster = Cluster::new(settings, Secret::new("the superuser's own"));
        cluster.ensure(&*services).await.unwrap();
        House {
            services,
            cluster,
            port,
        }
    }

    pub(crate) fn access(&self) -> Access {
        self.cluster.access(&*self.services)
    }
}

/// An environment, by its project's name.
pub(crate) fn production(project: &str) -> EnvironmentId {
    EnvironmentId::new(project.parse().unwrap(), "production".parse().unwrap())
}

/// The main database of a project.
pub(crate) fn main_of(project: &str) -> DatabaseName {
    DatabaseName::main(&production(project))
}

/// The credential of a number, the same at every call.
pub(crate) fn credential(number: u32) -> Credential {
    Credential {
        number,
        secret: Secret::new(format!("{number:064x}")),
    }
}

/// How a program gets in: with a credential, over loopback.
pub(crate) async fn log_in(
    port: u16,
    database: &str,
    login: &str,
    password: &Secret,
) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config
        .host("127.0.0.1")
        .port(port)
        .dbname(database)
        .user(login)
        .password(password.reveal())
        .connect_timeout(std::time::Duration::from_secs(30));
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
