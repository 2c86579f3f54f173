//! What the file says of requests, and what is wrong with it.

use super::keys::IMAGES;
use super::*;
use crate::manifest::{FILE_NAME, parse};
use crate::route::condition::Place;
use crate::route::headers::SecurityHeader;
use crate::route::images::Images;
use crate::route::limits::Counted;
use crate::route::rules::Stage;

const FULL: &str = r#"
clean_urls = true
trailing_slash = false

[process.web]
command = "run"

[process.api]
command = "run"
internal = true

[[redirects]]
from = "/old/:id(\\d+)"
to = "/new/:id"
status = 308
has = [{ type = "header", key = "x-a", value = "(?<a>b+)" }, { type = "host", eq = "shop.example.com" }]
missing = [{ type = "query", key = "n", gt = 5, lte = 9 }, { type = "cookie", key = "c", inc = ["a", "b"] }]

[[rewrites]]
from = "/((?!api/).*)"
to = "/index.html"
before_files = true

[[headers]]
for = "/assets/(.*)"
set = { "Cache-Control" = "public, max-age=60", X-Own = "1" }

[[routes]]
path = "/api/"
process = "api"
strip_prefix = true
timeout = "5s"
body_limit = "1MB"

[routing]
canonical_host = "shop.example.com"
maintenance = true
timeout = "10s"
body_limit = "10MB"

[compression]
enabled = false
smallest = "2KB"

[cache]
enabled = false
largest = "1MB"

[access]
allow = ["10.0.0.0/8", "2001:db8::1"]
basic_auth = { user = "ada", password_variable = "PREVIEW_PASSWORD" }

[cors]
origins = ["https://*.example.com"]
methods = ["GET"]
headers = ["x-own"]
expose = ["x-total"]
credentials = true
max_age = "1h"

[images]
widths = [320, 640]
qualities = [80, 50]
formats = []
paths = ["/media/(.*)"]
keep = "1h"
svg = true

[security_headers]
frame_options = "DENY"
hsts = false
content_security_policy = "default-src 'self'"

[[limits]]
path = "/api/(.*)"
rate = "10/s"
burst = 20

[[limits]]
rate = "1000/m"
per = "everybody"
"#;

#[test]
fn everything_is_read() {
    let manifest = parse(FULL).unwrap_or_else(|found| panic!("{found:?}"));
    let Routing {
        rules,
        basic_auth,
        paths,
        compression,
        answers,
    } = manifest.routing;
    assert_eq!(compression, Compression::Off);
    assert_eq!(
        answers,
        AnswerRule {
            cache: false,
            largest_kept: Some(ByteSize::mib(1)),
            smallest_compressed: Some(ByteSize(2048)),
        }
    );
    let silent = parse("").unwrap().routing;
    assert_eq!(silent.compression, Compression::On);
    assert!(silent.answers.is_standard());
    let redirect = &rules.redirects[0];
    assert_eq!(
        (redirect.status, redirect.has.len(), redirect.missing.len()),
        (308, 2, 2)
    );
    assert_eq!(redirect.has[1].place, Place::Host);
    assert!(redirect.missing[0].holds(Some("7")) && !redirect.missing[0].holds(Some("5")));
    assert!(redirect.missing[1].holds(Some("b")) && !redirect.missing[1].holds(Some("c")));
    assert_eq!(rules.rewrites[0].stage, Stage::BeforeFiles);
    assert_eq!(rules.headers[0].set.len(), 2);
    assert_eq!(
        (rules.clean_urls, rules.trailing_slash, rules.maintenance),
        (Some(true), Some(false), true)
    );
    assert_eq!(rules.allow.len(), 2);
    assert_eq!(rules.limits[0].burst, Some(20));
    assert_eq!(
        (rules.limits[1].per, rules.limits[1].path.as_str()),
        (Counted::Everybody, "/(.*)")
    );
    let images = rules.images.unwrap();
    assert_eq!(
        (&*images.widths, &*images.qualities),
        (&[320, 640][..], &[80, 50][..])
    );
    assert!(images.formats.is_empty() && images.svg && images.paths[0].matches("/media/a.png"));
    assert_eq!(images.keep, Span::secs(3600));
    let cors = rules.cors.unwrap();
    assert!(cors.credentials && cors.max_age == Span::secs(3600));
    assert_eq!(rules.security_headers.hsts, SecurityHeader::Off);
    assert_eq!(
        rules.security_headers.frame_options,
        SecurityHeader::Value("DENY".into())
    );
    assert_eq!(rules.security_headers.referrer_policy, SecurityHeader::Standard);
    assert_eq!(basic_auth.unwrap().variable.as_str(), "PREVIEW_PASSWORD");
    assert_eq!((paths[0].path.as_str(), paths[0].strip_prefix), ("/api", true));
    assert_eq!(paths[0].timeout, Some(Span::secs(5)));
}

#[test]
fn what_is_kept_and_compressed_has_bounds() {
    for (text, why) in [
        ("[cache]\nlargest = \"9MB\"", "cannot be more than 8"),
        ("[cache]\nlargest = 5", "cache.largest"),
        ("[cache]\nenabled = \"no\"", "cache.enabled"),
        ("[cache]\nsize = \"1MB\"", "cache"),
        ("[compression]\nsmallest = \"1B\"", "compression.smallest"),
        ("[compression]\nlevel = 9", "compression"),
    ] {
        let told = problem(text);
        assert!(told.contains(why), "{text}: {told}");
    }
}

fn problem(text: &str) -> String {
    let failure = parse(text).unwrap_err().into_failure(FILE_NAME);
    failure.details.join("\n")
}

