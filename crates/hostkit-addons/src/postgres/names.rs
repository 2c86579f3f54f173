//! Names of databases and roles. They follow from what they belong to, so that they are found again without a record,
//! and no two projects or environments can share one:
//!
//! ```text
//! shop_db              the database of production, and the role that owns everything in it (it cannot log in)
//! shop_db.3            a role that programs log in as; 3 is the number of its credential
//! shop_tenant_a        a further database of production
//! my-app--staging_db   of another environment
//! ```
//!
//! A project's name has no underscore and no two hyphens in a row, an environment's neither: the first underscore ends
//! what names the environment.

use hostkit_core::database::DatabaseId;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::DatabaseLabel;
use hostkit_core::project::EnvironmentId;
use ring::digest::{SHA256, digest};

/// PostgreSQL cuts longer names off (63 bytes); this leaves room for what is put behind.
const LONGEST: usize = 48;
/// The label of the database that every environment with PostgreSQL has.
const MAIN: &str = "db";

/// The name of a database of an environment. The role that owns a main database has its name, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseName(String);

impl DatabaseName {
    /// The database that every environment with PostgreSQL has: `shop_db`.
    pub fn main(environment: &EnvironmentId) -> Self {
        Self::compose(environment, MAIN)
    }

    /// A database by the label that the user gave it. One that would have too long a name is refused: cut off, nobody could
    /// tell its label again.
    pub fn of(id: &DatabaseId) -> Result<Self, Failure> {
        let whole = format!("{}_{}", whose(&id.environment), id.label);
        if id.label.is_main() || whole.len() <= LONGEST {
            return Ok(Self::compose(&id.environment, id.label.as_str()));
        }
        Err(Failure::new(
            Kind::Invalid,
            format!(
                "cannot name a database `{}`: on the server it would be called `{whole}`, which is too long",
                id.label
            ),
        )
        .hint(format!(
            "all of it may have {LONGEST} characters: choose a shorter name"
        )))
    }

    /// The label of a database of an environment; none where it is another's, or not one of the user's.
    pub fn label_of(environment: &EnvironmentId, name: &str) -> Option<DatabaseLabel> {
        if Self::main(environment).as_str() == name {
            return Some(DatabaseLabel::main());
        }
        let label = name.strip_prefix(&whose(environment))?.strip_prefix('_')?;
        DatabaseLabel::parse(label).ok()
    }

    fn compose(environment: &EnvironmentId, label: &str) -> Self {
        let whole = format!("{}_{label}", whose(environment));
        if whole.len() <= LONGEST {
            return DatabaseName(whole);
        }
        // A long one keeps what a person needs to recognise it; the dot, which no other name has in front of letters,
        // and the hash of the whole keep it apart.
        let hash: String = digest(&SHA256, whole.as_bytes()).as_ref()[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        DatabaseName(format!("{}.x{hash}", &whole[..LONGEST - 14]))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The role that programs log in as with the credential of this number.
    pub fn login(&self, number: u32) -> String {
        format!("{}.{number}", self.0)
    }

    /// A database that takes this one's place in a moment, or that is in the way until it is removed.
    pub(crate) fn beside(&self, what: &str) -> String {
        format!("{}.{what}", self.0)
    }

    /// The number of a login of this database's owner; none where the name is another's.
    pub(crate) fn number_of(&self, login: &str) -> Option<u32> {
        let number = login.strip_prefix(&self.0)?.strip_prefix('.')?;
        let canonical = number.parse().ok()?;
        (self.login(canonical) == login).then_some(canonical)
    }
}

/// What the names of all databases of an environment begin with.
fn whose(environment: &EnvironmentId) -> String {
    match environment.environment.is_production() {
        true => environment.project.to_string(),
        false => format!("{}--{}", environment.project, environment.environment),
    }
}

impl std::fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn environment(project: &str, environment: &str) -> EnvironmentId {
        EnvironmentId::new(project.parse().unwrap(), environment.parse().unwrap())
    }

    #[test]
    fn names_say_whose_they_are() {
        let shop = environment("shop", "production");
        assert_eq!(DatabaseName::main(&shop).as_str(), "shop_db");
        assert_eq!(DatabaseName::main(&shop).login(3), "shop_db.3");
        let label = DatabaseLabel::parse("tenant_a").unwrap();
        let tenant = DatabaseName::of(&DatabaseId::new(shop.clone(), label.clone())).unwrap();
        assert_eq!(tenant.as_str(), "shop_tenant_a");
        assert_eq!(DatabaseName::label_of(&shop, "shop_tenant_a"), Some(label));
        assert_eq!(
            DatabaseName::label_of(&shop, "shop_db"),
            Some(DatabaseLabel::main())
        );
        for other in [
            "shop_tenant_a.new",
            "shop--staging_db",
            "shop-x_db",
            "shop",
            "shop_",
            "other_db",
        ] {
            assert_eq!(DatabaseName::label_of(&shop, other), None, "{other}");
        }
        let staging = environment("my-app", "staging");
        assert_eq!(DatabaseName::main(&staging).as_str(), "my-app--staging_db");
    }

    #[test]
    fn no_two_have_the_same_name() {
        let long = [
            "a".repeat(32),
            format!("{}b", "a".repeat(31)),
            "shop".into(),
            "shop-x".into(),
        ];
        let environments = ["production", "x", "db", "x-db", &"e".repeat(28)];
        let labels = ["db", "x_db", "x", "tenant_a", "abcdefghijklmnopqrstuvwx"];
        let mut seen = BTreeMap::new();
        for project in &long {
            for name in environments {
                for label in labels {
                    let id = environment(project, name);
                    let database = DatabaseName::compose(&id, label);
                    assert!(database.as_str().len() <= LONGEST);
                    // Names of HostKit's own begin so, and no project can be called so.
                    assert!(!database.as_str().starts_with("hostkit_"));
                    assert!(database.login(u32::MAX).len() <= 63);
                    let before = seen.insert(database.clone(), (project, name, label));
                    assert_eq!(before, None, "{database}");
                    for other in seen.keys() {
                        assert_eq!(
                            other.number_of(&database.login(7)),
                            (*other == database).then_some(7)
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_name_that_would_be_cut_off_is_refused_but_for_the_main_one() {
        let long = environment(&"a".repeat(32), "staging");
        let of = |label: &str| DatabaseName::of(&DatabaseId::new(long.clone(), label.parse().unwrap()));
        let refused = of("tenant_a").unwrap_err();
        assert_eq!(refused.kind, Kind::Invalid);
        assert!(refused.message.contains("too long"), "{refused}");
        let main = DatabaseName::main(&environment(&"a".repeat(32), &"e".repeat(28)));
        assert_eq!(
            DatabaseName::label_of(&environment(&"a".repeat(32), &"e".repeat(28)), main.as_str()),
            Some(DatabaseLabel::main())
        );
        assert_eq!(of("db").unwrap().as_str().len(), 44);
    }

    #[test]
    fn only_a_login_of_its_own_has_a_number() {
        let name = DatabaseName::main(&environment("shop", "production"));
        for other in [
            "shop_db",
            "shop_db.",
            "shop_db.x",
            "shop_db.01",
            "shop_db.+1",
            "shop_db.1.1",
            "shop_dbx.1",
        ] {
            assert_eq!(name.number_of(other), None, "{other}");
        }
    }
}
