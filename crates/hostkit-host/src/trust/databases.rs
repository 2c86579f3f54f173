//! The databases of authorities that Chromium and Firefox have for an account, changed by `certutil` as their own
//! people would.

use std::path::{Path, PathBuf};

use hostkit_core::certificate::AuthorityCertificate;
use hostkit_core::trust::{TrustOutcome, TrustWish};

use super::Trouble;
use crate::launch::find_program;
use crate::system_program::SystemProgram;

/// The program that changes them.
pub(super) const CERTUTIL: SystemProgram = SystemProgram::new("certutil", "libnss3-tools");
/// The file every one of them has.
const FILE: &str = "cert9.db";
/// Where Chromium and its relatives look, below a home.
const OF_CHROMIUM: [&str; 3] = [
    ".pki/nssdb",
    ".local/share/pki/nssdb",
    "snap/chromium/current/.pki/nssdb",
];
/// What they are called.
const CHROMIUM: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
];
/// Where Firefox has a folder for each profile.
const OF_FIREFOX: [&str; 4] = [
    ".mozilla/firefox",
    ".config/mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
];
/// More profiles than anybody has.
const MOST_PROFILES: usize = 50;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Database {
    pub(super) of: &'static str,
    pub(super) folder: PathBuf,
}

impl Database {
    pub(super) fn is_of_chromium(&self) -> bool {
        self.of == "Chromium"
    }

    fn named(&self) -> String {
        format!("sql:{}", self.folder.display())
    }
}

/// Those below a home.
pub(super) fn below(home: &Path) -> Vec<Database> {
    let of_chromium = OF_CHROMIUM.map(|folder| ("Chromium", home.join(folder)));
    let of_firefox = OF_FIREFOX.iter().flat_map(|folder| {
        let mut profiles: Vec<_> = std::fs::read_dir(home.join(folder))
            .into_iter()
            .flatten()
            .flatten()
            .take(MOST_PROFILES)
            .map(|entry| ("Firefox", entry.path()))
            .collect();
        profiles.sort();
        profiles
    });
    of_chromium
        .into_iter()
        .chain(of_firefox)
        .filter(|(_, folder)| folder.join(FILE).is_file())
        .map(|(of, folder)| Database { of, folder })
        .collect()
}

/// One that Chromium finds when it is started for the first time, where it is installed.
pub(super) async fn made_for_chromium(certutil: &SystemProgram, home: &Path) -> Option<Database> {
    let environment = SystemProgram::environment();
    let is_there = |name| find_program(name, &environment, Path::new("/")).is_ok();
    if !CHROMIUM.into_iter().any(is_there) {
        return None;
    }
    let made = Database {
        of: "Chromium",
        folder: home.join(OF_CHROMIUM[0]),
    };
    if certutil.file().is_ok() {
        crate::files::create_folder(&made.folder, 0o700).ok()?;
        let arguments = ["-N", "--empty-password", "-d", &made.named()];
        // Why it failed is said by the next step, which fails as well.
        certutil.run(&arguments, b"").await.ok()?;
    }
    Some(made)
}

/// Has an authority in a database, or not.
pub(super) async fn change(
    certutil: &SystemProgram,
    database: &Database,
    authority: &AuthorityCertificate,
    wish: TrustWish,
) -> Result<TrustOutcome, Trouble> {
    certutil.file().map_err(|missing| Trouble {
        why: missing.message,
        fix: Some(format!("sudo apt install {}", certutil.package)),
    })?;
    let (named, name) = (database.named(), authority.name.as_str());
    let run = async |arguments: &[&str], input: &[u8]| {
        let ended = certutil.run(arguments, input).await;
        let ended = ended.map_err(|failure| Trouble::new(failure.message))?;
        match ended.is_success() {
            true => Ok(ended.output),
            false => Err(Trouble::new(format!("`certutil`: {}", ended.why()))),
        }
    };
    let listed = run(&["-L", "-d", &named], b"").await?;
    match (wish, trusted_for(&listed, name)) {
        (TrustWish::Add, Some(what)) if what.starts_with('C') => Ok(TrustOutcome::Unchanged),
        (TrustWish::Remove, None) => Ok(TrustOutcome::Unchanged),
        (TrustWish::Add, _) => {
            let add = ["-A", "-d", &named, "-n", name, "-t", "C,,", "-a"];
            run(&add, authority.pem.as_bytes()).await?;
            Ok(TrustOutcome::Added)
        }
        (TrustWish::Remove, Some(_)) => {
            run(&["-D", "-d", &named, "-n", name], b"").await?;
            Ok(TrustOutcome::Removed)
        }
    }
}

/// What a name is trusted for by a list of `certutil`, if it is on it: `C` for servers, first.
fn trusted_for(list: &[u8], name: &str) -> Option<String> {
    String::from_utf8_lossy(list).lines().find_map(|line| {
        let rest = line.strip_prefix(name)?;
        rest.starts_with(' ').then(|| rest.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_what_a_name_is_trusted_for() {
        let list = b"\nCertificate Nickname      Trust Attributes\n\
            HostKit local authority 1a2b3c4d                             C,,  \n\
            HostKit local authority ffffffff                             ,,   \n";
        let of = |mark: &str| trusted_for(list, &format!("HostKit local authority {mark}"));
        assert_eq!(of("1a2b3c4d").as_deref(), Some("C,,"));
        assert_eq!(of("ffffffff").as_deref(), Some(",,"));
        assert_eq!((of("1a2b3c4"), of("00000000")), (None, None));
    }
}
