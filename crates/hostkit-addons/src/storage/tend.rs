//! What is done beside the requests: objects expire, uploads are given up, and files that nobody knows are removed.

use hostkit_core::storage::lifecycle::LifecycleRule;

use super::error::{Result, StorageError};
use super::index::{Aged, Condition, Index, UploadQuery, aged, uploads};
use super::names::{BucketName, ObjectKey};
use super::s3::{Storage, blocking};

/// How many are looked at and changed at once.
const TOGETHER: usize = 500;

/// What was tended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tended {
    /// Objects that expired.
    pub objects: usize,
    /// Uploads that were given up.
    pub uploads: usize,
}

impl Storage {
    /// Follows the life-cycle rules of all buckets. `now` is in milliseconds since 1970. Can be cut anywhere and done
    /// again.
    pub async fn expire(&self, now: i64) -> Result<Tended> {
        let mut tended = Tended::default();
        for bucket in &self.settings().buckets {
            for rule in self.lifecycle_rules(&bucket.name).await? {
                if let Some(before) = rule.expires_before(now) {
                    tended.objects += self.expire_objects(&bucket.name, &rule, before).await?;
                }
                if let Some(before) = rule.aborts_before(now) {
                    tended.uploads += self.give_up_uploads(&bucket.name, &rule, before).await?;
                }
            }
        }
        Ok(tended)
    }

    /// Removes files that the index does not know. Answers how many.
    pub async fn sweep(&self) -> Result<usize> {
        let storage = self.clone();
        blocking(move || storage.contents().sweep(|ids| storage.index().known(ids))).await
    }

    async fn expire_objects(&self, bucket: &BucketName, rule: &LifecycleRule, before: i64) -> Result<usize> {
        let mut removed = 0;
        let mut after = String::new();
        loop {
            let found = look(self.index(), bucket, &rule.prefix, &after, before).await?;
            let Some(last) = found.last() else {
                return Ok(removed);
            };
            after.clone_from(&last.key);
            let over: Vec<Aged> = found
                .into_iter()
                .filter(|object| rule.is_for(object.size, &object.tags))
                .collect();
            if over.is_empty() {
                continue;
            }
            let bucket = bucket.clone();
            removed += self
                .index()
                .write(Vec::new(), move |change| {
                    let mut removed = 0;
                    for object in over {
                        let Some(key) = ObjectKey::parse(&object.key) else {
                            continue;
                        };
                        // One that was put in its place since then is not over.
                        match change.delete(&bucket, &key, &Condition::Same(object.etag, object.modified)) {
                            Ok(was_there) => removed += usize::from(was_there),
                            Err(StorageError::Precondition | StorageError::NoSuchKey) => {}
                            Err(why) => return Err(why),
                        }
                    }
                    Ok(removed)
                })
                .await?;
        }
    }

    async fn give_up_uploads(&self, bucket: &BucketName, rule: &LifecycleRule, before: i64) -> Result<usize> {
        let mut given_up = 0;
        let mut query = UploadQuery {
            prefix: rule.prefix.clone(),
            most: TOGETHER,
            ..UploadQuery::default()
        };
        loop {
            let (index, of_bucket, asked) = (self.index().clone(), bucket.clone(), query.clone());
            let list =
                blocking(move || index.read(|connection| uploads(connection, &of_bucket, &asked))).await?;
            let Some(last) = list.uploads.last() else {
                return Ok(given_up);
            };
            query.after_key = String::from_utf8_lossy(&last.key).into_owned();
            query.after_id.clone_from(&last.id);
            let over: Vec<_> = list
                .uploads
                .into_iter()
                .filter(|upload| upload.created < before)
                .collect();
            let bucket = bucket.clone();
            given_up += self
                .index()
                .write(Vec::new(), move |change| {
                    let mut given_up = 0;
                    for upload in over {
                        let name = String::from_utf8_lossy(&upload.key);
                        let Some(key) = ObjectKey::parse(&name) else {
                            continue;
                        };
                        match change.abort_upload(&bucket, &key, &upload.id) {
                            Ok(()) => given_up += 1,
                            Err(StorageError::NoSuchUpload) => {}
                            Err(why) => return Err(why),
                        }
                    }
                    Ok(given_up)
                })
                .await?;
        }
    }
}

async fn look(
    index: &Index,
    bucket: &BucketName,
    prefix: &str,
    after: &str,
    before: i64,
) -> Result<Vec<Aged>> {
    let (index, bucket) = (index.clone(), bucket.clone());
    let (prefix, after) = (prefix.to_owned(), after.to_owned());
    blocking(move || index.read(|connection| aged(connection, &bucket, &prefix, &after, before, TOGETHER)))
        .await
}

#[cfg(test)]
mod tests {
    use hostkit_core::secret::Secret;

    use super::*;
    use crate::storage::index::{Details, NewObject, Object, Tags, Upload, objects};
    use crate::storage::settings::{BucketSettings, KeyPair, Listen, Settings};
    use hostkit_core::storage::lifecycle::DAY;