#[test]
fn each_mistake_is_told_where_it_stands() {
    for (text, wanted) in [
        (
            "[[redirects]]\nfrom = \"/(\"\nto = \"/b\"",
            ":2:8: `redirects.from`: `/(` is not a pattern of paths: `(` has no `)`",
        ),
        (
            "[[redirects]]\nfrom = \"/a\"\nto = \"//evil.com\"",
            ":3:6: `redirects.to`: `//evil.com` is not a destination",
        ),
        ("[[redirects]]\nfrom = \"/a\"", "`redirects` needs the key `to`"),
        (
            "[[redirects]]\nfrom = \"/a\"\nto = \"/a\"",
            "`redirects`: `/a` leads to itself",
        ),
        ("[[redirects]]\nfrom = \"/a\"\nto = \"/:b\"", "names `:b`"),
        (
            "[[redirects]]\nfrom = \"/a\"\nto = \"/b\"\nstatus = 304",
            "304 is not the status",
        ),
        (
            "[[redirects]]\nfrom = \"/a\"\nto = \"/b\"\nhas = [{ type = \"moon\" }]",
            "`redirects.has.type` cannot be `moon`",
        ),
        (
            "[[redirects]]\nfrom = \"/a\"\nto = \"/b\"\nhas = [{ type = \"query\" }]",
            "needs a `key`",
        ),
        (
            "[[rewrites]]\nfrom = \"/a\"\nto = \"https://x.com/\"",
            "is another host",
        ),
        (
            "[[headers]]\nfor = \"/a\"\nset = { Content-Length = \"1\" }",
            "front door alone",
        ),
        (
            "[[headers]]\nfor = \"/a\"\nset = { x = \"a\\r\\nb\" }",
            "end of a line",
        ),
        ("[images]\nwidths = [0]", "`images.widths` cannot be 0"),
        ("[images]\nwidths = [4000]", "from 1 to 3840"),
        ("[images]\nwidths = []", "`images`: `widths` is empty"),
        ("[images]\nqualities = [101]", "from 1 to 100"),
        ("[images]\nqualities = []", "`qualities` is empty"),
        (
            "[images]\nformats = [\"avif\"]",
            "`images.formats` cannot be `avif`",
        ),
        ("[images]\npaths = [\"media\"]", "is not a pattern of paths"),
        ("[images]\nkeep = \"-1s\"", "`images.keep`"),
        ("[cors]\norigins = [\"example.com\"]", "is not an origin"),
        ("[cors]\norigins = [\"*\"]\ncredentials = true", "every site act"),
        (
            "[security_headers]\nhsts = true",
            "is a text in quotes, or `false`",
        ),
        ("[security_headers]\nhsts = \"a\\nb\"", "end of a line"),
        ("[[limits]]\nrate = \"fast\"", "is not a rate"),
        (
            "[access]\nallow = [\"10.0.0.0/40\"]",
            "is not a range of addresses",
        ),
        (
            "[access.basic_auth]\nuser = \"a:b\"\npassword_variable = \"P\"",
            "no colon",
        ),
        (
            "[access.basic_auth]\nuser = \"a\"\npassword_variable = \"P\"\n[variables.defaults]\nP = \"x\"",
            "`P` is a password",
        ),
        (
            "[process.work]\ncommand = \"x\"\n[[routes]]\npath = \"/a\"\nprocess = \"work\"",
            "has no port",
        ),
        (
            "[[routes]]\npath = \"/a\"\nprocess = \"web\"\n[[routes]]\npath = \"/a/\"\nprocess = \"web\"",
            "twice",
        ),
        (
            "[[routes]]\npath = \"/a/../b\"\nprocess = \"web\"",
            "is not a path that leads",
        ),
        (
            "[[routes]]\npath = \"/\"\nprocess = \"web\"",
            "is not a path that leads",
        ),
        ("[routing]\ntimeout = \"1h\"", "it is from 1s to"),
    ] {
        let found = problem(text);
        assert!(found.contains(wanted), "{text}\n{found}");
    }
}

#[test]
fn images_are_made_where_the_table_is_with_what_is_written_down_as_usual() {
    assert_eq!(parse("").unwrap().routing.rules.images, None);
    let images = parse("[images]").unwrap().routing.rules.images;
    assert_eq!(images, Some(Images::default()));
    let written: String = IMAGES
        .iter()
        .filter_map(|key| Some(format!("{} = {}\n", key.name, key.default?)))
        .collect();
    let read = parse(&format!("[images]\n{written}")).unwrap();
    assert_eq!(read.routing.rules.images, images, "{written}");
    let many = format!("[images]\nwidths = {:?}", (1..=51).collect::<Vec<u32>>());
    assert!(parse(&many).is_err());
}

/// The examples of the page about requests.
#[test]
fn the_examples_of_the_page_are_right() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/routing.md");
    let page = std::fs::read_to_string(page).unwrap();
    let examples = |kind: &str| -> Vec<String> {
        let mark = format!("```{kind}\n");
        let parts = page.split(&mark).skip(1);
        parts
            .filter_map(|rest| rest.split("```").next().map(str::to_owned))
            .collect()
    };
    let manifests = examples("toml");
    assert!(manifests.len() >= 8, "{}", manifests.len());
    for example in manifests {
        let read = parse(&example).map(|manifest| manifest.routing);
        assert!(
            read.as_ref().is_ok_and(|routing| *routing != Routing::default()),
            "{example}\n{read:?}"
        );
    }
    let files = examples("json");
    assert!(!files.is_empty());
    for example in files {
        let read = crate::vercel::parse(&example).unwrap();
        assert_eq!(read.ignored, [] as [&str; 0], "{example}");
    }
}
