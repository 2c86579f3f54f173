//! `hostkit storage rm`.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;

use super::{list, open};
use crate::args::{OfEnvironment, Place};
use crate::commands::project::confirm;
use crate::output::plural;
use crate::session::Session;
use crate::stop::Stop;

/// Objects that are removed side by side.
const TOGETHER: usize = 8;

pub(super) async fn run(
    session: &Session<'_>,
    place: &Place,
    environment: &OfEnvironment,
    recursive: bool,
    yes: bool,
) -> Result<(), Stop> {
    let printer = session.printer();
    let one = (!recursive).then(|| place.one()).transpose()?;
    let bucket = open(session, place, environment).await?;
    let keys: Vec<String> = match one {
        Some(key) => vec![key.to_owned()],
        None => {
            let found = list::all(&bucket, &place.key).await?;
            found.into_iter().map(|object| object.key).collect()
        }
    };
    if recursive && !yes && !keys.is_empty() {
        let what = format!(
            "{} of `{}`",
            plural(keys.len() as u64, "object"),
            place.environment(environment)
        );
        confirm(session, &place.project, "delete", &what)?;
    }
    stream::iter(&keys)
        .map(|key| bucket.remove(key))
        .buffer_unordered(TOGETHER)
        .try_collect::<Vec<()>>()
        .await?;
    match printer.wants_json() {
        true => printer.json(&json!({ "removed": keys })),
        false => {
            printer.say(&format!("Removed {}.", plural(keys.len() as u64, "object")));
            Ok(())
        }
    }
}
