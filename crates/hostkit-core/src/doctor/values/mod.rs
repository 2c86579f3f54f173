//! What variables of an environment should not say: secrets that are guessed, addresses that only a developer's
//! machine has, keys of a test account, debugging left on. Looks at values and repeats none of them.

mod authority;
mod production;
mod secrets;

use std::collections::BTreeMap;

use super::project::Observed;
use super::{Finding, options};
use crate::manifest::Manifest;
use authority::Authority;

/// Every rule. Without a live release what the builder would set is not known, and not asked for.
pub(super) fn check(observed: &Observed<'_>, manifest: &Manifest) -> Vec<Finding> {
    let values = Values::of(observed, manifest);
    let options = options(observed.environment);
    let mut findings = secrets::secrets(&values);
    findings.extend(secrets::webhooks(&values));
    findings.extend(databases(&values));
    if observed.environment.environment.is_production() {
        findings.extend(production::addresses(&values, observed.base_host.as_str()));
        findings.extend(production::test_keys(&values));
        findings.extend(production::debugging(&values));
        findings.extend(production::node(&values, observed));
    }
    for finding in &mut findings {
        finding.hint = finding.hint.take().map(|hint| hint.replace("{}", &options));
    }
    findings
}

/// What the programs find, by name.
struct Values<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Values<'a> {
    fn of(observed: &'a Observed<'_>, manifest: &'a Manifest) -> Self {
        let defaults = manifest.defaults.iter();
        let mut values: BTreeMap<&str, &str> = defaults
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        if let Some(release) = observed.live {
            for process in release.processes.values() {
                let of_builder = process.program.variables.iter();
                values.extend(of_builder.map(|(name, value)| (name.as_str(), value.as_str())));
            }
        }
        let set = observed.variables.iter();
        values.extend(set.map(|(name, value)| (name.as_str(), value.reveal())));
        Values(values)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied().filter(|value| !value.is_empty())
    }

    fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        let all = self.0.iter().map(|(name, value)| (*name, *value));
        all.filter(|(_, value)| !value.is_empty())
    }
}

/// Whether a variable is named like something that nobody else should know.
pub(super) fn is_secret(name: &str) -> bool {
    secrets::is_one(name)
}

fn ends_with(name: &str, ends: &[&str]) -> bool {
    ends.iter().any(|end| {
        name.strip_suffix(end)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
    })
}

/// Supabase and its like offer two ports: one that shares connections, for programs, and one for migrations.
fn databases(values: &Values<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let authority = |name: &str| values.get(name).and_then(Authority::of);
    if let Some(found) = authority("DATABASE_URL")
        && found.is_below("supabase.com", "supabase.co")
        && found.port != Some(6543)
    {
        findings.push(
            Finding::warning(
                "database",
                "`DATABASE_URL` does not go through the pool (port 6543 at Supabase)",
            )
            .hint("`hostkit env set DATABASE_URL - --apply {}` takes the pooled address from its input"),
        );
    }
    if let Some(found) = authority("DIRECT_URL")
        && found.port == Some(6543)
    {
        findings.push(
            Finding::warning("database", "`DIRECT_URL` goes through the pool, which migrations cannot use")
                .hint("`hostkit env set DIRECT_URL - --apply {}` takes the direct address (port 5432) from its input"),
        );
    }
    findings
}
