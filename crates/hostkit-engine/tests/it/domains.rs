//! Domains: added and taken away while everything runs, and checked.

use hostkit_core::certificate::BroughtCertificate;
use hostkit_core::deployment::{Act, DeploymentState};
use hostkit_core::domain::{DnsState, DomainName, DomainSource};
use hostkit_core::event::What;
use hostkit_core::kind::Kind;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::traits::CertificateBook;
use hostkit_engine::Engine;
use hostkit_store::EventQuery;
use hostkit_testkit::fakes::Faults;

use crate::bench::{World, shop, succeeds, until};

const NAME: &str = "www.example.com";

fn host(name: &str) -> DomainName {
    name.parse().unwrap()
}

/// The environments to which a name leads.
fn holders(world: &World, name: &str) -> Vec<EnvironmentId> {
    let routes = world.traffic.table().routes.into_iter();
    routes
        .filter(|route| route.is_for(&name.parse().unwrap()) && route.path_prefix == "/")
        .filter_map(|route| route.environment)
        .collect()
}

async fn project(engine: &Engine, name: &str) -> EnvironmentId {
    let id = EnvironmentId::new(name.parse().unwrap(), shop().environment);
    engine.create_project(&id.project).await.unwrap();
    id
}

fn sources(engine: &Engine, id: &EnvironmentId) -> Vec<(String, DomainSource)> {
    let domains = engine.domains(id).unwrap().into_iter();
    domains.map(|d| (d.host.to_string(), d.source)).collect()
}

#[tokio::test]
async fn a_domain_is_live_when_it_was_added_and_gone_when_it_was_removed() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    let (domain, is_new) = engine
        .add_domain(&shop(), "WWW.Example.com.", "ci")
        .await
        .unwrap();
    assert_eq!((domain.host, is_new), (host(NAME), true));
    assert_eq!(domain.added_by.as_deref(), Some("ci"));
    assert_eq!(holders(&world, NAME), [shop()]);
    let (again, is_new) = engine.add_domain(&shop(), NAME, "somebody").await.unwrap();
    assert_eq!((again.added_by.as_deref(), is_new), (Some("ci"), false));
    // It stays through releases and restarts of control.
    succeeds(&engine, world.deploy(&[("a", "2")])).await;
    assert_eq!(holders(&world, NAME), [shop()]);
    engine.stop().await;
    let engine = world.engine().await;
    assert_eq!(
        sources(&engine, &shop()),
        [
            ("shop.localhost".to_owned(), DomainSource::Default),
            (NAME.to_owned(), DomainSource::Added)
        ]
    );
    engine.remove_domain(&shop(), &host(NAME), "ci").await.unwrap();
    assert_eq!(holders(&world, NAME), []);
    let gone = engine
        .remove_domain(&shop(), &host(NAME), "ci")
        .await
        .unwrap_err();
    assert_eq!(gone.kind, Kind::NotFound, "{gone}");
    let told = world.store.events(&EventQuery::default()).unwrap();
    let of_domains = told
        .iter()
        .filter(|event| matches!(event.what, What::DomainAdded { .. } | What::DomainRemoved { .. }));
    assert_eq!(of_domains.count(), 2);
}

#[tokio::test]
async fn a_front_door_that_was_away_gets_the_domain_when_it_is_back() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    world.traffic.faults.fail_next("apply", Faults::broken("apply"));
    engine.add_domain(&shop(), NAME, "ci").await.unwrap();
    until("the table", || holders(&world, NAME) == [shop()]).await;
}

