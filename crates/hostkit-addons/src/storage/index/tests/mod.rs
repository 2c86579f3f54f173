//! The index as requests use it: a real database and real files in a temporary folder.

mod lists;
mod objects;
mod uploads;

use std::sync::Arc;

use super::*;
use crate::storage::names::{BucketName, ObjectKey};

pub(super) struct Opened {
    pub(super) index: Index,
    pub(super) contents: Contents,
    pub(super) folder: Arc<tempfile::TempDir>,
}

pub(super) async fn opened() -> Opened {
    let opened = open_in(Arc::new(tempfile::tempdir().unwrap()));
    opened
        .index
        .write(Vec::new(), |change| change.ensure_bucket(&shop(), 1))
        .await
        .unwrap();
    opened
}

pub(super) fn open_in(folder: Arc<tempfile::TempDir>) -> Opened {
    let contents = Contents::open(folder.path().join("contents"), 0).unwrap();
    let index = Index::open(&folder.path().join("index.sqlite"), contents.clone()).unwrap();
    Opened {
        index,
        contents,
        folder,
    }
}

pub(super) fn shop() -> BucketName {
    BucketName::parse("shop").unwrap()
}

pub(super) fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

impl Opened {
    pub(super) fn content(&self, size: usize) -> Written {
        let mut incoming = self.contents.begin(0).unwrap();
        incoming.write(&vec![b'x'; size]).unwrap();
        incoming.finish().unwrap()
    }

    /// Puts an object of some bytes, as a request does it.
    pub(super) async fn put(
        &self,
        name: &str,
        size: usize,
        etag: &str,
        condition: Condition,
    ) -> Result<ContentId> {
        self.put_within(name, size, etag, condition, None).await
    }

    pub(super) async fn put_within(
        &self,
        name: &str,
        size: usize,
        etag: &str,
        condition: Condition,
        quota: Option<u64>,
    ) -> Result<ContentId> {
        let content = self.content(size);
        let id = content.id();
        let new = NewObject {
            bucket: shop(),
            key: key(name),
            object: Object {
                size: size as u64,
                modified: 5,
                etag: etag.to_owned(),
                pieces: vec![Piece {
                    content: id,
                    size: size as u64,
                }],
                details: Details::default(),
                tags: Tags::new(),
            },
            quota,
        };
        let put = self
            .index
            .write(vec![content], move |change| change.put(&new, &condition))
            .await;
        put.map(|()| id)
    }

    pub(super) fn object(&self, name: &str) -> Result<Object> {
        self.index.read(|c| object(c, &shop(), &key(name)))
    }

    pub(super) fn usage(&self) -> Usage {
        self.index.read(|c| usage(c, &shop())).unwrap()
    }

    pub(super) fn is_there(&self, id: ContentId) -> bool {
        self.contents.pin(vec![id]).open(id).is_ok()
    }
}
