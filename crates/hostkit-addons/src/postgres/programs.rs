//! Which programs of PostgreSQL this machine has. Debian keeps every major version in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};

/// Where Debian and Ubuntu put them.
pub(super) const INSTALLED: &str = "/usr/lib/postgresql";
/// The oldest version that is taken for a new cluster.
const OLDEST: u16 = 15;

/// The programs of one major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// The major version: 15.
    pub major: u16,
    folder: PathBuf,
}

impl Programs {
    /// The newest version that is installed.
    pub fn newest() -> Result<Self, Failure> {
        Self::newest_in(Path::new(INSTALLED))
    }

    /// The newest version whose tools for dumps are installed: the package of the client is enough.
    pub fn newest_client() -> Result<Self, Failure> {
        let with_tools = |found: &Programs| {
            ["pg_dump", "pg_restore"]
                .iter()
                .all(|name| found.file(name).is_file())
        };
        let found = folders(Path::new(INSTALLED)).into_iter().filter(with_tools);
        found.max_by_key(|found| found.major).ok_or_else(|| {
            let why = "cannot dump or restore a database: `pg_dump` and `pg_restore` are not installed";
            Failure::new(Kind::Unavailable, why).hint("apt install postgresql-client")
        })
    }

    /// The version that the data in a folder were made by; where there are none yet, the newest.
    pub fn for_data(data: &Path) -> Result<Self, Failure> {
        Self::for_data_in(Path::new(INSTALLED), data)
    }

    pub(super) fn newest_in(installed: &Path) -> Result<Self, Failure> {
        versions(installed)
            .into_iter()
            .filter(|found| found.major >= OLDEST)
            .max_by_key(|found| found.major)
            .ok_or_else(|| {
                Failure::new(
                    Kind::Unavailable,
                    format!("cannot start PostgreSQL: version {OLDEST} or newer is not installed"),
                )
                .hint("apt install postgresql")
            })
    }

    fn for_data_in(installed: &Path, data: &Path) -> Result<Self, Failure> {
        match major_of(data)? {
            Some(major) => Self::of_major_in(installed, data, major),
            None => Self::newest_in(installed),
        }
    }

    /// The version that data were said to be of.
    pub(super) fn of_major(data: &Path, major: u16) -> Result<Self, Failure> {
        Self::of_major_in(Path::new(INSTALLED), data, major)
    }

    fn of_major_in(installed: &Path, data: &Path, major: u16) -> Result<Self, Failure> {
        let found = versions(installed);
        let there: Vec<String> = found.iter().map(|one| one.major.to_string()).collect();
        found.into_iter().find(|one| one.major == major).ok_or_else(|| {
            let there = if there.is_empty() {
                "none".to_owned()
            } else {
                there.join(", ")
            };
            Failure::new(
                Kind::Unavailable,
                format!(
                    "cannot start PostgreSQL: the data in `{}` are those of version {major}, and installed is {there}",
                    data.display()
                ),
            )
            .hint(format!(
                "apt install postgresql-{major}; to move to a newer version, dump with the old one and restore with the new"
            ))
        })
    }

    /// One of its programs: `postgres`, `initdb`, `pg_dump`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The major version that a data folder is of; none where it is not there or empty.
pub(crate) fn major_of(data: &Path) -> Result<Option<u16>, Failure> {
    let file = data.join("PG_VERSION");
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::new(
            Kind::Unavailable,
            format!("cannot start PostgreSQL: cannot read `{}`: {why}", file.display()),
        )
    };
    match fs::read_to_string(&file) {
        Ok(text) => match text.trim().parse() {
            Ok(major) => Ok(Some(major)),
            Err(why) => Err(cannot(&why)),
        },
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(cannot(&why)),
    }
}

/// The versions whose server is installed. Packages of the client alone have such a folder, too.
fn versions(installed: &Path) -> Vec<Programs> {
    let mut found = folders(installed);
    found.retain(|one| one.file("postgres").is_file() && one.file("initdb").is_file());
    found
}

fn folders(installed: &Path) -> Vec<Programs> {
    let Ok(entries) = fs::read_dir(installed) else {
        return Vec::new();
    };
    let version = |entry: fs::DirEntry| {
        let major = entry.file_name().to_str()?.parse().ok()?;
        let folder = entry.path().join("bin");
        Some(Programs { major, folder })
    };
    entries.flatten().filter_map(version).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(root: &Path, major: &str, programs: &[&str]) {
        let folder = root.join(major).join("bin");
        fs::create_dir_all(&folder).unwrap();
        for program in programs {
            fs::write(folder.join(program), "").unwrap();
        }
    }

    #[test]
    fn the_newest_server_is_taken_and_data_keep_their_version() {
        let root = tempfile::tempdir().unwrap();
        let data = tempfile::tempdir().unwrap();
        let missing = Programs::newest_in(root.path()).unwrap_err();
        assert_eq!(missing.hint.as_deref(), Some("apt install postgresql"));
        install(root.path(), "9.6", &["postgres", "initdb"]);
        install(root.path(), "14", &["postgres", "initdb"]);
        install(root.path(), "15", &["postgres", "initdb"]);
        install(root.path(), "16", &["postgres", "initdb"]);
        install(root.path(), "17", &["psql"]);
        assert_eq!(Programs::newest_in(root.path()).unwrap().major, 16);
        let of_data = || Programs::for_data_in(root.path(), data.path());
        assert_eq!(of_data().unwrap().major, 16);
        fs::write(data.path().join("PG_VERSION"), "14\n").unwrap();
        assert_eq!(of_data().unwrap().major, 14);
        fs::write(data.path().join("PG_VERSION"), "13\n").unwrap();
        let failure = of_data().unwrap_err();
        assert!(failure.message.contains("are those of version 13"), "{failure}");
        assert!(failure.hint.unwrap().starts_with("apt install postgresql-13;"));
        fs::write(data.path().join("PG_VERSION"), "x").unwrap();
        assert!(of_data().is_err());
    }
}
