//! Bringing databases back to a moment: the server as it was then is made anew beside the one in use, the databases of one
//! environment are copied out of it, and take the places of those that are there. Nobody else's data move.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use hostkit_core::addon::{AddonId, AddonKind, AddonSettings};
use hostkit_core::backup::history::KeptPiece;
use hostkit_core::backup::history::paths::{self, Part};
use hostkit_core::backup::part::{PartKind, PartName, differences};
use hostkit_core::backup::{Cause, Recovered};
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::{CopyOf, History, Log, Past, Pieces};
use jiff::Timestamp;

use super::driver;
use super::find::{Found, find, refuse_without_room, refused};
use crate::backups::act::Teller;
use crate::backups::prove::prove;
use crate::backups::read::Reader;
use crate::backups::restore::{Staged, discard, is_there, no_taker, take_places};
use crate::backups::{copies_of, make};
use crate::context::Context;
use crate::{addons, provisioning};

/// After so many bytes it is said how far a copy of all databases is.
const TOLD_EACH: u64 = 1 << 30;

/// Which moment is brought back, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MomentOrder {
    /// Whose databases.
    pub from: EnvironmentId,
    /// The moment.
    pub at: Timestamp,
    /// The environment they are brought into.
    pub to: EnvironmentId,
    /// Whether what is there is backed up first.
    pub backup_first: bool,
    /// The token or account that asks.
    pub by: String,
}

/// Brings databases back.
pub(crate) async fn recover(
    context: &Arc<Context>,
    order: &MomentOrder,
    teller: &Teller,
) -> Result<Recovered, Failure> {
    let history = driver(context)?;
    let lock = context.lock_of_backups(&order.to);
    let _held = lock.lock().await;
    let _alone = context.history.recovering.lock().await;
    let found = find(context, &**history, order, teller).await?;
    refuse_without_room(context, order, &found)?;
    let past = bring_back(context, history, order, &found, teller).await?;
    let recovered = take_over(context, history.kind(), order, &*past, teller).await;
    // What is left of it goes at the next start, or with the next one.
    if let Err(error) = past.end().await {
        tracing::warn!(%error, environment = %order.from, "what a recovery needed is still there");
    }
    recovered
}

/// The server as it was.
async fn bring_back(
    context: &Context,
    history: &Arc<dyn History>,
    order: &MomentOrder,
    found: &Found,
    teller: &Teller,
) -> Result<Box<dyn Past>, Failure> {
    let reader = Arc::new(Reader::here(context).await?);
    let path = paths::of(&found.server, &Part::Files(found.base.number))?;
    let mut unreached = None;
    for pieces in &found.tries {
        teller.say(format!(
            "all databases as they were on {}: {}, then {} of what was written after",
            found.base.from.strftime("%Y-%m-%d %H:%M UTC"),
            ByteSize(found.base.figures.bytes),
            ByteSize(pieces.iter().map(|piece| piece.bytes).sum()),
        ));
        let base = reader.open(&path).await.map_err(|trouble| trouble.told(&path))?;
        let base = counted(base.pieces, found.base.figures.plain_bytes, teller);
        let log = log(&reader, &found.server, pieces.clone());
        match history.recover(&order.from, order.at, base, log).await {
            // What shows that the moment is over may come later.
            Err(failure) if failure.kind == Kind::NotFound => unreached = Some(failure),
            done => return done,
        }
    }
    Err(unreached.unwrap_or_else(|| refused(order, Kind::NotFound, "there is no log", &[])))
}

/// A long stream says how far it is.
fn counted(pieces: Pieces, all: u64, teller: &Teller) -> Pieces {
    let teller = teller.clone();
    let (mut seen, mut next) = (0, TOLD_EACH);
    Box::pin(pieces.inspect(move |piece| {
        seen += piece.as_ref().map_or(0, Vec::len) as u64;
        if seen >= next {
            next = seen + TOLD_EACH;
            teller.say(format!("{} of {}", ByteSize(seen), ByteSize(all)));
        }
    }))
}

/// Pieces as they are asked for.
fn log(reader: &Arc<Reader>, server: &str, pieces: Vec<KeptPiece>) -> Log {
    let (reader, server) = (reader.clone(), server.to_owned());
    Box::pin(stream::iter(pieces).then(move |kept| {
        let (reader, server) = (reader.clone(), server.clone());
        async move {
            let path = paths::of(&server, &Part::Piece(kept.piece.clone(), kept.filed_at))?;
            let opened = reader.open(&path).await.map_err(|trouble| trouble.told(&path))?;
            Ok((kept.piece, opened.pieces))
        }
    }))
}