#[tokio::test]
async fn what_somebody_else_has_is_not_added() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    let other = project(&engine, "other").await;
    let manifest = ("hostkit.toml", "hosts = [\"shop.example.com\"]");
    succeeds(&engine, world.deploy(&[manifest])).await;
    engine.add_domain(&shop(), NAME, "ci").await.unwrap();
    for (name, kind, why) in [
        (NAME, Kind::Conflict, "taken by another project"),
        ("shop.example.com", Kind::Conflict, "taken by another project"),
        ("shop.localhost", Kind::Conflict, "taken by another project"),
        ("hostkit.localhost", Kind::Conflict, "HostKit's own"),
        ("localhost", Kind::Invalid, "needs a dot"),
        ("127.0.0.1", Kind::Invalid, "ends with a number"),
        ("*.com", Kind::Invalid, "needs a dot"),
        ("*.localhost", Kind::Invalid, "needs a dot"),
        (
            "*.example.com",
            Kind::Conflict,
            "over a name that another project has",
        ),
        ("a.example/../b", Kind::Invalid, "not a valid host name"),
    ] {
        let refused = engine.add_domain(&other, name, "ci").await.unwrap_err();
        assert_eq!(refused.kind, kind, "{refused}");
        assert!(refused.message.contains(why), "{refused}");
    }
    assert_eq!(
        sources(&engine, &other),
        [("other.localhost".to_owned(), DomainSource::Default)]
    );
    // Nor does a deployment take one that was added, be it to another project or another environment.
    let claim = format!("hosts = [{NAME:?}]");
    let source = world.sources.add(&other.project, &[("hostkit.toml", &claim)]);
    let deployment = engine
        .submit(&other, Act::Deploy { source, canary: None }, "test")
        .await
        .unwrap();
    let ended = engine.wait(deployment.id).await.unwrap();
    assert_eq!(ended.state, DeploymentState::Failed);
    assert!(
        ended
            .failure
            .unwrap()
            .message
            .contains("taken by another project")
    );
    assert_eq!(holders(&world, NAME), [shop()]);
    // Its own release may claim it, too; then it stays when the release gives it up.
    succeeds(&engine, world.deploy(&[("hostkit.toml", &claim)])).await;
    assert_eq!(holders(&world, NAME), [shop()]);
    assert_eq!(
        sources(&engine, &shop())[1],
        (NAME.to_owned(), DomainSource::Added)
    );
    // A project that is deleted gives its names up.
    engine.delete_project(&shop().project).await.unwrap();
    engine.add_domain(&other, NAME, "ci").await.unwrap();
    assert_eq!(holders(&world, NAME), [other]);
}

#[tokio::test]
async fn a_wildcard_is_answered_below_what_is_named_and_nobody_else_gets_a_part_of_it() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    let other = project(&engine, "other").await;
    let (domain, is_new) = engine.add_domain(&shop(), "*.Example.org", "ci").await.unwrap();
    assert_eq!(
        (domain.host.to_string().as_str(), is_new),
        ("*.example.org", true)
    );
    assert_eq!(holders(&world, "anything.example.org"), [shop()]);
    assert_eq!(holders(&world, "example.org"), []);
    for (name, why) in [
        ("www.example.org", "below a wildcard that another project has"),
        ("*.example.org", "taken by another project"),
    ] {
        let refused = engine.add_domain(&other, name, "ci").await.unwrap_err();
        assert_eq!(refused.kind, Kind::Conflict);
        assert!(refused.message.contains(why), "{refused}");
    }
    engine.add_domain(&other, "example.org", "ci").await.unwrap();
    engine.add_domain(&other, "a.b.example.org", "ci").await.unwrap();
    engine.add_domain(&shop(), "www.example.org", "ci").await.unwrap();
    // Nor by a deployment.
    let claim = ("hostkit.toml", "hosts = [\"mail.example.org\"]");
    let source = world.sources.add(&other.project, &[claim]);
    let act = Act::Deploy { source, canary: None };
    let deployment = engine.submit(&other, act, "test").await.unwrap();
    let ended = engine.wait(deployment.id).await.unwrap();
    let message = ended.failure.unwrap().message;
    assert!(message.contains("below a wildcard"), "{message}");

    // A name that is made up for it is asked for, and leaves nothing behind.
    let report = engine
        .check_domain(&shop(), &host("*.example.org"))
        .await
        .unwrap();
    assert_eq!((report.dns, report.ok), (DnsState::Missing, false));
    assert_eq!(report.set[0].name.to_string(), "*.example.org");
    for number in 0..20 {
        world
            .internet
            .set(&format!("word-{number}-of-this-test.example.org"), &["9.9.9.9"]);
    }
    let report = engine
        .check_domain(&shop(), &host("*.example.org"))
        .await
        .unwrap();
    assert!(report.ok, "{report:?}");
    assert_eq!(report.domain.to_string(), "*.example.org");
    let table = world.traffic.table();
    assert!(table.routes.iter().all(|route| route.path_prefix == "/"));

    engine
        .remove_domain(&shop(), &host("*.example.org"), "ci")
        .await
        .unwrap();
    assert_eq!(holders(&world, "anything.example.org"), []);
    assert_eq!(holders(&world, "www.example.org"), [shop()]);
    engine
        .add_domain(&other, "anything.example.org", "ci")
        .await
        .unwrap();
    let refused = engine
        .add_domain(&shop(), "*.example.org", "ci")
        .await
        .unwrap_err();
    assert!(
        refused.message.contains("over a name that another project has"),
        "{refused}"
    );
}

