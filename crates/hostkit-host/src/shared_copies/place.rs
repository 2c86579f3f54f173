//! The shared folder of one environment, with what waits beside it.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use hostkit_core::backup::part::Counts;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::project::EnvironmentId;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::{Counting, LeftOut};

use crate::accounts::Account;
use crate::beneath::{Folder, Missing, Packed, Rights};
use crate::files::sync_tree;
use crate::piecewise::PieceWriter;

/// Where a copy waits: beside the folder, and on its disk.
const STAGED: &str = "shared.restore";
const SHARED: &str = "shared";
/// So much of the disk stays free.
const MIN_FREE: ByteSize = ByteSize::mib(512);

/// The shared folder of one environment.
pub(super) struct Place {
    /// The folder of the environment. On a server nobody but root can change which names are in it.
    environment: Folder,
    /// Whether what is in it belongs to an account of its own.
    is_server: bool,
}

impl Place {
    pub(super) fn open(layout: &Layout, id: &EnvironmentId) -> Result<Self, Failure> {
        let path = layout.environment(id);
        if !layout.is_server() {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|why| on_disk("make", &path, &why))?;
        }
        Ok(Place {
            environment: Folder::open(&path)?,
            is_server: layout.is_server(),
        })
    }

    /// The folder itself; none where there is none. In local mode it may be a link, to another disk of the same owner.
    pub(super) fn shared(&self) -> Result<Option<Folder>, Failure> {
        if self.is_server {
            return self.environment.folder(SHARED);
        }
        match Folder::open(&self.environment.path().join(SHARED)) {
            Err(failure) if failure.kind == Kind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Whose all of it is, on a server: the project's account, to which root gave the folder.
    fn owner(&self) -> Result<Option<Account>, Failure> {
        if !self.is_server {
            return Ok(None);
        }
        let shared = self.shared()?.ok_or_else(|| self.none("restore"))?;
        shared.owner().map(Some)
    }

    pub(super) fn none(&self, act: &str) -> Failure {
        let path = self.environment.path().join(SHARED);
        Failure::new(
            Kind::NotFound,
            format!("cannot {act} `{}`: it does not exist", path.display()),
        )
    }

    /// What its files say that they have can be read at any time, and be far more than was ever written.
    pub(super) fn check_volume(&self, shared: &Folder) -> Result<(), Failure> {
        let path = shared.path();
        let said = shared.volume(|_, _| false)?.said;
        let disk = disk_size(path).map_err(|why| on_disk("look at the disk of", path, &why))?;
        if said > disk {
            let why = format!(
                "cannot back up `{}`: its files say that they have {}, more than their disk",
                path.display(),
                ByteSize(said)
            );
            return Err(Failure::new(Kind::Conflict, why).hint(format!(
                "see which it is: `du --apparent-size -ah {} | sort -h | tail`",
                path.display()
            )));
        }
        Ok(())
    }

    pub(super) fn pack(&self, shared: &Folder, to: PieceWriter, counting: &Counting, left_out: &LeftOut) {
        let mut tar = tar::Builder::new(to);
        tar.sparse(false);
        let packed = self
            .owner()
            .and_then(|reader| shared.pack(&mut tar, |_, _| false, reader))
            .map_err(io::Error::other)
            .and_then(|packed| {
                tar.finish()?;
                tar.get_mut().flush()?;
                Ok(packed)
            });
        match packed {
            Ok(packed) => {
                left_out.set(told(&packed.missing));
                counting.set(counts(&packed));
            }
            Err(why) => tar.get_mut().fail(why),
        }
    }

    pub(super) fn stage(&self, from: impl Read) -> Result<Counts, Failure> {
        let owner = self.owner()?;
        let _ = self.environment.remove_tree(STAGED)?;
        // Nobody enters it before it is in its place.
        let own = Account::own();
        let (folder, _) = self
            .environment
            .ensure_folder(STAGED, &Rights::new(own.uid, own.gid, 0o700))?;
        let unpacked = folder
            .unpack(from, MIN_FREE.0)
            .map_err(|why| on_disk("unpack a copy into", folder.path(), &why))
            .and_then(|packed| {
                sync_tree(folder.path()).map_err(|why| on_disk("bring to the disk", folder.path(), &why))?;
                if let Some(owner) = owner {
                    self.environment.give(STAGED, owner)?;
                    self.environment.give_alone(STAGED, own)?;
                }
                Ok(counts(&packed))
            });
        unpacked.map_err(|failure| match self.environment.remove_tree(STAGED) {
            Ok(_) => failure,
            Err(also) => failure.details(vec![also.message]),
        })
    }

    pub(super) fn take_place(&self) -> Result<(), Failure> {
        let staged = self.environment.folder(STAGED)?.ok_or_else(|| {
            let path = self.environment.path().join(SHARED);
            let why = format!("cannot restore `{}`: nothing was brought in", path.display());
            Failure::new(Kind::NotFound, why)
        })?;
        if self.is_server {
            let shared = self.shared()?.ok_or_else(|| self.none("restore"))?;
            trade_all(&shared, &staged)?;
        } else {
            self.environment.exchange(STAGED, SHARED)?;
        }
        // What was there before has the other name now. It is replaced, whether it can be removed now or not.
        if let Err(failure) = self.environment.remove_tree(STAGED) {
            tracing::warn!(%failure, "what a restored folder replaced is left until the next copy is brought in");
        }
        Ok(())
    }

    /// Takes away what was brought in.
    pub(super) fn discard(&self) -> Result<(), Failure> {
        self.environment.remove_tree(STAGED).map(drop)
    }
}

/// Has two folders trade all that they have. The folders themselves stay: a program that runs on a server sees the one that
/// was there when it was started. Where one name cannot be traded, all is as it was before.
fn trade_all(shared: &Folder, staged: &Folder) -> Result<(), Failure> {
    let mut names = [shared.names()?, staged.names()?].concat();
    names.sort_unstable();
    names.dedup();
    for (at, name) in names.iter().enumerate() {
        if let Err(failure) = shared.trade(name, staged) {
            for name in &names[..at] {
                shared.trade(name, staged)?;
            }
            return Err(failure);
        }
    }
    staged.sync()?;
    shared.sync()
}

fn counts(packed: &Packed) -> Counts {
    [
        ("files", packed.files),
        ("folders", packed.folders),
        ("links", packed.links),
    ]
    .map(|(name, count)| (name.to_owned(), count))
    .into()
}

/// What is not in a copy, in words.
fn told(missing: &Missing) -> Vec<String> {
    let mut told: Vec<String> = missing
        .first
        .iter()
        .map(|path| format!("`{}`", path.display()))
        .collect();
    let more = missing.count.saturating_sub(told.len() as u64);
    if more > 0 {
        told.push(format!("{more} more"));
    }
    match told.is_empty() {
        true => told,
        false => vec![format!(
            "{}: no files, on another disk, or not the project's to read",
            told.join(", ")
        )],
    }
}

fn disk_size(path: &Path) -> io::Result<u64> {
    let facts = rustix::fs::statvfs(path)?;
    Ok(facts.f_blocks.saturating_mul(facts.f_frsize))
}

fn on_disk(act: &str, path: &Path, why: &io::Error) -> Failure {
    use io::ErrorKind as Why;
    let kind = match why.kind() {
        // What cannot be unpacked is the copy's fault, all else the disk's.
        Why::InvalidData | Why::InvalidInput | Why::Other | Why::UnexpectedEof | Why::AlreadyExists => {
            Kind::Failed
        }
        _ => Kind::Unavailable,
    };
    let failure = Failure::new(kind, format!("cannot {act} `{}`: {why}", path.display()));
    match why.kind() {
        Why::StorageFull => failure.hint(format!("df -h {}", path.display())),
        _ => failure,
    }
}
