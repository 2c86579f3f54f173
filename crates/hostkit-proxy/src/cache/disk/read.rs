//! Reading: on a thread that may wait for the disk, so many at the same time and not for long.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::HeaderMap;

use super::file::{self, Found};
use super::index::{FileKey, Forms, ScopeId};
use super::keeper::Job;
use super::{Disk, folder};
use crate::cache::entry::Entry;

/// The longest that a request waits. A disk that takes longer is left alone for a while.
const PATIENCE: Duration = Duration::from_millis(500);

/// What became of a look at all forms of an answer.
enum Looked {
    Found(Entry),
    /// There are other forms alone.
    NotThis,
    /// At least one file is missing or none of ours.
    Broken,
}

impl Disk {
    /// The answer to a request by its key, without the number of its scope. `by_now` looks into the memory once more
    /// when it is this request's turn; the answer says whether it came from the disk.
    pub(in crate::cache) async fn find(
        &self,
        scope: ScopeId,
        key: &[u8],
        request: &HeaderMap,
        by_now: impl FnOnce() -> Option<Arc<Entry>>,
    ) -> Option<(Arc<Entry>, bool)> {
        if !self.state.is_on() {
            return None;
        }
        let file = FileKey::of(scope, key);
        let forms = self.state.index.get(&file)?;
        let folder = self.state.folder(scope)?;
        let (key, request) = (key.to_vec(), request.clone());
        let readers = Arc::clone(&self.state.readers);
        let reading = async {
            let permit = readers.acquire_owned().await.ok()?;
            if let Some(entry) = by_now() {
                return Some(Ok((entry, false)));
            }
            let work = move || {
                let looked = look(&folder, &file, &forms, &key, &request);
                // A reader that waits for the disk counts, also when nobody waits for it any more.
                drop(permit);
                looked
            };
            match tokio::task::spawn_blocking(work).await.ok()? {
                Ok(Looked::Found(entry)) => Some(Ok((Arc::new(entry), true))),
                Ok(Looked::NotThis) => None,
                Ok(Looked::Broken) => {
                    self.state.counts.broken.fetch_add(1, Ordering::Relaxed);
                    if let Some(forms) = self.state.index.remove(&file) {
                        self.tell(Job::Remove(file, forms));
                    }
                    None
                }
                Err(error) => Some(Err(format!("cannot read an answer: {error}"))),
            }
        };
        let outcome = tokio::time::timeout(PATIENCE, reading).await;
        match outcome.unwrap_or_else(|_| Some(Err("reading an answer took too long".to_owned())))? {
            Ok(found) => {
                self.state.counts.hits.fetch_add(1, Ordering::Relaxed);
                Some(found)
            }
            Err(why) => {
                self.state.pause();
                self.tell(Job::Trouble(why));
                None
            }
        }
    }
}

fn look(
    folder: &OwnedFd,
    file: &FileKey,
    forms: &Forms,
    key: &[u8],
    request: &HeaderMap,
) -> io::Result<Looked> {
    let mut looked = Looked::NotThis;
    for form in forms.iter() {
        let Some(opened) = folder::open(folder, file, form.id)? else {
            looked = Looked::Broken;
            continue;
        };
        match file::read(&opened, key, request)? {
            Found::Answer(entry) => {
                entry.on_disk.store(true, Ordering::Relaxed);
                folder::note_use(&opened);
                return Ok(Looked::Found(entry));
            }
            Found::Other => {}
            Found::Broken => looked = Looked::Broken,
        }
    }
    Ok(looked)
}
