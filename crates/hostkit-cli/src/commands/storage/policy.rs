//! `hostkit storage stats` and `policy`: through the API.

use hostkit_api::endpoints::{GetBucket, ListAddons, NoQuery, SetBucketPolicy};
use hostkit_core::addon::AddonKind;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::size::ByteSize;
use hostkit_core::storage::cors::{CorsRule, METHODS};
use hostkit_core::storage::lifecycle::LifecycleRule;
use hostkit_core::storage::{BucketPolicy, BucketReport};

use crate::args::PolicyChange;
use crate::output::Style;
use crate::session::Session;
use crate::stop::Stop;

/// How long pages may remember what they may, in seconds.
const REMEMBERED: i32 = 3600;

pub(super) async fn stats(session: &Session<'_>, environment: &EnvironmentId) -> Result<(), Stop> {
    let report = get(session, environment).await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&report);
    }
    let bytes = ByteSize(report.bytes);
    line(session, "bucket", &report.bucket)?;
    line(session, "objects", &report.objects.to_string())?;
    match report.outside {
        true => line(session, "bytes", &bytes.to_string()),
        false => line(session, "bytes", &format!("{bytes} of {}", quota(&report.policy))),
    }
}

pub(super) async fn run(
    session: &Session<'_>,
    environment: &EnvironmentId,
    change: PolicyChange,
) -> Result<(), Stop> {
    refuse_outside(session, environment).await?;
    let before = get(session, environment).await?;
    let policy = changed(before.policy.clone(), change);
    let report = if policy == before.policy {
        before
    } else {
        session
            .client()?
            .call::<SetBucketPolicy>(environment, &NoQuery {}, &policy)
            .await?
    };
    let printer = session.printer();
    match printer.wants_json() {
        true => printer.json(&report.policy),
        false => show(session, &report),
    }
}

/// What is so in a bucket that somebody else keeps is not told, and not set: before its objects are counted for nothing.
async fn refuse_outside(session: &Session<'_>, environment: &EnvironmentId) -> Result<(), Stop> {
    let client = session.client()?;
    let all = client.call::<ListAddons>(environment, &NoQuery {}, &()).await?;
    let is_outside = all
        .iter()
        .any(|addon| addon.kind == AddonKind::Storage && addon.settings.outside);
    match is_outside {
        true => Err(Failure::new(
            Kind::Conflict,
            format!("cannot show or set the policy of `{environment}`: its bucket is kept elsewhere"),
        )
        .hint("quota, public access, CORS and expiry are set there, by whoever keeps it")
        .into()),
        false => Ok(()),
    }
}

async fn get(session: &Session<'_>, environment: &EnvironmentId) -> Result<BucketReport, Stop> {
    session.is_about(environment);
    let client = session.client()?;
    Ok(client.call::<GetBucket>(environment, &NoQuery {}, &()).await?)
}

fn changed(mut policy: BucketPolicy, change: PolicyChange) -> BucketPolicy {
    policy.public.retain(|prefix| !change.private.contains(prefix));
    for prefix in change.public {
        if !policy.public.contains(&prefix) {
            policy.public.push(prefix);
        }
    }
    policy.quota = match change.no_quota {
        true => None,
        false => change.quota.or(policy.quota),
    };
    if change.no_cors {
        policy.rules.cors.clear();
    }
    if !change.cors.is_empty() {
        policy.rules.cors = vec![CorsRule {
            origins: change.cors,
            methods: METHODS.map(str::to_owned).to_vec(),
            headers: vec!["*".to_owned()],
            exposed: vec!["ETag".to_owned()],
            max_age: Some(REMEMBERED),
            ..CorsRule::default()
        }];
    }
    if change.no_expire {
        policy.rules.lifecycle.clear();
    }
    for (prefix, days) in change.expire {
        policy.rules.lifecycle.retain(|rule| rule.prefix != prefix);
        policy.rules.lifecycle.push(LifecycleRule {
            is_enabled: true,
            prefix,
            days: Some(days),
            has_filter: true,
            ..LifecycleRule::default()
        });
    }
    policy
}

fn show(session: &Session<'_>, report: &BucketReport) -> Result<(), Stop> {
    let policy = &report.policy;
    line(session, "quota", &quota(policy))?;
    if policy.public.is_empty() {
        line(session, "public", "nothing")?;
    }
    for prefix in &policy.public {
        line(session, "public", &format!("{}/{prefix}…", report.public_url))?;
    }
    for rule in &policy.rules.cors {
        let (origins, methods) = (rule.origins.join(", "), rule.methods.join(", "));
        line(session, "cors", &format!("{origins}: {methods}"))?;
    }
    for rule in &policy.rules.lifecycle {
        line(session, "expire", &said(rule))?;
    }
    Ok(())
}

fn said(rule: &LifecycleRule) -> String {
    let mut text = match rule.prefix.is_empty() {
        true => "everything".to_owned(),
        false => format!("{}…", rule.prefix),
    };
    if let Some(days) = rule.days {
        text.push_str(&format!(" after {days}d"));
    }
    if rule.date.is_some() {
        text.push_str(" at a date");
    }
    if let Some(days) = rule.abort_days {
        text.push_str(&format!(", uploads given up after {days}d"));
    }
    if !rule.tags.is_empty() || rule.larger_than.is_some() || rule.smaller_than.is_some() {
        text.push_str(", some of them (--json shows which)");
    }
    if !rule.is_enabled {
        text.push_str(" (off)");
    }
    text
}

fn quota(policy: &BucketPolicy) -> String {
    policy
        .quota
        .map_or_else(|| "what the disk has".to_owned(), |quota| quota.to_string())
}

fn line(session: &Session<'_>, name: &str, value: &str) -> Result<(), Stop> {
    let printer = session.printer();
    let name = printer.on_out(&format!("{name:<10}"), Style::Dim);
    printer.line(&format!("{name}{}", printer.foreign_on_out(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> PolicyChange {
        PolicyChange {
            public: Vec::new(),
            private: Vec::new(),
            quota: None,
            no_quota: false,
            cors: Vec::new(),
            no_cors: false,
            expire: Vec::new(),
            no_expire: false,
        }
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let change = PolicyChange {
            public: vec!["a/".into()],
            quota: Some(ByteSize::mib(1)),
            expire: vec![("tmp/".into(), 3)],
            cors: vec!["https://shop.example.com".into()],
            ..nothing()
        };
        let first = changed(BucketPolicy::default(), change);
        assert!(first.rules.check().is_ok());
        assert_eq!(changed(first.clone(), nothing()), first);
        let change = PolicyChange {
            private: vec!["a/".into()],
            public: vec!["b/".into()],
            no_cors: true,
            expire: vec![("tmp/".into(), 4)],
            ..nothing()
        };
        let second = changed(first, change);
        assert_eq!(
            (second.public, second.quota),
            (vec!["b/".to_owned()], Some(ByteSize::mib(1)))
        );
        assert_eq!((second.rules.cors.len(), second.rules.lifecycle.len()), (0, 1));
    }
}
