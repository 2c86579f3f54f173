//! Where this machine's programs look for authorities, and an authority put there or taken away: the system's own list,
//! which most programs use, and the databases of browsers, which have lists of their own. What others put there is
//! left alone, and what is as it should be is not written again.

mod databases;
mod system;

use std::path::{Path, PathBuf};

use hostkit_core::certificate::AuthorityCertificate;
use hostkit_core::trust::{TrustOutcome, TrustPlace, TrustReport, TrustWish};

use crate::system_program::SystemProgram;
use system::SystemList;

/// Whose places are seen to.
#[derive(Debug, Clone)]
pub struct Truster {
    system: Vec<SystemList>,
    is_root: bool,
    /// The folder that databases of browsers lie below, if it is the caller's own.
    home: Option<PathBuf>,
    certutil: SystemProgram,
}

/// Why a place could not be changed, and the command that would do it.
struct Trouble {
    why: String,
    fix: Option<String>,
}

impl Trouble {
    fn new(why: impl ToString) -> Self {
        Trouble {
            why: why.to_string(),
            fix: None,
        }
    }
}

impl Truster {
    /// This machine, and the account that calls.
    pub fn here() -> Self {
        let caller = nix::unistd::geteuid();
        let home = std::env::var_os("HOME").map(PathBuf::from);
        // By `sudo` root is there for the system's list. It often keeps the home of who called it, where nothing of
        // root's has a business.
        let by_sudo = std::env::var_os("SUDO_UID").is_some();
        let is_own = |home: &PathBuf| {
            use std::os::unix::fs::MetadataExt;
            !by_sudo
                && home.is_absolute()
                && std::fs::metadata(home).is_ok_and(|found| found.is_dir() && found.uid() == caller.as_raw())
        };
        Truster {
            system: system::KNOWN.iter().map(SystemList::of).collect(),
            is_root: caller.is_root(),
            home: home.filter(is_own),
            certutil: databases::CERTUTIL,
        }
    }

    /// Does it in every place that is there, and says of each what became of it. `command` is what does it all, for
    /// whoever has to call it again as somebody else.
    pub async fn run(&self, authority: &AuthorityCertificate, wish: TrustWish, command: &str) -> TrustReport {
        let mut report = TrustReport::new(authority);
        report.places.push(self.of_system(authority, wish, command).await);
        for database in self.databases(wish).await {
            let done = databases::change(&self.certutil, &database, authority, wish).await;
            report.places.push(place(database.of, database.folder, done));
        }
        report
    }

    async fn of_system(
        &self,
        authority: &AuthorityCertificate,
        wish: TrustWish,
        command: &str,
    ) -> TrustPlace {
        const OF: &str = "the system";
        let Some(list) = self.system.iter().find(|list| list.folder.is_dir()) else {
            let folder = self.system.first().map(|list| list.folder.clone());
            // Where there is no list, nothing is on it.
            let done = match wish {
                TrustWish::Remove => Ok(false),
                TrustWish::Add => Err(Trouble {
                    fix: Some("sudo apt install ca-certificates".to_owned()),
                    ..Trouble::new("there is no list of authorities here that we know of")
                }),
            };
            return place(OF, folder.unwrap_or_default(), with(wish, done));
        };
        let mut done = list.change(authority, wish, self.is_root).await;
        if let Err(trouble) = &mut done
            && !self.is_root
        {
            trouble.fix = Some(format!("sudo {command}"));
        }
        place(OF, list.file(authority), with(wish, done))
    }

    async fn databases(&self, wish: TrustWish) -> Vec<databases::Database> {
        let Some(home) = &self.home else {
            return Vec::new();
        };
        let found = databases::below(home);
        if wish == TrustWish::Add && !found.iter().any(databases::Database::is_of_chromium) {
            return match databases::made_for_chromium(&self.certutil, home).await {
                Some(made) => std::iter::once(made).chain(found).collect(),
                None => found,
            };
        }
        found
    }
}

/// What a change of one place amounts to: whether something was written.
fn with(wish: TrustWish, done: Result<bool, Trouble>) -> Result<TrustOutcome, Trouble> {
    done.map(|was_changed| match (was_changed, wish) {
        (false, _) => TrustOutcome::Unchanged,
        (true, TrustWish::Add) => TrustOutcome::Added,
        (true, TrustWish::Remove) => TrustOutcome::Removed,
    })
}

fn place(of: &'static str, path: PathBuf, done: Result<TrustOutcome, Trouble>) -> TrustPlace {
    let (outcome, trouble) = match done {
        Ok(outcome) => (outcome, None),
        Err(trouble) => (TrustOutcome::NotDone, Some(trouble)),
    };
    let (why, fix) = trouble.map_or((None, None), |trouble| (Some(trouble.why), trouble.fix));
    TrustPlace {
        of,
        path,
        outcome,
        why,
        fix,
    }
}

/// The content of a file that is no longer than any certificate; nothing where there is none.
fn content(path: &Path) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut content = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(1 << 20).read_to_end(&mut content).ok()?;
    Some(content)
}

#[cfg(test)]
mod tests;
