use std::net::IpAddr;
use std::time::Duration;

use super::access::{AddressRange, BasicAuth};
use super::condition::{Condition, Place, ValuePattern, ValueTest};
use super::destination::{Destination, Unused};
use super::headers::{Cors, HeaderRule, SecurityHeader};
use super::limits::Rate;
use super::pattern::{PathPattern, normal, resolved};
use super::rules::{MOST_RULES, Redirect, Rewrite, Rules, Stage};
use super::*;

fn pattern(source: &str) -> PathPattern {
    PathPattern::parse(source).unwrap_or_else(|why| panic!("{source}: {why}"))
}

#[test]
fn patterns_match_as_those_of_vercel_json() {
    for (source, fits, fits_not) in [
        (
            "/old",
            &["/old"][..],
            &["/old/", "/older", "/Old", "/x/old", "//old"][..],
        ),
        (
            "/old/:id",
            &["/old/7", "/old/a.b"],
            &["/old", "/old/", "/old/7/8"],
        ),
        (
            "/blog/:path*",
            &["/blog", "/blog/a", "/blog/a/b"],
            &["/blog/", "/blogs", "/blog//"],
        ),
        ("/blog/:path+", &["/blog/a", "/blog/a/b"], &["/blog", "/blog/"]),
        ("/:lang?/about", &["/about", "/de/about"], &["/de/en/about"]),
        ("/(.*)", &["/", "/a", "/a/b", "//a"], &[""]),
        ("/:path*", &["/", "/a/b"], &["//a"]),
        ("/post/:id(\\d+)", &["/post/17"], &["/post/x", "/post/"]),
        ("/(\\d+)/x", &["/1/x"], &["/a/x"]),
        (
            "/file.:ext(png|jpg)",
            &["/file.png", "/file.jpg"],
            &["/file.gif", "/filexpng"],
        ),
        ("/a{/b}?/c", &["/a/c", "/a/b/c"], &["/a/d/c"]),
        ("/a{-:rest}*", &["/a", "/a-b", "/a-b-c"], &["/ab"]),
        ("/a\\(b\\)", &["/a(b)"], &["/ab"]),
        (
            "/((?!api/|_next).*)",
            &["/", "/about", "/apis"],
            &["/api/x", "/_next/a"],
        ),
        ("/x/((?!a$).*)", &["/x/ab", "/x/"], &["/x/a"]),
        ("/café", &["/caf%C3%A9"], &["/cafe"]),
        ("/a%20b", &["/a%20b"], &["/a b"]),
        ("/a\\+b", &["/a+b"], &["/aab"]),
        ("/:path([^/]+?)/end", &["/x/end"], &["/x/y/end"]),
        ("/[x]", &["/[x]"], &["/x"]),
    ] {
        let pattern = pattern(source);
        for path in fits {
            assert!(pattern.matches(&normal(path)), "{source} {path}");
            assert!(pattern.captures(&normal(path)).is_some(), "{source} {path}");
        }
        for path in fits_not {
            assert!(!pattern.matches(path), "{source} {path}");
            assert!(pattern.captures(path).is_none(), "{source} {path}");
        }
    }
}

