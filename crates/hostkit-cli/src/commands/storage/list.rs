//! `hostkit storage ls`.

use hostkit_core::size::ByteSize;
use hostkit_core::storage::listing::ListedObject;
use serde_json::json;

use crate::output::Style;
use crate::s3::Bucket;
use crate::session::Session;
use crate::stop::Stop;

/// Lines as the pages come: a bucket may have a million objects.
pub(super) async fn run(
    session: &Session<'_>,
    bucket: &Bucket,
    prefix: &str,
    is_deep: bool,
) -> Result<(), Stop> {
    let printer = session.printer();
    let (mut objects, mut prefixes, mut from) = (Vec::new(), Vec::new(), None);
    let mut is_empty = true;
    loop {
        let page = bucket.list(prefix, is_deep, from.as_deref()).await?;
        is_empty &= page.objects.is_empty() && page.prefixes.is_empty();
        if printer.wants_json() {
            objects.extend(page.objects);
            prefixes.extend(page.prefixes);
        } else {
            for one in &page.prefixes {
                printer.line(&format!("{:>10}  {:20}  {}", "", "", printer.foreign_on_out(one)))?;
            }
            for one in &page.objects {
                let size = ByteSize(one.size).to_string();
                let when = printer.on_out(one.modified.get(..19).unwrap_or_default(), Style::Dim);
                printer.line(&format!(
                    "{size:>10}  {when}Z  {}",
                    printer.foreign_on_out(&one.key)
                ))?;
            }
        }
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    if printer.wants_json() {
        return printer.json(&json!({ "objects": objects, "prefixes": prefixes }));
    }
    if is_empty {
        let place = if prefix.is_empty() { "" } else { " that begins so" };
        printer.say(&format!("There is no object{place}."));
    }
    Ok(())
}

/// All objects whose keys begin so.
pub(super) async fn all(bucket: &Bucket, prefix: &str) -> Result<Vec<ListedObject>, Stop> {
    let (mut objects, mut from) = (Vec::new(), None);
    loop {
        let page = bucket.list(prefix, true, from.as_deref()).await?;
        objects.extend(page.objects);
        from = page.next;
        if from.is_none() {
            return Ok(objects);
        }
    }
}
