//! The route table for each state an environment can be in.

use super::*;
use crate::manifest::{Command, Manifest, ProcessRule};
use crate::names::{EnvironmentName, ProjectName, RelativePath, ReleaseName};
use crate::release::{Artifact, FrozenProcess, Program, StaticFiles};
use crate::source::ContentHash;

fn host(text: &str) -> HostName {
    HostName::parse(text).unwrap()
}

fn process(text: &str) -> ProcessName {
    ProcessName::parse(text).unwrap()
}

fn environment(text: &str) -> EnvironmentId {
    let (project, environment) = text.split_once('/').unwrap();
    EnvironmentId::new(
        ProjectName::parse(project).unwrap(),
        EnvironmentName::parse(environment).unwrap(),
    )
}

fn release(id: &str, processes: &[(&str, Reach)], files: Option<&str>, hosts: &[&str]) -> Release {
    let frozen = |name: &str, reach: Reach| FrozenProcess {
        rule: ProcessRule {
            reach,
            ..ProcessRule::named(&process(name))
        },
        program: Program {
            command: Command::Line("run".into()),
            directory: RelativePath::root(),
            path: Vec::new(),
            variables: BTreeMap::new(),
        },
    };
    Release {
        environment: environment(id),
        name: ReleaseName::parse("20250215-120000").unwrap(),
        source: ContentHash::parse(&"0".repeat(64)).unwrap(),
        artifact: Artifact {
            builder: "node".into(),
            files: files.map(|root| StaticFiles {
                root: RelativePath::parse(root).unwrap(),
                single_page: true,
            }),
            programs: BTreeMap::new(),
            assumed: Vec::new(),
        },
        manifest: Manifest {
            hosts: hosts.iter().map(|name| name.parse().unwrap()).collect(),
            ..Manifest::default()
        },
        processes: processes
            .iter()
            .map(|(name, reach)| (process(name), frozen(name, *reach)))
            .collect(),
        created_at: jiff::Timestamp::UNIX_EPOCH,
        bytes: 1,
    }
}

fn backend(name: &str, port: u16) -> Backend {
    Backend {
        id: BackendId(name.into()),
        address: ([127, 0, 0, 1], port).into(),
    }
}

fn routed<'a>(id: &str, release: Option<&'a Release>, ports: &[(&str, u16)]) -> RoutedEnvironment<'a> {
    RoutedEnvironment {
        id: environment(id),
        live: release.map(|release| LiveRelease {
            release,
            folder: PathBuf::from("/data/releases/r"),
            earlier: vec![PathBuf::from("/data/releases/q/out")],
            backends: release
                .processes
                .keys()
                .zip(20000..)
                .map(|(name, port)| (name.clone(), vec![backend(name.as_str(), port)]))
                .collect(),
            basic_auth: None,
        }),
        canary: None,
        stopped: false,
        extra_hosts: Vec::new(),
        ports: ports.iter().map(|(name, port)| (process(name), *port)).collect(),
        storage: None,
    }
}

