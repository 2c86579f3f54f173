//! The rules of a bucket: which pages of elsewhere may use it, and which objects expire.

use hostkit_core::storage::cors::CorsRule;
use hostkit_core::storage::lifecycle::LifecycleRule;
use hostkit_core::storage::{BucketRules, MOST_CORS, MOST_LIFECYCLE};
use s3s::dto::{
    AbortIncompleteMultipartUpload, CORSRule, DeleteBucketCorsInput, DeleteBucketCorsOutput,
    DeleteBucketLifecycleInput, DeleteBucketLifecycleOutput, ExpirationStatus, GetBucketCorsInput,
    GetBucketCorsOutput, GetBucketLifecycleConfigurationInput, GetBucketLifecycleConfigurationOutput,
    LifecycleExpiration, LifecycleRuleAndOperator, LifecycleRuleFilter, PutBucketCorsInput,
    PutBucketCorsOutput, PutBucketLifecycleConfigurationInput, PutBucketLifecycleConfigurationOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::{Storage, answer, answer_to, blocking, details, millis, tags, timestamp};
use crate::storage::error::{Result, StorageError};
use crate::storage::index::{cors, lifecycle};
use crate::storage::names::BucketName;

impl Storage {
    /// The rules for pages of elsewhere.
    pub(in crate::storage) async fn cors_rules(&self, bucket: &BucketName) -> Result<Vec<CorsRule>> {
        let (index, bucket) = (self.index.clone(), bucket.clone());
        let text = blocking(move || index.read(|connection| cors(connection, &bucket))).await?;
        rules(text)
    }

    /// The rules for objects that expire.
    pub(in crate::storage) async fn lifecycle_rules(
        &self,
        bucket: &BucketName,
    ) -> Result<Vec<LifecycleRule>> {
        let (index, bucket) = (self.index.clone(), bucket.clone());
        let text = blocking(move || index.read(|connection| lifecycle(connection, &bucket))).await?;
        rules(text)
    }

    /// Makes these the rules of a bucket, both kinds at once.
    pub(in crate::storage) async fn set_rules(&self, bucket: BucketName, rules: &BucketRules) -> Result<()> {
        let some = |text: String, is_empty: bool| (!is_empty).then_some(text);
        let cors = some(text(&rules.cors)?, rules.cors.is_empty());
        let lifecycle = some(text(&rules.lifecycle)?, rules.lifecycle.is_empty());
        self.index
            .write(Vec::new(), move |change| {
                change.set_cors(&bucket, cors.as_deref())?;
                change.set_lifecycle(&bucket, lifecycle.as_deref())
            })
            .await
    }

    pub(super) async fn cors(
        &self,
        asked: S3Request<GetBucketCorsInput>,
    ) -> S3Result<S3Response<GetBucketCorsOutput>> {
        let bucket = self.bucket(&asked.input.bucket)?.name;
        let rules = self.cors_rules(&bucket).await.map_err(answer)?;
        if rules.is_empty() {
            return Err(S3Error::new(S3ErrorCode::NoSuchCORSConfiguration));
        }
        Ok(S3Response::new(GetBucketCorsOutput {
            cors_rules: Some(rules.into_iter().map(said_cors).collect()),
        }))
    }

    pub(super) async fn set_cors(
        &self,
        asked: S3Request<PutBucketCorsInput>,
    ) -> S3Result<S3Response<PutBucketCorsOutput>> {
        let bucket = self.bucket(&asked.input.bucket)?.name;
        let said = asked.input.cors_configuration.cors_rules;
        if said.is_empty() || said.len() > MOST_CORS {
            return Err(answer_to(
                S3ErrorCode::MalformedXML,
                "A bucket has 1 to 100 CORS rules.",
            ));
        }
        let rules = said.into_iter().map(cors_rule).collect::<S3Result<Vec<_>>>()?;
        let text = text(&rules).map_err(answer)?;
        self.index
            .write(Vec::new(), move |change| change.set_cors(&bucket, Some(&text)))
            .await
            .map_err(answer)?;
        Ok(S3Response::new(PutBucketCorsOutput::default()))
    }

    pub(super) async fn delete_cors(
        &self,
        asked: S3Request<DeleteBucketCorsInput>,
    ) -> S3Result<S3Response<DeleteBucketCorsOutput>> {
        let bucket = self.bucket(&asked.input.bucket)?.name;
        self.index
            .write(Vec::new(), move |change| change.set_cors(&bucket, None))
            .await
            .map_err(answer)?;
        Ok(S3Response::new(DeleteBucketCorsOutput::default()))
    }

    pub(super) async fn lifecycle(
        &self,
        asked: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
        let bucket = self.bucket(&asked.input.bucket)?.name;
        let rules = self.lifecycle_rules(&bucket).await.map_err(answer)?;
        if rules.is_empty() {
            return Err(S3Error::new(S3ErrorCode::NoSuchLifecycleConfiguration));
        }
        Ok(S3Response::new(GetBucketLifecycleConfigurationOutput {
            rules: Some(rules.into_iter().map(said_lifecycle).collect()),
            ..GetBucketLifecycleConfigurationOutput::default()
        }))
    }

    pub(super) async fn set_lifecycle(
        &self,
        asked: S3Request<PutBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<PutBucketLifecycleConfigurationOutput>> {
        let bucket = self.bucket(&asked.input.bucket)?.name;
        let said = asked
            .input
            .lifecycle_configuration
            .map(|said| said.rules)
            .unwrap_or_default();
        if said.is_empty() || said.len() > MOST_LIFECYCLE {
            return Err(answer_to(
                S3ErrorCode::MalformedXML,
                "A bucket has 1 to 1000 life-cycle rules.",
            ));
        }
        let rules = said
            .into_iter()
            .map(lifecycle_rule)
            .collect::<S3Result<Vec<_>>>()?;
        let text = text(&rules).map_err(answer)?;
        self.index
            .write(Vec::new(), move |change| {
                change.set_lifecycle(&bucket, Some(&text))
            })
            .await
            .map_err(answer)?;
        Ok(S3Response::new(PutBucketLifecycleConfigurationOutput::default()))
    }

    pub(super) async fn delete_lifecycle(
        &self,
        asked: S3Request<DeleteBucketLifecycleInput>,
    ) -> S3Result<S3Response<DeleteBucketLifecycleOutput>> {
        let bucket = self.bucket(&asked.input.bucket)?.name;
        self.index
            .write(Vec::new(), move |change| change.set_lifecycle(&bucket, None))
            .await
            .map_err(answer)?;
        Ok(S3Response::new(DeleteBucketLifecycleOutput::default()))
    }
}

fn rules<T: serde::de::DeserializeOwned>(text: Option<String>) -> Result<Vec<T>> {
    let damaged = |_| StorageError::Damaged("the rules of a bucket");
    text.map_or(Ok(Vec::new()), |text| {
        serde_json::from_str(&text).map_err(damaged)
    })
}

fn text<T: serde::Serialize>(rules: &[T]) -> Result<String> {
    serde_json::to_string(rules).map_err(|_| StorageError::Damaged("the rules of a bucket"))
}

fn cors_rule(said: CORSRule) -> S3Result<CorsRule> {
    let rule = CorsRule {
        id: said.id,
        origins: said.allowed_origins,
        methods: said.allowed_methods,
        headers: said.allowed_headers.unwrap_or_default(),
        exposed: said.expose_headers.unwrap_or_default(),
        max_age: said.max_age_seconds,
    };
    match rule.fault() {
        Some(why) => Err(answer_to(S3ErrorCode::InvalidRequest, why)),
        None => Ok(rule),
    }
}

fn said_cors(rule: CorsRule) -> CORSRule {
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    CORSRule {
        id: rule.id,
        allowed_origins: rule.origins,
        allowed_methods: rule.methods,
        allowed_headers: some(rule.headers),
        expose_headers: some(rule.exposed),
        max_age_seconds: rule.max_age,
    }
}

fn lifecycle_rule(said: s3s::dto::LifecycleRule) -> S3Result<LifecycleRule> {
    let bad = |why: &'static str| answer_to(S3ErrorCode::InvalidRequest, why);
    let expiration = said.expiration.unwrap_or_default();
    details::refuse(&[
        ("other classes of storage", said.transitions.is_some()),
        (
            "versions",
            said.noncurrent_version_expiration.is_some()
                || said.noncurrent_version_transitions.is_some()
                || expiration.expired_object_delete_marker == Some(true),
        ),
    ])?;
    let mut rule = LifecycleRule {
        id: said.id,
        is_enabled: said.status.as_str() == ExpirationStatus::ENABLED,
        days: expiration.days,
        date: expiration.date.as_ref().map(millis),
        abort_days: said
            .abort_incomplete_multipart_upload
            .and_then(|abort| abort.days_after_initiation),
        prefix: said.prefix.clone().unwrap_or_default(),
        has_filter: said.filter.is_some(),
        ..LifecycleRule::default()
    };
    if let Some(filter) = said.filter {
        if said.prefix.is_some() {
            return Err(bad("A rule has a filter or a prefix."));
        }
        let and = filter.and.unwrap_or_default();
        rule.prefix = filter.prefix.or(and.prefix).unwrap_or_default();
        rule.larger_than = filter.object_size_greater_than.or(and.object_size_greater_than);
        rule.smaller_than = filter.object_size_less_than.or(and.object_size_less_than);
        rule.tags = tags::of_set(
            filter
                .tag
                .into_iter()
                .chain(and.tags.unwrap_or_default())
                .collect(),
        )?;
    }
    match rule.fault() {
        Some(why) => Err(bad(why)),
        None => Ok(rule),
    }
}

fn said_lifecycle(rule: LifecycleRule) -> s3s::dto::LifecycleRule {
    let conditions =
        rule.tags.len() + usize::from(rule.larger_than.is_some()) + usize::from(rule.smaller_than.is_some());
    let conditions = conditions + usize::from(!rule.prefix.is_empty());
    let mut set = tags::to_set(&rule.tags);
    let filter = match conditions {
        0 | 1 => LifecycleRuleFilter {
            prefix: (conditions == 0 || !rule.prefix.is_empty()).then(|| rule.prefix.clone()),
            tag: set.pop(),
            object_size_greater_than: rule.larger_than,
            object_size_less_than: rule.smaller_than,
            and: None,
        },
        _ => LifecycleRuleFilter {
            and: Some(LifecycleRuleAndOperator {
                prefix: (!rule.prefix.is_empty()).then(|| rule.prefix.clone()),
                tags: (!set.is_empty()).then_some(set),
                object_size_greater_than: rule.larger_than,
                object_size_less_than: rule.smaller_than,
            }),
            ..LifecycleRuleFilter::default()
        },
    };
    let status = if rule.is_enabled {
        ExpirationStatus::ENABLED
    } else {
        ExpirationStatus::DISABLED
    };
    s3s::dto::LifecycleRule {
        id: rule.id,
        status: ExpirationStatus::from_static(status),
        expiration: (rule.days.is_some() || rule.date.is_some()).then(|| LifecycleExpiration {
            days: rule.days,
            date: rule.date.map(timestamp),
            ..LifecycleExpiration::default()
        }),
        abort_incomplete_multipart_upload: rule.abort_days.map(|days| AbortIncompleteMultipartUpload {
            days_after_initiation: Some(days),
        }),
        prefix: (!rule.has_filter).then_some(rule.prefix),
        filter: rule.has_filter.then_some(filter),
        noncurrent_version_expiration: None,
        noncurrent_version_transitions: None,
        transitions: None,
    }
}
