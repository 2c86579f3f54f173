//! What is kept of the history of one server at one place: looked at once, then known.

use hostkit_core::backup::history::paths::{self, Part};
use hostkit_core::backup::history::{Base, Kept, KeptPiece};
use hostkit_core::kind::{Failure, Kind};
use serde::{Deserialize, Serialize};

use super::super::read::{Reader, Trouble};
use super::super::{Store, open_store};
use super::Shown;
use crate::backups::act::Moved;
use crate::context::{Context, locked};

/// The form of manifests that this version writes.
const FORMAT: u32 = 1;

/// What is kept of a server.
pub(super) struct Shelf {
    /// Its number.
    server: String,
    /// Where.
    place: String,
    pub(super) kept: Kept,
}

/// What a base is, as it is written beside its files.
#[derive(Serialize, Deserialize)]
struct Manifest {
    format: u32,
    version: String,
    #[serde(flatten)]
    base: Base,
}

pub(super) fn written(context: &Context, base: &Base) -> Result<Vec<u8>, Failure> {
    let manifest = Manifest {
        format: FORMAT,
        version: context.parts.settings.version.clone(),
        base: base.clone(),
    };
    serde_json::to_vec(&manifest)
        .map_err(|why| Failure::new(Kind::Internal, format!("cannot write a manifest: {why}")))
}

/// The place where backups are kept now, and the shelf of a server there, which is looked at where it is not known.
pub(super) async fn open(
    context: &Context,
    shelf: &mut Option<Shelf>,
    server: &str,
) -> Result<Store, Failure> {
    let ready = open_store(context).await?;
    let place = ready.target.place();
    if !shelf
        .as_ref()
        .is_some_and(|known| known.server == server && known.place == place)
    {
        *shelf = None;
        *shelf = Some(Shelf {
            kept: look(context, &ready, server).await?,
            server: server.to_owned(),
            place,
        });
    }
    show(context, shelf.as_ref());
    Ok(ready)
}

/// Notes what is told of it.
pub(super) fn show(context: &Context, shelf: Option<&Shelf>) {
    let (windows, bytes) = shelf.map_or_else(Default::default, |shelf| {
        (shelf.kept.windows(), shelf.kept.bytes())
    });
    let mut shown = locked(&context.history.shown);
    *shown = Shown {
        windows,
        bytes,
        trouble: shown.trouble.take(),
    };
}

async fn look(context: &Context, ready: &Store, server: &str) -> Result<Kept, Failure> {
    let patience = super::super::parts(context)?.patience;
    let folder = paths::folder(server)?;
    let act = "look at the history of databases that there is";
    let listed = Moved::default()
        .within(patience, act, ready.target.list(Some(&folder)))
        .await?;
    let reader = Reader::new(context, ready.target.clone(), ready.key.clone())?;
    let mut kept = Kept::default();
    for file in listed {
        match paths::read(&file.path) {
            Some(Part::Piece(piece, filed_at)) => kept.add_piece(KeptPiece {
                piece,
                filed_at,
                bytes: file.bytes,
            }),
            Some(Part::Manifest(number)) => match reader.whole(&file.path).await {
                Ok(bytes) => kept.add_base(parse(&bytes, number)?),
                // Another one is made in its place.
                Err(Trouble::Damaged(why)) => {
                    tracing::warn!(path = %file.path, why, "a base of the history is damaged")
                }
                Err(Trouble::Unknown(failure)) => return Err(failure),
            },
            Some(Part::Files(_)) | None => {}
        }
    }
    Ok(kept)
}

fn parse(bytes: &[u8], number: u64) -> Result<Base, Failure> {
    let refused = |why: &str| {
        Failure::new(
            Kind::Conflict,
            format!("cannot read base {number} of the history of databases: its manifest {why}"),
        )
    };
    let read: Manifest =
        serde_json::from_slice(bytes).map_err(|why| refused(&format!("is not one: {why}")))?;
    if read.format != FORMAT {
        return Err(refused("has a form that this version does not know").hint("update HostKit here"));
    }
    match read.base.number == number {
        true => Ok(read.base),
        false => Err(refused("is that of another one")),
    }
}