fn plan(environments: &[RoutedEnvironment<'_>]) -> PlannedTable {
    table(7, &host("localhost"), None, environments)
}

fn hosts(route: &Route) -> Vec<&str> {
    route.hosts.iter().map(|h| h.as_str()).collect()
}

#[test]
fn the_api_has_a_name_of_its_own() {
    let planned = table(7, &host("localhost"), Some(([127, 0, 0, 1], 9000).into()), &[]);
    assert_eq!(planned.table.version, 7);
    let [route] = &planned.table.routes[..] else {
        panic!()
    };
    assert_eq!(
        (route.id.as_str(), hosts(route)),
        ("hostkit", vec!["hostkit.localhost"])
    );
    assert_eq!(route.environment, None);
    assert_eq!(plan(&[]).table.routes, []);
}

#[test]
fn processes_are_routed_by_who_may_reach_them() {
    let release = release(
        "shop/production",
        &[
            ("web", Reach::Public),
            ("ml", Reach::Internal),
            ("worker", Reach::Unreachable),
        ],
        None,
        &["shop.example.com", "shop.localhost"],
    );
    let mut wanted = routed(
        "shop/production",
        Some(&release),
        &[("web", 8001), ("ml", 8002), ("worker", 8003)],
    );
    wanted.extra_hosts = vec![
        host("www.example.com").into(),
        "*.shop.example.com".parse().unwrap(),
    ];
    let planned = plan(&[wanted]);
    assert_eq!(planned.conflicts, []);
    let [web, ml] = &planned.table.routes[..] else {
        panic!("{planned:#?}")
    };
    assert_eq!(web.id, "shop/production/web");
    assert_eq!(
        hosts(web),
        ["shop.localhost", "www.example.com", "shop.example.com"]
    );
    assert_eq!(web.wildcards, [host("shop.example.com")]);
    assert_eq!((&web.ports[..], web.path_prefix.as_str()), (&[8001][..], "/"));
    assert_eq!(
        web.target,
        Target::Instances {
            backends: vec![backend("web", 20001)]
        }
    );
    assert_eq!(web.release.as_ref(), Some(&release.name));
    assert_eq!(
        (ml.id.as_str(), hosts(ml), &ml.ports[..]),
        ("shop/production/ml", vec![], &[8002][..])
    );
    assert_eq!(
        ml.target,
        Target::Instances {
            backends: vec![backend("ml", 20000)]
        }
    );
}

#[test]
fn hosts_of_the_manifest_are_those_of_production() {
    let release = release(
        "shop/staging",
        &[("web", Reach::Public)],
        None,
        &["shop.example.com"],
    );
    let planned = plan(&[routed("shop/staging", Some(&release), &[])]);
    assert_eq!(hosts(&planned.table.routes[0]), ["shop--staging.localhost"]);
}

#[test]
fn every_state_has_its_target() {
    let public = release(
        "shop/production",
        &[("site", Reach::Public), ("ml", Reach::Internal)],
        None,
        &[],
    );
    let files = release(
        "shop/production",
        &[("worker", Reach::Unreachable)],
        Some("dist"),
        &[],
    );
    let hidden = release("shop/production", &[("worker", Reach::Unreachable)], None, &[]);
    let web_inside = release("shop/production", &[("web", Reach::Internal)], None, &[]);
    let nothing = |reason| Target::Nothing { reason };
    for (release, stopped, id, ports, target) in [
        (
            None,
            false,
            "shop/production/web",
            vec![8001],
            nothing(NothingReason::NeverDeployed),
        ),
        (
            None,
            true,
            "shop/production/web",
            vec![8001],
            nothing(NothingReason::NeverDeployed),
        ),
        (
            Some(&public),
            true,
            "shop/production/site",
            vec![8002],
            nothing(NothingReason::Stopped),
        ),
        (
            Some(&hidden),
            false,
            "shop/production/web",
            vec![8001],
            nothing(NothingReason::NoPublicProcess),
        ),
        (
            Some(&web_inside),
            false,
            "shop/production",
            vec![],
            nothing(NothingReason::NoPublicProcess),
        ),
        (
            Some(&files),
            true,
            "shop/production/web",
            vec![8001],
            nothing(NothingReason::Stopped),
        ),
        (
            Some(&files),
            false,
            "shop/production/web",
            vec![8001],
            Target::Files {
                root: PathBuf::from("/data/releases/r/dist"),
                single_page: true,
                earlier: vec![PathBuf::from("/data/releases/q/out")],
            },
        ),
    ] {
        let mut wanted = routed(
            "shop/production",
            release,
            &[("web", 8001), ("site", 8002), ("ml", 8003)],
        );
        wanted.stopped = stopped;
        let planned = plan(&[wanted]);
        let route = &planned.table.routes[0];
        assert_eq!(
            (route.id.as_str(), &route.ports, &route.target),
            (id, &ports, &target)
        );
        let ids: BTreeSet<&str> = planned.table.routes.iter().map(|r| r.id.as_str()).collect();
        assert_eq!(ids.len(), planned.table.routes.len(), "ids stand once");
        if let (true, Some(internal)) = (stopped, planned.table.routes.get(1)) {
            assert_eq!(internal.target, nothing(NothingReason::Stopped));
        }
    }
}

#[test]
fn a_process_without_a_ready_instance_holds_its_requests() {
    let release = release("shop/production", &[("web", Reach::Public)], None, &[]);
    let mut wanted = routed("shop/production", Some(&release), &[]);
    if let Some(live) = &mut wanted.live {
        live.backends.clear();
    }
    assert_eq!(
        plan(&[wanted]).table.routes[0].target,
        Target::Instances { backends: Vec::new() }
    );
}

#[test]
fn a_host_claimed_twice_stays_with_its_owner_or_the_first() {
    let greedy = release(
        "aaa/production",
        &[("web", Reach::Public)],
        None,
        &["zoo.localhost", "hostkit.localhost", "both.example.com"],
    );
    let zoo = release(
        "zoo/production",
        &[("web", Reach::Public)],
        None,
        &["both.example.com"],
    );
    let environments = [
        routed("zoo/production", Some(&zoo), &[]),
        routed("aaa/production", Some(&greedy), &[]),
    ];
    let planned = table(
        1,
        &host("localhost"),
        Some(([127, 0, 0, 1], 9000).into()),
        &environments,
    );
    let of = |id: &str| planned.table.routes.iter().find(|route| route.id == id).unwrap();
    assert_eq!(hosts(of("hostkit")), ["hostkit.localhost"]);
    assert_eq!(
        hosts(of("aaa/production/web")),
        ["aaa.localhost", "both.example.com"]
    );
    assert_eq!(hosts(of("zoo/production/web")), ["zoo.localhost"]);
    let hosts: Vec<String> = planned.conflicts.iter().map(|c| c.host.to_string()).collect();
    let conflicts: Vec<(&str, &str, String)> = planned
        .conflicts
        .iter()
        .zip(&hosts)
        .map(|(c, host)| (host.as_str(), c.holder.as_str(), c.refused.to_string()))
        .collect();
    assert_eq!(
        conflicts,
        [
            ("zoo.localhost", "zoo/production/web", "aaa/production".to_owned()),
            ("hostkit.localhost", "hostkit", "aaa/production".to_owned()),
            (
                "both.example.com",
                "aaa/production/web",
                "zoo/production".to_owned()
            ),
        ]
    );
}

#[test]
fn only_a_process_that_asks_for_it_keeps_its_visitors() {
    let web_and_api = [("web", Reach::Public), ("api", Reach::Internal)];
    let mut release = release("shop/production", &web_and_api, None, &[]);
    release.manifest = crate::manifest::parse("[[routes]]\npath = \"/api\"\nprocess = \"api\"").unwrap();
    for (asks, expected) in [
        (None, [false, false]),
        (Some("web"), [true, false]),
        (Some("api"), [false, true]),
    ] {
        for (name, process) in &mut release.processes {
            process.rule.sticky = Some(name.as_str()) == asks;
        }
        let table = table(
            1,
            &host("localhost"),
            None,
            &[routed("shop/production", Some(&release), &[])],
        )
        .table;
        let sticky = ["shop/production/web", "shop/production/api/api"].map(|id| {
            let route = table.routes.iter().find(|route| route.id == id);
            route.unwrap().sticky
        });
        assert_eq!(sticky, expected);
    }
}

/// Also on the stable port of an internal process: other programs of the project speak it to each other there.
#[test]
fn a_process_is_asked_in_the_protocol_it_speaks_on_all_its_routes() {
    let web_and_api = [("web", Reach::Public), ("api", Reach::Internal)];
    let mut release = release("shop/production", &web_and_api, None, &[]);
    release.manifest = crate::manifest::parse("[[routes]]\npath = \"/api\"\nprocess = \"api\"").unwrap();
    for asks in ["web", "api"] {
        for (name, process) in &mut release.processes {
            process.rule.health.protocol = match name.as_str() == asks {
                true => Protocol::H2c,
                false => Protocol::Http1,
            };
        }
        let environment = routed("shop/production", Some(&release), &[("web", 8001), ("api", 8002)]);
        let table = table(1, &host("localhost"), None, &[environment]).table;
        assert_eq!(table.routes.len(), 3);
        for route in &table.routes {
            let speaks = route.process.as_ref().is_some_and(|name| name.as_str() == asks);
            assert_eq!(route.protocol == Protocol::H2c, speaks, "{}", route.id);
        }
    }
}

#[test]
fn rules_and_paths_of_the_manifest_are_those_of_the_routes() {
    let web_and_api = [("web", Reach::Public), ("api", Reach::Internal)];
    let mut release = release("shop/production", &web_and_api, None, &[]);
    release.manifest = crate::manifest::parse(
        "hosts = [\"shop.example.com\"]
        [[redirects]]
        from = \"/old\"
        to = \"/new\"
        [[routes]]
        path = \"/api\"
        process = \"api\"
        strip_prefix = true
        timeout = \"5s\"
        [routing]
        canonical_host = \"shop.example.com\"
        timeout = \"10s\"
        body_limit = \"1MB\"",
    )
    .unwrap();
    let mut routed = routed("shop/production", Some(&release), &[]);
    routed.live.as_mut().unwrap().basic_auth = Some(BasicAuth::new("ada", "x", "y"));
    let table = table(1, &host("localhost"), None, &[routed.clone()]).table;
    let web = table
        .routes
        .iter()
        .find(|route| route.id == "shop/production/web")
        .unwrap();
    let api = table
        .routes
        .iter()
        .find(|route| route.id == "shop/production/api/api")
        .unwrap();
    assert_eq!(
        (web.path_prefix.as_str(), api.path_prefix.as_str()),
        ("/", "/api")
    );
    assert_eq!(web.hosts, api.hosts);
    assert!(api.ports.is_empty() && api.rules.strip_prefix && !web.rules.strip_prefix);
    assert!(matches!(&api.target, Target::Instances { .. }));
    for route in [web, api] {
        assert_eq!(route.rules.redirects.len(), 1);
        assert!(route.rules.basic_auth.is_some());
        assert_eq!(route.rules.canonical_host, Some(host("shop.example.com")));
    }
    assert_eq!(web.rules.timeout, Some(crate::size::Span::secs(10)));
    assert_eq!(api.rules.timeout, Some(crate::size::Span::secs(5)));
    assert_eq!(api.rules.body_limit, web.rules.body_limit);
    // A stable port leads straight to its process.
    let internal = table.routes.iter().find(|route| route.hosts.is_empty());
    assert!(internal.is_none_or(|route| route.rules.is_empty()));

    let mut preview = routed;
    preview.id = environment("shop/preview");
    let table = super::table(1, &host("localhost"), None, &[preview]).table;
    let web = table
        .routes
        .iter()
        .find(|route| route.id == "shop/preview/web")
        .unwrap();
    assert_eq!(web.rules.canonical_host, None, "visitors of a preview stay there");
    assert_eq!(web.rules.redirects.len(), 1);
}

#[test]
fn a_canary_has_routes_of_its_own_on_the_hosts_of_the_live_release() {
    let live = release(
        "shop/production",
        &[("web", Reach::Public)],
        None,
        &["shop.example"],
    );
    let mut next = release(
        "shop/production",
        &[("api", Reach::Internal), ("web", Reach::Public)],
        None,
        &["new.example"],
    );
    next.name = ReleaseName::parse("20250215-130000").unwrap();
    next.manifest = crate::manifest::parse(
        "hosts = [\"new.example\"]
        [[routes]]
        path = \"/api\"
        process = \"api\"",
    )
    .unwrap();
    let mut both = routed("shop/production", Some(&live), &[("web", 8001), ("api", 8002)]);
    both.canary = routed("shop/production", Some(&next), &[])
        .live
        .map(|canary| (canary, 10.try_into().unwrap()));
    let planned = plan(std::slice::from_ref(&both)).table;
    assert_eq!(
        planned.routes,
        plan(&[RoutedEnvironment {
            canary: None,
            ..both.clone()
        }])
        .table
        .routes
    );
    let [canary] = planned.canaries.as_slice() else {
        panic!("{:?}", planned.canaries)
    };
    assert_eq!((canary.percent.get(), &canary.release), (10, &next.name));
    let ids: Vec<&str> = canary.routes.iter().map(|route| route.id.as_str()).collect();
    assert_eq!(
        ids,
        ["shop/production/canary:api/api", "shop/production/canary:web"]
    );
    for route in &canary.routes {
        assert_eq!(route.release.as_ref(), Some(&next.name));
        assert!(route.hosts.is_empty() && route.wildcards.is_empty() && route.ports.is_empty());
    }
    let claimed: Vec<&str> = planned.routes.iter().flat_map(hosts).collect();
    assert_eq!(
        claimed,
        ["shop.localhost", "shop.example"],
        "what only the canary claims waits"
    );
    both.stopped = true;
    assert!(plan(&[both]).table.canaries.is_empty());
}

#[test]
fn what_is_public_in_the_storage_is_behind_the_same_password() {
    let live = release("shop/production", &[("web", Reach::Public)], None, &[]);
    let mut shop = routed("shop/production", Some(&live), &[("web", 8001)]);
    let paths = |shop: &RoutedEnvironment<'_>| -> Vec<String> {
        let routes = plan(std::slice::from_ref(shop)).table.routes;
        routes.into_iter().map(|route| route.path_prefix).collect()
    };
    assert_eq!(paths(&shop), ["/"]);
    shop.storage = Some(([127, 0, 0, 1], 15000).into());
    shop.live.as_mut().unwrap().basic_auth = Some(BasicAuth::of_nobody("shop"));
    assert_eq!(paths(&shop), ["/_hostkit/storage", "/"]);
    let routes = plan(std::slice::from_ref(&shop)).table.routes;
    assert_eq!(routes[0].hosts, routes[1].hosts);
    assert_eq!(routes[0].rules.basic_auth, routes[1].rules.basic_auth);
    assert!(routes[0].rules.basic_auth.is_some());
    // Also before the first deployment, and while the programs are stopped.
    shop.live = None;
    assert_eq!(paths(&shop), ["/_hostkit/storage", "/"]);
}