#[test]
fn a_path_is_the_same_however_it_is_written() {
    for (written, normalized) in [
        ("/%61dmin", "/admin"),
        ("/a%2fb", "/a%2Fb"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/café", "/caf%C3%A9"),
        ("/a\\b", "/a%5Cb"),
        ("/%zz", "/%zz"),
        ("/%", "/%"),
        ("/%4", "/%4"),
        ("/%€", "/%%E2%82%AC"),
        ("/~x-._", "/~x-._"),
    ] {
        assert_eq!(normal(written), normalized);
        assert_eq!(normal(normalized), normalized);
    }
    for (written, meant) in [
        ("/a/b", "/a/b"),
        ("//a///b", "/a/b"),
        ("/x/../a/./b/", "/a/b/"),
        ("/../../a", "/a"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a.b/.c", "/a.b/.c"),
    ] {
        assert_eq!(resolved(written), meant, "{written}");
    }
    assert_eq!(resolved(&normal("/x/%2e%2E/a")), "/a");
    assert!(pattern("/admin/(.*)").matches(&normal("/%61dm%69n/x")));
}

#[test]
fn patterns_with_mistakes_are_refused_and_say_what_is_wrong() {
    for (source, why) in [
        ("old", "begins with `/`"),
        ("", "begins with `/`"),
        ("/(", "has no `)`"),
        ("/(a", "has no `)`"),
        ("/()", "is empty"),
        ("/(?a)", "cannot begin with `?`"),
        ("/(a(b))", "begins with `?:`"),
        ("/((?=a)b)", "begins with `?:`"),
        ("/((?<x>a)b)", "begins with `?:`"),
        ("/:", "has no name"),
        ("/:a/:a", "twice"),
        ("/*", "nothing before `*`"),
        ("/a?", "nothing before `?`"),
        ("/{a", "has no `}`"),
        ("/a}", "nothing before `}`"),
        ("/\\", "ends with"),
        ("/([z-a])", "cannot be read"),
        ("/(é)", "percent-encoded"),
        ("/(a{1000}{1000}{1000})", "too large"),
        ("/:a/((?!b).*)", "nothing but letters"),
        ("/(a(?!b).*)", "at the beginning"),
        ("/((?!b))", "something behind it"),
    ] {
        let found = PathPattern::parse(source).unwrap_err();
        assert!(found.contains(why), "{source}: {found}");
    }
    let nested = format!("/({}a{})", "(?:".repeat(500), ")".repeat(500));
    assert!(PathPattern::parse(&nested).is_err());
    assert!(
        PathPattern::parse(&format!("/{}", "a".repeat(5000)))
            .unwrap_err()
            .contains("4096")
    );
    let json = serde_json::from_str::<PathPattern>("\"/([z-a])\"")
        .unwrap_err()
        .to_string();
    assert!(json.contains("`/([z-a])` is not a pattern of paths"), "{json}");
}

/// Each of these takes expressions that go back exponential time.
#[test]
fn hostile_patterns_and_paths_take_linear_time() {
    let path = format!("/{}!", "a".repeat(8000));
    for source in [
        "/((?:a+)+)b",
        "/((?:a|aa)*)b",
        "/((?:a|a?)+)b",
        "/((?:.*)(?:.*)(?:.*)(?:.*)(?:.*))b",
        "/:a*:b(x+)",
    ] {
        assert!(!pattern(source).matches(&path), "{source}");
        assert!(pattern(source).captures(&path).is_none(), "{source}");
    }
}

fn filled(from: &str, to: &str, path: &str, query: Option<&str>) -> Option<String> {
    let params = pattern(from).captures(&normal(path)).expect("it fits");
    Destination::parse(to).unwrap().fill(&params, query, Unused::Drop)
}

#[test]
fn destinations_are_filled() {
    for (from, to, path, query, wanted) in [
        ("/old/:id", "/new/:id", "/old/7", None, "/new/7"),
        ("/old/:id", "/new?id=:id", "/old/7", None, "/new?id=7"),
        (
            "/old/:id",
            "/new?id=:id&x=1",
            "/old/7",
            Some("x=2&y=3"),
            "/new?id=7&x=1&y=3",
        ),
        ("/old", "/new", "/old", Some("a=b"), "/new?a=b"),
        ("/blog/:path*", "/news/:path*", "/blog", None, "/news"),
        ("/blog/:path*", "/news/:path*", "/blog/a/b", None, "/news/a/b"),
        ("/blog/:path*", "/:path*", "/blog", None, "/"),
        ("/(\\d+)/(.*)", "/$2/$1", "/1/x/y", None, "/x/y/1"),
        (
            "/u/:n",
            "https://:n.example.com/x",
            "/u/shop",
            None,
            "https://shop.example.com/x",
        ),
        (
            "/a/(.*)",
            "https://example.com:8443/$1#top",
            "/a/b",
            None,
            "https://example.com:8443/b#top",
        ),
        (
            "/a",
            "https://example.com",
            "/a",
            Some("q"),
            "https://example.com/?q",
        ),
        ("/café/:x", "/ü/:x", "/caf%C3%A9/%C3%A9", None, "/%C3%BC/%C3%A9"),
        ("/a/:x", "/b/:x?/c", "/a/1", None, "/b/1/c"),
        ("/a/:x", "/b?:x", "/a/1", None, "/b?:x="),
        ("/a", "/b?ü=1", "/a", None, "/b?%C3%BC=1"),
    ] {
        assert_eq!(
            filled(from, to, path, query).as_deref(),
            Some(wanted),
            "{from} {to}"
        );
    }
    let rewrite = Destination::parse("/run").unwrap();
    let params = pattern("/a/:x/:y").captures("/a/1/2").unwrap();
    assert_eq!(
        rewrite.fill(&params, Some("z=3"), Unused::IntoQuery).unwrap(),
        "/run?x=1&y=2&z=3"
    );
}

/// What a visitor sends never becomes a host, a header, or another parameter.
#[test]
fn a_destination_leads_where_it_says() {
    for path in [
        "//evil.com",
        "///evil.com",
        "/\\evil.com",
        "/%5Cevil.com",
        "/%2F/evil.com",
        "/%09/evil.com",
        "/\t/evil.com",
        "/.//evil.com",
        "/@evil.com",
        "/%0d%0aSet-Cookie:x=1",
        "/\r\nX: y",
    ] {
        let to = filled("/(.*)", "/$1", path, Some("a\r\nb")).unwrap();
        assert!(!to.starts_with("//") && !to.starts_with("/\\"), "{path:?} {to}");
        assert!(to.bytes().all(|b| b.is_ascii_graphic()), "{path:?} {to}");
        let to = filled("/(.*)", "https://example.com/$1", path, None).unwrap();
        assert!(to.starts_with("https://example.com/"), "{path:?} {to}");
        let to = filled("/(.*)", "https://example.com?next=$1", path, None).unwrap();
        assert!(to.starts_with("https://example.com/?next="), "{path:?} {to}");
    }
    assert_eq!(
        filled("/(.*)", "/a?x=$1", "/b&y=1", None).unwrap(),
        "/a?x=b%26y%3D1"
    );
    for path in [
        "/evil.com%2F",
        "/evil.com%23",
        "/a@evil.com",
        "/evil.com:80%40",
        "/",
    ] {
        let to = filled("/(.*)", "https://$1.example.com/", path, None);
        assert_eq!(to, None, "{path}");
    }
    for (to, why) in [
        ("//evil.com", "names a host"),
        ("/\\evil.com", "names a host"),
        ("javascript://x", "begins with"),
        ("javascript:alert(1)", "begins with"),
        ("new", "begins with"),
        ("/a b", "percent-encoded"),
        ("/a\r\nb", "percent-encoded"),
        ("https://", "not a host name"),
        ("https://user@evil.com/", "not a host name"),
        ("https://:host/", "written name"),
        ("https://example.com:port/", "written name"),
        ("https://example.com$1/", "written name"),
        ("https://:host./", "written name"),
    ] {
        let found = Destination::parse(to).unwrap_err();
        assert!(found.contains(why), "{to}: {found}");
    }
}

fn condition(place: Place, key: &str, value: &str) -> Condition {
    Condition {
        place,
        key: (!key.is_empty()).then(|| key.to_owned()),
        value: ValueTest {
            re: (!value.is_empty()).then(|| ValuePattern::parse(value).unwrap()),
            ..ValueTest::default()
        },
    }
}

#[test]
fn conditions_hold_and_give_names_to_what_they_find() {
    let version = condition(Place::Header, "x-version", "v(?<major>\\d+)");
    assert!(version.holds(Some("v12")) && !version.holds(Some("v12x")) && !version.holds(None));
    let mut params = pattern("/a").captures("/a").unwrap();
    version.note("v12", &mut params);
    condition(Place::Query, "page-no", "").note("//evil.com/é", &mut params);
    let to = Destination::parse("/:major/:pageno")
        .unwrap()
        .fill(&params, None, Unused::Drop);
    assert_eq!(to.unwrap(), "/12/%2F%2Fevil.com%2F%C3%A9");

    for (test, yes, no) in [
        (r#"{"eq":"a"}"#, &["a"][..], &["b", "aa"][..]),
        (r#"{"neq":"a"}"#, &["b"], &["a"]),
        (r#"{"inc":["a","b"]}"#, &["a", "b"], &["c"]),
        (r#"{"ninc":["a","b"]}"#, &["c"], &["a"]),
        (r#"{"pre":"a","suf":"z"}"#, &["abz"], &["ab", "bz"]),
        (r#"{"re":"a+"}"#, &["aa"], &["ab"]),
        (r#"{"gt":1,"lte":3}"#, &["2", "3", " 2.5 "], &["1", "4", "x", ""]),
        (r#"{"gte":1,"lt":3}"#, &["1"], &["3"]),
    ] {
        let condition = Condition {
            place: Place::Cookie,
            key: Some("c".into()),
            value: serde_json::from_str(test).unwrap(),
        };
        assert!(yes.iter().all(|value| condition.holds(Some(value))), "{test}");
        assert!(!no.iter().any(|value| condition.holds(Some(value))), "{test}");
    }
    assert!(condition(Place::Host, "", "").check().is_err());
    assert!(condition(Place::Host, "x", "y").check().is_err());
    assert!(condition(Place::Header, "", "y").check().is_err());
    assert!(ValuePattern::parse("(").is_err());
}

fn redirect(from: &str, to: &str) -> Redirect {
    Redirect {
        from: pattern(from),
        to: Destination::parse(to).unwrap(),
        status: 308,
        has: Vec::new(),
        missing: Vec::new(),
    }
}

fn told(rules: Rules) -> String {
    let (table, at, why) = rules.check().unwrap_err();
    format!("{table} {at}: {why}")
}

#[test]
fn rules_that_make_no_sense_together_are_refused() {
    let redirects = |list: Vec<Redirect>| Rules {
        redirects: list,
        ..Rules::default()
    };
    for (from, to) in [
        ("/a", "/a"),
        ("/(.*)", "/new"),
        ("/a/:x", "/a/:x"),
        ("/:p*", "/b?x=1"),
        ("/%61", "/a#b"),
    ] {
        let found = told(redirects(vec![redirect("/ok", "/fine"), redirect(from, to)]));
        assert!(
            found.contains("redirects 1") && found.contains("leads to itself"),
            "{found}"
        );
    }
    let found = told(redirects(vec![redirect("/a/:x", "/b/:y")]));
    assert!(found.contains("`:y`"), "{found}");
    let found = told(redirects(vec![redirect("/a/:x", "/b/$2")]));
    assert!(found.contains("`$2`"), "{found}");
    let odd = Redirect {
        status: 200,
        ..redirect("/a", "/b")
    };
    assert!(told(redirects(vec![odd])).contains("200"));
    let many = vec![redirect("/a", "/b"); MOST_RULES + 1];
    assert!(told(redirects(many)).contains("2049"));
    assert!(redirects(vec![redirect("/a", "/b"); MOST_RULES]).check().is_ok());
    // Each is within its limit; all of them would fill the memory.
    let large = vec![redirect("/(a{600}.*)", "https://example.com/"); 1500];
    assert!(told(redirects(large)).contains("repeat less"));

    let rewrite = Rewrite {
        from: pattern("/api/(.*)"),
        to: Destination::parse("https://example.com/$1").unwrap(),
        stage: Stage::AfterFiles,
        has: Vec::new(),
        missing: Vec::new(),
    };
    let found = told(Rules {
        rewrites: vec![rewrite],
        ..Rules::default()
    });
    assert!(found.contains("does not fetch from"), "{found}");

    for (name, value) in [
        ("x-a", "a\r\nset-cookie: b"),
        ("x-a", "a\0b"),
        ("x a", "b"),
        ("x-a:", "b"),
        ("", "b"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("X-HostKit-Release", "x"),
    ] {
        let rule = HeaderRule {
            path: pattern("/(.*)"),
            set: vec![(name.into(), value.into())],
            has: Vec::new(),
            missing: Vec::new(),
        };
        let rules = Rules {
            headers: vec![rule],
            ..Rules::default()
        };
        assert!(rules.check().is_err(), "{name} {value:?}");
    }
    let mut rules = Rules::default();
    rules.security_headers.referrer_policy = SecurityHeader::Value("a\nb".into());
    assert!(rules.check().is_err());
    for (origin, credentials) in [
        ("*", true),
        ("example.com", false),
        ("https://a b", false),
        ("null", false),
    ] {
        let rules = Rules {
            cors: Some(Cors {
                origins: vec![origin.into()],
                credentials,
                ..Cors::default()
            }),
            ..Rules::default()
        };
        assert!(rules.check().is_err(), "{origin}");
    }
}

#[test]
fn ranges_of_addresses_are_read_and_asked() {
    for (range, inside, outside) in [
        ("10.0.0.0/8", "10.200.3.4", "11.0.0.1"),
        ("10.1.2.3/8", "10.200.3.4", "11.0.0.1"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
        ("0.0.0.0/0", "203.0.113.1", "::1"),
        ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
        ("::1", "::1", "::2"),
        ("10.0.0.0/8", "::ffff:10.1.1.1", "::ffff:11.1.1.1"),
        ("::ffff:10.0.0.0/104", "10.1.1.1", "11.1.1.1"),
        ("::/0", "2001:db8::1", "10.0.0.1"),
    ] {
        let parsed: AddressRange = range.parse().unwrap();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(parsed.contains(address(inside)), "{range} {inside}");
        assert!(!parsed.contains(address(outside)), "{range} {outside}");
        assert_eq!(parsed.to_string().parse(), Ok(parsed));
    }
    for wrong in [
        "",
        "10.0.0.0/33",
        "10.0.0/8",
        "::/129",
        "10.0.0.0/",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "x",
        "1.2.3.4/8/8",
    ] {
        assert!(wrong.parse::<AddressRange>().is_err(), "{wrong}");
    }
}

#[test]
fn rates_are_read() {
    for (text, requests, seconds) in [
        ("10/s", 10, 1),
        ("100/m", 100, 60),
        ("100 / min", 100, 60),
        ("1000/h", 1000, 3600),
        ("5/10s", 5, 10),
        ("1/d", 1, 86400),
    ] {
        let rate: Rate = text.parse().unwrap();
        assert_eq!(
            (rate.requests, rate.time.0),
            (requests, Duration::from_secs(seconds)),
            "{text}"
        );
        assert_eq!(rate.to_string().parse(), Ok(rate));
    }
    for wrong in [
        "",
        "10",
        "0/s",
        "-1/s",
        "10/",
        "10/x",
        "10/0s",
        "10/1ms",
        "10/2d",
        "9999999/s",
        "1.5/s",
        "+1/s",
    ] {
        assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
    }
}

#[test]
fn a_password_is_known_by_its_hash_alone() {
    let auth = BasicAuth::new("ada", "correct horse", "shop/preview 20260101-120000");
    assert!(auth.accepts(b"ada", b"correct horse"));
    for (user, password) in [
        ("ada", "correct hors"),
        ("ada", ""),
        ("adb", "correct horse"),
        ("", ""),
    ] {
        assert!(!auth.accepts(user.as_bytes(), password.as_bytes()));
    }
    let text = serde_json::to_string(&auth).unwrap();
    assert!(!text.contains("horse"), "{text}");
    assert_ne!(auth, BasicAuth::new("ada", "correct horse", "elsewhere"));
    assert!(!BasicAuth::of_nobody("ada").accepts(b"ada", b""));
}

#[test]
fn tables_of_versions_without_rules_are_read_and_rules_come_back_as_they_were() {
    let old = r#"{"id":"a","environment":null,"process":null,"hosts":["a.localhost"],"path_prefix":"/","ports":[],
        "target":{"type":"nothing","reason":"stopped"},"release":null,"hold":{"time":"30s","requests":1}}"#;
    let mut route: Route = serde_json::from_str(old).unwrap();
    assert!(route.rules.is_empty());
    assert!(!serde_json::to_string(&route).unwrap().contains("rules"));
    route.rules = Rules {
        maintenance: true,
        allow: vec!["10.0.0.0/8".parse().unwrap()],
        basic_auth: Some(BasicAuth::new("a", "b", "c")),
        redirects: vec![redirect("/a/:x", "/b/:x")],
        timeout: Some(Span::secs(5)),
        clean_urls: Some(true),
        ..Rules::default()
    };
    let text = serde_json::to_string(&route).unwrap();
    assert_eq!(serde_json::from_str::<Route>(&text).unwrap(), route, "{text}");
}
