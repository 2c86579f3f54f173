//! Finding what brings a moment back, or saying which moments there are.

use hostkit_core::backup::history::{Base, KeptPiece, LogPiece, Unreached, Window};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::size::ByteSize;
use hostkit_core::traits::History;
use jiff::Timestamp;

use super::collect::collect;
use super::recover::MomentOrder;
use super::{settings, shelf};
use crate::backups::act::Teller;
use crate::context::{Context, on_disk};

/// What brings a moment back.
pub(super) struct Found {
    /// Which server's.
    pub(super) server: String,
    pub(super) base: Base,
    /// The log after it: what should do, and all of it, if that is more.
    pub(super) tries: Vec<Vec<KeptPiece>>,
}

/// Finds it; what was written last is filed first, where the moment is as young as that.
pub(super) async fn find(
    context: &Context,
    history: &dyn History,
    order: &MomentOrder,
    teller: &Teller,
) -> Result<Found, Failure> {
    let settings = settings(context)?;
    if order.at > context.parts.clock.now() {
        return Err(refused(
            order,
            Kind::Invalid,
            "it has not come yet",
            &windows(context),
        ));
    }
    let server = history
        .settle(settings.on)
        .await?
        .ok_or_else(|| refused(order, Kind::NotFound, "there is no PostgreSQL here", &[]))?;
    match look(context, &server, order.at).await? {
        Ok(found) => return Ok(found),
        Err(Unreached::After) if settings.on => {}
        Err(why) => return Err(told(context, order, why, settings.on)),
    }
    teller.say("what was written last is filed");
    history.file_now().await?;
    collect(context, history, &server).await?;
    look(context, &server, order.at)
        .await?
        .map_err(|why| told(context, order, why, settings.on))
}

async fn look(context: &Context, server: &str, at: Timestamp) -> Result<Result<Found, Unreached>, Failure> {
    let mut known = context.history.shelf.lock().await;
    shelf::open(context, &mut known, server).await?;
    let Some(shelf) = known.as_ref() else {
        return Ok(Err(Unreached::Nothing));
    };
    Ok(shelf.kept.reaching(at).map(|(base, tries)| Found {
        server: server.to_owned(),
        base: base.clone(),
        tries,
    }))
}

fn windows(context: &Context) -> Vec<Window> {
    crate::context::locked(&context.history.shown).windows.clone()
}

fn told(context: &Context, order: &MomentOrder, why: Unreached, on: bool) -> Failure {
    let there = windows(context);
    match why {
        Unreached::Nothing if !on => refused(order, Kind::Conflict, "no history of databases is kept", &there)
            .hint("`hostkit backup history on` keeps one from now on; `hostkit backup list` shows the backups there are"),
        Unreached::Nothing => refused(order, Kind::NotFound, "the history of databases has only just begun", &there)
            .hint("a first copy of all databases is being made: `hostkit backup history` shows how far it is"),
        Unreached::Before => refused(order, Kind::NotFound, "it is before all that is kept", &there),
        Unreached::Gap => refused(order, Kind::NotFound, "of what was written then something is missing", &there),
        Unreached::After => refused(order, Kind::NotFound, "of what was written until then not all was filed", &there),
    }
}

/// A moment that cannot be had, with those that can.
pub(super) fn refused(order: &MomentOrder, kind: Kind, why: &str, windows: &[Window]) -> Failure {
    let (at, from) = (order.at, &order.from);
    let failure = Failure::new(kind, format!("cannot restore `{from}` to {at}: {why}"));
    let there: Vec<String> = windows.iter().map(Window::to_string).collect();
    match there.is_empty() {
        true => failure,
        false => failure.hint(format!("any moment {} can be restored", there.join(", or "))),
    }
}

/// Refuses what would fill the disk.
pub(super) fn refuse_without_room(
    context: &Context,
    order: &MomentOrder,
    found: &Found,
) -> Result<(), Failure> {
    let data = context.parts.layout.data();
    let free = context.parts.files.free_bytes(data);
    let free = free.map_err(|why| on_disk("look at the room for", data, &why))?;
    let pieces = found.tries.last().map_or(0, Vec::len) as u64;
    let takes = found.base.figures.plain_bytes + pieces * LogPiece::BYTES;
    if takes.saturating_add(context.parts.settings.min_free.0) <= free {
        return Ok(());
    }
    let why = format!(
        "all databases as they were then take {} on this disk, and {} are free",
        ByteSize(takes),
        ByteSize(free)
    );
    Err(refused(order, Kind::Unavailable, &why, &[])
        .hint(format!("free some space below `{}`", data.display())))
}
