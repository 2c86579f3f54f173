//! Names that are free, HostKit's, or somebody else's.

use super::*;
use crate::names::{EnvironmentName, ProjectName};

fn environment(project: &str, name: &str) -> EnvironmentId {
    EnvironmentId::new(
        ProjectName::parse(project).unwrap(),
        EnvironmentName::parse(name).unwrap(),
    )
}

fn hosts(names: &[&str]) -> Vec<DomainName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn what_somebody_has_nobody_else_gets() {
    let (shop, staging) = (environment("shop", "production"), environment("shop", "staging"));
    let (zoo, own, of_zoo) = (
        environment("zoo", "production"),
        hosts(&["shop.example.com"]),
        hosts(&["zoo.example.com"]),
    );
    let others = [
        (&shop, own.as_slice()),
        (&staging, [].as_slice()),
        (&zoo, of_zoo.as_slice()),
    ];
    let base = HostName::parse("localhost").unwrap();
    let free = hosts(&[
        "shop.localhost",
        "shop.example.com",
        "new.example.com",
        "api.localhost",
    ]);
    assert_eq!(taken(&shop, &free, &base, others), []);
    for (name, holder) in [
        ("localhost", Holder::Hostkit),
        ("hostkit.localhost", Holder::Hostkit),
        ("127.0.0.1", Holder::Hostkit),
        ("127.9.9.9", Holder::Hostkit),
        ("zoo.localhost", Holder::AnotherProject),
        ("zoo.example.com", Holder::AnotherProject),
        ("shop--staging.localhost", Holder::SameProject),
    ] {
        let claimed = hosts(&["new.example.com", name, name]);
        let refused = (name.parse().unwrap(), holder);
        assert_eq!(taken(&shop, &claimed, &base, others), [refused], "{name}");
    }
}

#[test]
fn nobody_gets_a_name_inside_a_wildcard_of_somebody_else_or_a_wildcard_over_it() {
    let (shop, staging) = (environment("shop", "production"), environment("shop", "staging"));
    let zoo = environment("zoo", "production");
    let (of_shop, of_zoo) = (hosts(&["*.shop.example.com"]), hosts(&["a.zoo.example.com"]));
    let others = [
        (&shop, of_shop.as_slice()),
        (&staging, [].as_slice()),
        (&zoo, of_zoo.as_slice()),
    ];
    let base = HostName::parse("apps.example.com").unwrap();
    let of = |id: &EnvironmentId, name: &str| {
        let taken = taken(id, &hosts(&[name]), &base, others);
        taken.first().map(|(_, holder)| *holder)
    };
    for (id, name, holder) in [
        (&zoo, "x.shop.example.com", Some(Holder::WildcardOfAnother)),
        (&zoo, "*.shop.example.com", Some(Holder::AnotherProject)),
        (&shop, "*.zoo.example.com", Some(Holder::NamesOfAnother)),
        (&staging, "*.shop.example.com", Some(Holder::SameProject)),
        // One owner may have both, in whatever environment.
        (&staging, "x.shop.example.com", None),
        (&shop, "x.shop.example.com", None),
        (&zoo, "*.zoo.example.com", None),
        // A star is one label: neither the name itself nor what lies deeper.
        (&zoo, "shop.example.com", None),
        (&zoo, "a.b.shop.example.com", None),
        (&zoo, "*.b.shop.example.com", None),
        // Every project's own name, the way to the API, and what all of them lie below.
        (&shop, "*.apps.example.com", Some(Holder::Hostkit)),
        (&shop, "*.example.com", Some(Holder::Hostkit)),
    ] {
        assert_eq!(of(id, name), holder, "{id} {name}");
    }
}
