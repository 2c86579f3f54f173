//! The data folder of a new cluster. It is made under another name and then renamed, so that one that was made half way
//! is not taken for one.

use hostkit_core::kind::Failure;
use hostkit_core::secret::Secret;
use hostkit_core::services::{Service, ServiceTask};
use hostkit_core::size::Span;
use hostkit_core::traits::Services;

use super::admission::SUPERUSER;
use crate::postgres::archiving::spool_of;
use crate::postgres::programs::{Programs, major_of};

/// The data of the cluster, below those of the service.
pub(super) const FOLDER: &str = "cluster";
/// The folder of its socket, beside them.
pub(super) const SOCKET: &str = "socket";
/// Where they are made.
const UNFINISHED: &str = "unfinished";

/// Makes the data folder where there is none, and the folder of the socket.
pub(super) async fn ensure(
    services: &dyn Services,
    described: &Service,
    programs: &Programs,
    superuser: &Secret,
) -> Result<(), Failure> {
    let data = services.place(&described.name).data;
    let place = |name: &str| data.join(name).display().to_string();
    let job = Job { services, described };
    let is_made = major_of(&data.join(FOLDER))?.is_some();
    // A command brings the files of the service along, and a server that runs would not be told that they changed.
    let spool = spool_of(&data);
    if is_made && data.join(SOCKET).is_dir() && spool.is_dir() {
        return Ok(());
    }
    let spool = spool.display().to_string();
    job.run(
        &["/bin/mkdir", "-p", "-m", "0700", "--", &place(SOCKET), &spool],
        None,
    )
    .await?;
    if is_made {
        return Ok(());
    }
    job.run(&["/bin/rm", "-rf", "--", &place(UNFINISHED)], None)
        .await?;
    let initdb = programs.file("initdb").display().to_string();
    let (folder, user) = (place(UNFINISHED), format!("--username={SUPERUSER}"));
    let arguments = [
        &initdb,
        "--pgdata",
        &folder,
        &user,
        "--data-checksums",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--auth=scram-sha-256",
        "--pwfile=/dev/stdin",
    ];
    job.run(&arguments, Some(superuser.clone())).await?;
    // Not onto a folder that somebody may just have put there.
    job.run(&["/bin/mv", "-T", "--", &folder, &place(FOLDER)], None)
        .await?;
    // A name that a loss of power takes back would make it look unfinished, and what was stored meanwhile be removed.
    job.run(&["/bin/sync", "--", &data.display().to_string()], None)
        .await?;
    Ok(())
}

/// Makes the folders of a cluster that others fill.
pub(super) async fn make_folders(services: &dyn Services, described: &Service) -> Result<(), Failure> {
    let data = services.place(&described.name).data;
    let place = |name: &str| data.join(name).display().to_string();
    let job = Job { services, described };
    job.run(
        &[
            "/bin/mkdir",
            "-p",
            "-m",
            "0700",
            "--",
            &place(FOLDER),
            &place(SOCKET),
        ],
        None,
    )
    .await
    .map(drop)
}

/// Runs commands as the server is run.
struct Job<'a> {
    services: &'a dyn Services,
    described: &'a Service,
}

impl Job<'_> {
    async fn run(&self, arguments: &[&str], input: Option<Secret>) -> Result<String, Failure> {
        let task = ServiceTask {
            service: self.described,
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            input,
            limit: Span::secs(300),
        };
        self.services.run(&task).await
    }
}
