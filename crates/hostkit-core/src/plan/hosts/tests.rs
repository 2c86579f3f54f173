//! Names that are free, HostKit's, or somebody else's.

use super::*;
use crate::names::{EnvironmentName, ProjectName};

fn environment(project: &str, name: &str) -> EnvironmentId {
    EnvironmentId::new(
        ProjectName::parse(project).unwrap(),
        EnvironmentName::parse(name).unwrap(),
    )
}

fn hosts(names: &[&str]) -> Vec<HostName> {
    names.iter().map(|name| HostName::parse(name).unwrap()).collect()
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
        let refused = (HostName::parse(name).unwrap(), holder);
        assert_eq!(taken(&shop, &claimed, &base, others), [refused], "{name}");
    }
}
