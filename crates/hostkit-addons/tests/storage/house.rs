//! A server for one test, in a folder of its own, on a port of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use hostkit_addons::storage::names::BucketName;
use hostkit_addons::storage::settings::{BucketSettings, KeyPair, Listen, Settings};
use hostkit_core::secret::Secret;

pub(crate) const ACCESS: &str = "SHOPKEY1";
pub(crate) const SECRET: &str = "a-secret-of-the-tests-0123456789";

/// A server and its folder. Dropped, it is killed.
pub(crate) struct House {
    folder: Option<tempfile::TempDir>,
    pub(crate) settings: Settings,
    server: Option<Child>,
    /// Where it listens, if not at a socket with a name. Another place after each start.
    pub(crate) address: Option<SocketAddr>,
}

impl House {
    /// Starts one with the buckets `shop` and `small` (a quota of 1 MiB) in a temporary folder.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut house = Self::in_folder(folder.path(), 0);
        house.folder = Some(folder);
        house.begin();
        house
    }

    /// One in a folder that is somebody else's to remove; not started yet.
    pub(crate) fn in_folder(folder: &Path, reserve: u64) -> Self {
        let bucket = |name: &str, quota| BucketSettings {
            name: BucketName::parse(name).unwrap(),
            quota,
            public: vec!["public/".to_owned()],
        };
        let storage = folder.join("storage");
        std::fs::create_dir_all(&storage).unwrap();
        House {
            folder: None,
            settings: Settings {
                folder: storage,
                listen: Listen::Address("127.0.0.1:0".parse().unwrap()),
                region: "local".to_owned(),
                hosts: vec!["s3.localhost".to_owned()],
                reserve,
                keys: vec![KeyPair {
                    access: ACCESS.to_owned(),
                    secret: Secret::new(SECRET),
                }],
                operator: None,
                buckets: vec![bucket("shop", None), bucket("small", Some(1 << 20))],
            },
            server: None,
            address: None,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.settings.folder.with_file_name("settings.json")
    }

    pub(crate) fn write_settings(&self) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(self.path(), self.settings.text()).unwrap();
        std::fs::set_permissions(self.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_storage-role"));
        command.arg(self.path());
        command
    }

    /// Starts the server and waits until it says that it serves.
    pub(crate) fn begin(&mut self) {
        self.write_settings();
        let mut server = self.command().stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let addresses = line.strip_prefix("serving [").expect("the server did not start");
        self.address = addresses.trim_end().trim_end_matches(']').parse().ok();
        self.server = Some(server);
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.server.as_ref().unwrap().id()).unwrap()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_raw(self.pid()).unwrap(), signal).unwrap();
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        self.server.take().unwrap().wait().unwrap()
    }

    /// Kills it as the kernel does when memory is out.
    pub(crate) fn kill(&mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address.unwrap())
    }

    /// Runs a script of Python with the SDKs that `script/setup.sh` installs.
    pub(crate) fn python(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(sdks().join("python/bin/python"));
        command.args(["-c", script]).args(arguments);
        self.introduce(&mut command);
        command
    }

    /// Tells a client where the server is and what its keys are.
    pub(crate) fn introduce(&self, command: &mut Command) {
        command
            .env("S3_ENDPOINT", self.endpoint())
            .env("S3_FOLDER", &self.settings.folder)
            .env("AWS_ACCESS_KEY_ID", ACCESS)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_REGION", "local")
            .env("AWS_DEFAULT_REGION", "local")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.kill();
        }
    }
}

/// Where the SDKs lie: `setup sdks` of `script/setup.sh` makes it.
pub(crate) fn sdks() -> PathBuf {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = || set("XDG_CACHE_HOME").unwrap_or_else(|| set("HOME").unwrap().join(".cache"));
    let tools = set("HOSTKIT_TOOLS").unwrap_or_else(|| cache().join("hostkit-tools"));
    let sdks = tools.join("sdks");
    assert!(
        sdks.join("python/bin/python").exists(),
        "there are no SDKs in `{}`; `setup sdks` of `script/setup.sh` installs them",
        sdks.display()
    );
    sdks
}

/// What a client said, if all went well.
#[track_caller]
pub(crate) fn went_well(output: &Output) -> String {
    let [out, err] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    out
}
