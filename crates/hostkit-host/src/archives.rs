//! Last archives of projects on the disk: `/var/lib/hostkit/archives/NAME-TIME.tar.zst`, for root alone.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProjectName;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::{Archive, Archives};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::beneath::{Folder, Volume};
use crate::files::free_space;

/// How the time stands in a name, in UTC.
const TIME: &str = "%Y%m%d-%H%M%S";
const ENDING: &str = ".tar.zst";
/// Fast, and half of what text takes.
const LEVEL: i32 = 3;
/// After so many bytes it is looked again how much room there is.
const LOOK_EVERY: u64 = 16 * 1024 * 1024;

/// What can be made again from a source, in the folder of an environment.
const MADE_AGAIN: [&str; 4] = ["app", "releases", "build", ".cache"];

/// The archives of homes below one folder.
#[derive(Debug, Clone)]
pub struct DiskArchives {
    homes: PathBuf,
    folder: PathBuf,
    /// Homes whose files say that they have more are not archived.
    most: ByteSize,
    /// So much stays free on the disk.
    min_free: ByteSize,
}

impl DiskArchives {
    /// Archives in a folder of root's (made at the first), of the homes below another.
    pub fn new(homes: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Self {
        DiskArchives {
            homes: homes.into(),
            folder: folder.into(),
            most: ByteSize::mib(64 * 1024),
            min_free: ByteSize::mib(512),
        }
    }

    /// With other bounds: of what is archived, and of what stays free.
    pub fn with_bounds(self, most: ByteSize, min_free: ByteSize) -> Self {
        DiskArchives {
            most,
            min_free,
            ..self
        }
    }

    fn home(&self, project: &ProjectName) -> Result<Option<Folder>, Failure> {
        Folder::open(&self.homes)?.folder(project.as_str())
    }

    fn check_now(&self, project: &ProjectName) -> Result<(), Failure> {
        let Some(home) = self.home(project)? else {
            return Ok(());
        };
        let Volume { said, on_disk } = home.volume(leaves_out)?;
        if said > self.most.0 {
            let why = format!("it has {}, at most {} are archived", ByteSize(said), self.most);
            return Err(refused(project, Kind::TooLarge, &why));
        }
        self.make_folder()?;
        let free = free_space(&self.folder).map_err(|e| broken("look at", &self.folder, &e))?;
        let needed = on_disk.saturating_add(self.min_free.0);
        if free < needed {
            let why = format!(
                "the disk is too full: up to {} are needed, {} are free",
                ByteSize(needed),
                ByteSize(free)
            );
            return Err(refused(project, Kind::Unavailable, &why));
        }
        Ok(())
    }

    fn keep_now(&self, project: &ProjectName, since: Timestamp) -> Result<Option<Archive>, Failure> {
        self.make_folder()?;
        if let Some(made) = self.made_since(project, since)? {
            return Ok(Some(made));
        }
        let Some(home) = self.home(project)? else {
            return Ok(None);
        };
        self.check_now(project)?;
        // One fixed name: what a killed deletion left is found and replaced.
        let begun = self.folder.join(format!(".{project}.begun"));
        let written = self.write(project, &home, &begun);
        if written.is_err() {
            // Its own failure says more.
            fs::remove_file(&begun).ok();
        }
        written?;
        let time = Timestamp::now().strftime(TIME).to_string();
        let file = self.folder.join(format!("{project}-{time}{ENDING}"));
        let put = fs::rename(&begun, &file).and_then(|()| File::open(&self.folder)?.sync_all());
        put.map_err(|e| broken("write", &file, &e))?;
        shown(&file).map(Some)
    }

    fn write(&self, project: &ProjectName, home: &Folder, to: &Path) -> Result<(), Failure> {
        let cannot = |e: io::Error| match e.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                refused(project, Kind::Unavailable, "the disk is full")
            }
            _ => broken("write", to, &e),
        };
        match fs::remove_file(to) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(cannot(e)),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(to);
        let watched = Watched {
            file: file.map_err(cannot)?,
            folder: self.folder.clone(),
            min_free: self.min_free.0,
            unwatched: 0,
        };
        let compressed = zstd::Encoder::new(watched, LEVEL).map_err(cannot)?;
        let mut tar = tar::Builder::new(compressed);
        tar.sparse(false);
        match home.pack(&mut tar, leaves_out, None) {
            Err(failure) if failure.kind == Kind::Unavailable => {
                return Err(refused(project, Kind::Unavailable, "the disk is full"));
            }
            other => drop(other?),
        }
        let finished = tar.into_inner().and_then(zstd::Encoder::finish);
        finished
            .and_then(|watched| watched.file.sync_all())
            .map_err(cannot)
    }

    fn make_folder(&self) -> Result<(), Failure> {
        match fs::DirBuilder::new().mode(0o700).create(&self.folder) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(broken("make", &self.folder, &e)),
            _ => Ok(()),
        }
    }

    /// The archive of a project that was made at a time or later.
    fn made_since(&self, project: &ProjectName, since: Timestamp) -> Result<Option<Archive>, Failure> {
        let entries = fs::read_dir(&self.folder).map_err(|e| broken("list", &self.folder, &e))?;
        let mut found = Vec::new();
        for entry in entries {
            let name = entry.map_err(|e| broken("list", &self.folder, &e))?.file_name();
            if name.to_str().and_then(|name| time_of(name, project)) >= Some(since) {
                found.push(name);
            }
        }
        found.sort();
        found.pop().map(|name| shown(&self.folder.join(name))).transpose()
    }
}

