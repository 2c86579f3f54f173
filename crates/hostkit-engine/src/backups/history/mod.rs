//! The history of databases: what their server files of every change is taken to where backups are kept, with a copy of all
//! of its files once a week; both together are any moment of the last days. It is the installation's: one server has the
//! databases of all projects, and a project gets nothing of it but its own databases as they were.
//!
//! ```text
//! server ──► filed pieces ──► collect ──► target ◄── base, once a week
//!                                           │
//!                    server as it was ◄─────┴── recover: the databases of one environment are taken out of it
//! ```

mod base;
mod collect;
mod find;
mod keep;
mod recover;
mod shelf;

use std::sync::{Arc, Mutex};

use hostkit_core::backup::history::{HistorySettings, HistoryStanding, MOST_DAYS, Window};
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::traits::{Files, History};
use tokio::sync::Notify;

use crate::context::{Context, locked, on_disk};
use shelf::Shelf;

pub(crate) use keep::run;
pub use recover::MomentOrder;
pub(crate) use recover::recover;

/// The most bytes of the file that says whether a history is kept.
const LONGEST: usize = 4096;

/// What is remembered of the history while the engine runs.
#[derive(Default)]
pub(crate) struct Keeping {
    /// What is kept, once it was looked at. Held by whoever changes it.
    shelf: tokio::sync::Mutex<Option<Shelf>>,
    /// Held by whoever brings something back: one at a time, for each is a server of its own; and nothing is removed meanwhile.
    recovering: tokio::sync::Mutex<()>,
    shown: Mutex<Shown>,
    /// Wakes the loop.
    wake: Notify,
}

/// What is told of it, as it was last seen.
#[derive(Debug, Clone, Default)]
struct Shown {
    windows: Vec<Window>,
    bytes: u64,
    trouble: Option<String>,
}

/// What was chosen; nothing where nobody ever chose.
fn chosen(files: &dyn Files, layout: &Layout) -> Result<Option<HistorySettings>, Failure> {
    let file = layout.history();
    let bytes = files.read_at(&file, 0, LONGEST);
    let bytes = bytes.map_err(|why| on_disk("read", &file, &why))?;
    if bytes.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|why| {
        Failure::new(Kind::Conflict, format!("cannot read `{}`: {why}", file.display()))
            .hint("choose again: `hostkit backup history on` or `off`")
    })
}

/// Whether a history is kept, and how long: what was chosen.
pub fn settings_of(files: &dyn Files, layout: &Layout) -> Result<HistorySettings, Failure> {
    chosen(files, layout).map(Option::unwrap_or_default)
}

fn settings(context: &Context) -> Result<HistorySettings, Failure> {
    settings_of(&*context.parts.files, &context.parts.layout)
}

/// What files the changes, or why nothing does.
fn driver(context: &Context) -> Result<&Arc<dyn History>, Failure> {
    super::parts(context)?.history.as_ref().ok_or_else(|| {
        Failure::new(
            Kind::Conflict,
            "cannot keep a history of databases: nothing here files their changes",
        )
        .hint("backups are made once a day: `hostkit backup list`")
    })
}

/// Whether a server has to be started anew before a history is kept. What stands in the way besides is told by who wants one.
pub(crate) async fn needs_start(context: &Context) -> bool {
    match driver(context) {
        Ok(history) => history.needs_start().await.unwrap_or_default(),
        Err(_) => false,
    }
}

/// How it stands.
pub(crate) fn standing(context: &Context) -> Result<HistoryStanding, Failure> {
    let shown = locked(&context.history.shown).clone();
    Ok(HistoryStanding {
        settings: settings(context)?,
        windows: shown.windows,
        bytes: Some(shown.bytes),
        needs_start: false,
        trouble: shown.trouble,
    })
}

/// Has it looked at anew what is kept: with another key, or elsewhere.
pub(super) async fn look_again(context: &Context) {
    *context.history.shelf.lock().await = None;
    context.history.wake.notify_one();
}

/// Chooses whether a history is kept, and how long. Where the server has to be started anew for it, it is.
pub(crate) async fn set(context: &Context, wanted: HistorySettings, by: &str) -> Result<(), Failure> {
    let history = driver(context)?;
    if !(1..=MOST_DAYS).contains(&wanted.days) {
        return Err(Failure::new(
            Kind::Invalid,
            format!(
                "cannot keep a history of {} days: use 1 to {MOST_DAYS}",
                wanted.days
            ),
        ));
    }
    let needs_start = wanted.on && history.needs_start().await?;
    let file = context.parts.layout.history();
    let text = serde_json::to_vec(&wanted)
        .map_err(|why| Failure::new(Kind::Internal, format!("cannot write what was chosen: {why}")))?;
    let kept = context.parts.files.write_private(&file, &text);
    kept.map_err(|why| on_disk("write", &file, &why))?;
    let what = What::HistoryChanged {
        on: wanted.on,
        days: wanted.days,
        by: by.to_owned(),
    };
    context.parts.store.record(None, what)?;
    let mut started = Ok(());
    if needs_start {
        let history = history.clone();
        // To its end, also where who asked does not wait for it: programs do.
        let start = tokio::spawn(async move { history.start_anew().await });
        started = start.await.unwrap_or_else(|why| {
            let why = format!("cannot start the database server anew: {why}");
            Err(Failure::new(Kind::Internal, why))
        });
    }
    context.history.wake.notify_one();
    started
}