#[tokio::test]
async fn names_of_the_manifest_are_shown_and_not_removed() {
    let world = World::new();
    let engine = world.with_shop().await;
    let manifest = ("hostkit.toml", "hosts = [\"www.example.com\"]");
    succeeds(&engine, world.deploy(&[manifest])).await;
    assert_eq!(
        sources(&engine, &shop())[1],
        (NAME.to_owned(), DomainSource::Manifest)
    );
    for (name, why) in [(NAME, "comes from `hosts`"), ("shop.localhost", "always has")] {
        let refused = engine
            .remove_domain(&shop(), &host(name), "ci")
            .await
            .unwrap_err();
        assert_eq!(refused.kind, Kind::Conflict);
        assert!(refused.message.contains(why), "{refused}");
    }
    // Added as well it no longer goes with the release.
    let (_, is_new) = engine.add_domain(&shop(), NAME, "ci").await.unwrap();
    assert!(is_new);
    succeeds(&engine, world.deploy(&[("a", "2")])).await;
    assert_eq!(holders(&world, NAME), [shop()]);
}

#[tokio::test]
async fn a_check_says_what_the_dns_should_say_and_proves_who_answers() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    let unknown = engine.check_domain(&shop(), &host(NAME)).await.unwrap_err();
    assert_eq!(unknown.kind, Kind::NotFound);
    engine.add_domain(&shop(), NAME, "ci").await.unwrap();
    let name = host(NAME);
    let id = shop();
    let check = || engine.check_domain(&id, &name);
    let missing = check().await.unwrap();
    assert_eq!((missing.dns, missing.ok), (DnsState::Missing, false));
    assert_eq!(missing.set[0].value.to_string(), "9.9.9.9");
    for (addresses, dns, problems) in [
        (&["9.9.9.9"][..], DnsState::Here, &[][..]),
        (
            &["8.8.8.8"],
            DnsState::Elsewhere,
            &["another server than this one answers at 8.8.8.8"],
        ),
        (
            &["9.9.9.9", "8.8.8.8"],
            DnsState::Partly,
            &["another server than this one answers at 8.8.8.8"],
        ),
        (
            &["169.254.169.254"],
            DnsState::Elsewhere,
            &["169.254.169.254 is not this machine's, and no address of the internet: it was not asked"],
        ),
    ] {
        world.internet.set(NAME, addresses);
        let report = check().await.unwrap();
        assert_eq!(report.dns, dns);
        assert_eq!(report.problems, problems);
        assert_eq!(report.ok, problems.is_empty());
    }
    assert!(
        !world
            .internet
            .asked()
            .contains(&"169.254.169.254".parse().unwrap())
    );
    // Somebody between who hands everything on is fine as well.
    world.internet.set(NAME, &["8.8.8.8"]);
    world.internet.leads_here("8.8.8.8".parse().unwrap());
    assert!(check().await.unwrap().ok);
    world
        .internet
        .faults
        .fail_next("resolve", Faults::broken("resolve"));
    assert_eq!(check().await.unwrap().dns, DnsState::Unknown);
    // Nothing of a check is left in the table, and what a visitor got was never another one's.
    let table = world.traffic.table();
    assert!(table.routes.iter().all(|route| route.path_prefix == "/"));
    assert_eq!(holders(&world, NAME), [shop()]);
}

/// Whoever has the name next is not shown under the key of whoever had it before.
#[tokio::test]
async fn what_was_brought_for_a_domain_goes_with_it() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    let bring = async |names: &str| {
        let brought = BroughtCertificate {
            chain: names.into(),
            key: Secret::new("key"),
            only: None,
        };
        world.certificates.import(&brought).await.unwrap();
    };
    let left = async || {
        let all = world.certificates.certificates().await.unwrap().into_iter();
        all.map(|one| one.name.to_string()).collect::<Vec<_>>()
    };
    engine.add_domain(&shop(), NAME, "ci").await.unwrap();
    engine
        .add_domain(&shop(), "shop.example.com", "ci")
        .await
        .unwrap();
    bring("www.example.com\nshop.example.com\n*.example.com\nother.example.org").await;
    engine.remove_domain(&shop(), &host(NAME), "ci").await.unwrap();
    assert_eq!(
        left().await,
        ["shop.example.com", "*.example.com", "other.example.org"]
    );
    // One that cannot be removed keeps nobody from giving up a name.
    world
        .certificates
        .faults
        .fail_always("remove", Faults::broken("the front door"));
    engine.delete_project(&shop().project).await.unwrap();
    assert_eq!(
        left().await.len(),
        3,
        "it was said, and is left for whoever looks after it"
    );
}

#[tokio::test]
async fn what_was_brought_for_a_project_goes_with_it() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    engine.add_domain(&shop(), NAME, "ci").await.unwrap();
    let brought = BroughtCertificate {
        chain: format!("{NAME}\nother.example.org"),
        key: Secret::new("key"),
        only: None,
    };
    world.certificates.import(&brought).await.unwrap();
    engine.delete_project(&shop().project).await.unwrap();
    let left = world.certificates.certificates().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].name.to_string(), "other.example.org");
}