/// When an archive of this project was made, by its name.
fn time_of(name: &str, project: &ProjectName) -> Option<Timestamp> {
    let rest = name.strip_prefix(project.as_str())?.strip_prefix('-')?;
    let time = rest.strip_suffix(ENDING)?;
    let time = DateTime::strptime(TIME, time).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn leaves_out(place: &Path, name: &OsStr) -> bool {
    let mut above = place.components();
    let is_environment = match (above.next(), above.next(), above.next()) {
        (None, ..) => true,
        (Some(first), Some(_), None) => first.as_os_str() == "environments",
        _ => false,
    };
    is_environment && MADE_AGAIN.iter().any(|again| name == *again)
}

fn shown(file: &Path) -> Result<Archive, Failure> {
    let facts = fs::symlink_metadata(file).map_err(|e| broken("look at", file, &e))?;
    Ok(Archive {
        file: file.display().to_string(),
        bytes: facts.len(),
    })
}

fn refused(project: &ProjectName, kind: Kind, why: &str) -> Failure {
    Failure::new(
        kind,
        format!("cannot make the last archive of `{project}`: {why}; nothing of it was removed"),
    )
    .hint(format!(
        "make room and try again, or do without it: `hostkit project delete {project} --no-archive`"
    ))
}

fn broken(verb: &str, path: &Path, why: &io::Error) -> Failure {
    Failure::new(
        Kind::Internal,
        format!("cannot {verb} `{}`: {why}", path.display()),
    )
}

/// A file that stops to grow before the disk is full.
struct Watched {
    file: File,
    folder: PathBuf,
    min_free: u64,
    unwatched: u64,
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.unwatched >= LOOK_EVERY {
            self.unwatched = 0;
            if free_space(&self.folder)? < self.min_free {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        let written = self.file.write(bytes)?;
        self.unwatched += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[async_trait]
impl Archives for DiskArchives {
    async fn check(&self, project: &ProjectName) -> Result<(), Failure> {
        let (own, project) = (self.clone(), project.clone());
        apart(move || own.check_now(&project)).await
    }

    async fn keep(&self, project: &ProjectName, since: Timestamp) -> Result<Option<Archive>, Failure> {
        let (own, project) = (self.clone(), project.clone());
        apart(move || own.keep_now(&project, since)).await
    }
}

async fn apart<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(act)
        .await
        .map_err(|e| Failure::new(Kind::Internal, format!("cannot archive a home: {e}")))?
}