    async fn storage(folder: &std::path::Path) -> Storage {
        let settings = Settings {
            folder: folder.to_owned(),
            listen: Listen::Socket(folder.join("s3.socket")),
            region: "local".to_owned(),
            hosts: Vec::new(),
            reserve: 0,
            keys: vec![KeyPair {
                access: "KEY".to_owned(),
                secret: Secret::new("0123456789abcdef"),
            }],
            operator: None,
            buckets: vec![BucketSettings {
                name: shop(),
                quota: None,
                public: Vec::new(),
            }],
        };
        let storage = Storage::open(settings).unwrap();
        storage.ensure_buckets().await.unwrap();
        storage
    }

    fn shop() -> BucketName {
        BucketName::parse("shop").unwrap()
    }

    async fn put(storage: &Storage, name: &str, day: i64, tags: &[(&str, &str)]) {
        let new = NewObject {
            bucket: shop(),
            key: ObjectKey::parse(name).unwrap(),
            object: Object {
                size: 0,
                modified: day * DAY,
                etag: "e".to_owned(),
                pieces: Vec::new(),
                details: Details::default(),
                tags: tags
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
            },
            quota: None,
        };
        let put = storage
            .index()
            .write(Vec::new(), move |change| change.put(&new, &Condition::None));
        put.await.unwrap();
    }

    async fn follow(storage: &Storage, rules: &[LifecycleRule]) {
        let text = serde_json::to_string(rules).unwrap();
        let set = storage.index().write(Vec::new(), move |change| {
            change.set_lifecycle(&shop(), Some(&text))
        });
        set.await.unwrap();
    }

    fn left(storage: &Storage) -> Vec<String> {
        let all = crate::storage::index::Query {
            most: 10_000,
            ..Default::default()
        };
        let found = storage
            .index()
            .read(|connection| objects(connection, &shop(), &all))
            .unwrap();
        found.objects.into_iter().map(|object| object.key).collect()
    }

    fn rule(prefix: &str, days: i32) -> LifecycleRule {
        LifecycleRule {
            is_enabled: true,
            prefix: prefix.to_owned(),
            days: Some(days),
            ..LifecycleRule::default()
        }
    }

    #[tokio::test]
    async fn what_is_over_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let storage = storage(folder.path()).await;
        for (name, day) in [("logs/old", 1), ("logs/new", 9), ("log", 1), ("tmp/a", 1)] {
            put(&storage, name, day, &[]).await;
        }
        put(&storage, "tmp/tagged", 1, &[("keep", "no")]).await;
        let tagged = LifecycleRule {
            tags: Tags::from([("keep".to_owned(), "no".to_owned())]),
            ..rule("tmp/", 1)
        };
        let off = LifecycleRule {
            is_enabled: false,
            ..rule("", 1)
        };
        follow(&storage, &[rule("logs/", 5), tagged, off]).await;
        assert_eq!(storage.expire(10 * DAY).await.unwrap().objects, 2);
        assert_eq!(left(&storage), ["log", "logs/new", "tmp/a"]);
        assert_eq!(storage.expire(10 * DAY).await.unwrap(), Tended::default());
    }

    #[tokio::test]
    async fn more_than_are_done_at_once_go_too() {
        let folder = tempfile::tempdir().unwrap();
        let storage = storage(folder.path()).await;
        for number in 0..=TOGETHER {
            put(
                &storage,
                &format!("{number:04}"),
                i64::from(number == 7) * 20,
                &[],
            )
            .await;
        }
        follow(&storage, &[rule("", 1)]).await;
        assert_eq!(storage.expire(10 * DAY).await.unwrap().objects, TOGETHER);
        assert_eq!(left(&storage), ["0007"]);
    }

    #[tokio::test]
    async fn uploads_that_nobody_completes_are_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let storage = storage(folder.path()).await;
        for (id, day) in [("old", 1), ("new", 9)] {
            let upload = Upload {
                id: id.to_owned(),
                key: b"a".to_vec(),
                created: day * DAY,
                details: Details::default(),
                tags: Tags::new(),
            };
            let begin = storage
                .index()
                .write(Vec::new(), move |change| change.begin_upload(&shop(), &upload));
            begin.await.unwrap();
        }
        let abort = LifecycleRule {
            days: None,
            abort_days: Some(3),
            ..rule("", 0)
        };
        follow(&storage, &[abort]).await;
        assert_eq!(storage.expire(10 * DAY).await.unwrap().uploads, 1);
        let all = UploadQuery {
            most: 10,
            ..UploadQuery::default()
        };
        let found = storage
            .index()
            .read(|connection| uploads(connection, &shop(), &all))
            .unwrap();
        assert_eq!(
            found
                .uploads
                .iter()
                .map(|upload| upload.id.as_str())
                .collect::<Vec<_>>(),
            ["new"]
        );
    }
}