/// Copies the databases of one environment out of the past into the present.
async fn take_over(
    context: &Arc<Context>,
    kind: AddonKind,
    order: &MomentOrder,
    past: &dyn Past,
    teller: &Teller,
) -> Result<Recovered, Failure> {
    let MomentOrder { from, at, to, by, .. } = order;
    let then = CopyOf {
        environment: from.clone(),
        order: None,
    };
    let names = past.parts(&then).await?;
    if names.is_empty() {
        return Err(refused(order, Kind::NotFound, "it had no database then", &[]));
    }
    teller.say(format!("found as they were at {at}: {}", listed(&names)));
    let mut notes = Vec::new();
    if is_there(context, to)? {
        if order.backup_first {
            notes.push(back_up(context, to, teller).await?);
        }
    } else {
        make_anew(context, to, teller).await?;
    }
    let addon = AddonId::new(to.clone(), kind);
    match context.parts.store.addon(&addon) {
        Err(failure) if failure.kind == Kind::NotFound => {
            addons::add(context, &addon, addons::New::Own(AddonSettings::default()), by).await?;
            teller.say(format!("{kind}: added"));
        }
        found => drop(found?),
    }
    let mut staged = Vec::new();
    if let Err(failure) = stage(context, past, &then, (&names, to), &mut staged, teller).await {
        discard(&staged).await?;
        return Err(failure);
    }
    take_places(context, to, &staged, teller).await?;
    let what = What::DatabasesRecovered {
        from: from.to_string(),
        moment: *at,
        by: by.clone(),
    };
    context.parts.store.record(Some(to), what)?;
    notes.extend(younger(context, kind, to, &names).await?);
    notes.push(
        "Only databases were brought back: Redis, storage, `shared/` and variables are as they are now."
            .into(),
    );
    Ok(Recovered {
        environment: from.clone(),
        at: *at,
        parts: names,
        into: to.clone(),
        notes,
    })
}

/// What databases there are besides.
async fn younger(
    context: &Context,
    kind: AddonKind,
    to: &EnvironmentId,
    names: &[PartName],
) -> Result<Option<String>, Failure> {
    let Some((copies, of)) = copies_of(context, to, PartKind::Addon(kind))? else {
        return Ok(None);
    };
    let mut others = copies.parts(&of).await?;
    others.retain(|other| !names.contains(other));
    Ok((!others.is_empty()).then(|| format!("Not there then, and as they are now: {}.", listed(&others))))
}

fn listed(names: &[PartName]) -> String {
    let names: Vec<String> = names.iter().map(PartName::to_string).collect();
    names.join(", ")
}

async fn back_up(context: &Arc<Context>, to: &EnvironmentId, teller: &Teller) -> Result<String, Failure> {
    teller.say(format!("{to} as it is now is backed up first"));
    let first = make::make_now(context, to, Cause::Before, teller)
        .await
        .map_err(make::refused)?;
    let first = prove(context, &first, teller).await?;
    Ok(format!(
        "What was there before is backup {} of `{to}`.",
        first.number
    ))
}

/// Makes an environment that is not there, and its project.
async fn make_anew(context: &Arc<Context>, to: &EnvironmentId, teller: &Teller) -> Result<(), Failure> {
    match context.parts.store.project(&to.project) {
        Err(failure) if failure.kind == Kind::NotFound => {
            provisioning::create(context, &to.project).await?;
            teller.say(format!("project {} made anew", to.project));
        }
        found => drop(found?),
    }
    context.parts.store.ensure_environment(to).map(drop)
}

/// Brings each database in beside what is there, and compares it with what it was.
async fn stage<'a>(
    context: &'a Context,
    past: &dyn Past,
    then: &CopyOf,
    (names, to): (&[PartName], &EnvironmentId),
    staged: &mut Vec<Staged<'a>>,
    teller: &Teller,
) -> Result<(), Failure> {
    for name in names {
        let PartKind::Addon(_) = name.kind() else { continue };
        let (copies, of) = copies_of(context, to, name.kind())?.ok_or_else(|| no_taker(to, name))?;
        let export = past.export(then, name).await?;
        let counting = export.counting.clone();
        let found = copies.stage(&of, name, export.pieces).await?;
        staged.push(Staged {
            copies,
            of,
            name: name.clone(),
        });
        let differences = differences(&counting.get().cloned().unwrap_or_default(), &found);
        if !differences.is_empty() {
            return Err(Failure::new(
                Kind::Failed,
                format!("cannot restore `{name}` into `{to}`: {}", differences.join("; ")),
            )
            .hint("what was there is as it was"));
        }
        teller.say(format!("{name}: brought in beside what is there, all of it"));
    }
    Ok(())
}
