use super::*;
use crate::manifest;
use crate::route::rules::Stage;

fn ok(text: &str) -> VercelFile {
    parse(text).unwrap_or_else(|failure| panic!("{failure:?}"))
}

fn problems(text: &str) -> Vec<String> {
    parse(text).unwrap_err().details
}

const FULL: &str = r#"{
  "$schema": "https://openapi.vercel.sh/vercel.json",
  "buildCommand": "npm run build", "installCommand": "npm ci", "outputDirectory": "./dist/", "framework": null,
  "cleanUrls": true, "trailingSlash": false,
  "redirects": [
    { "source": "/old/:id", "destination": "/new/:id" },
    { "source": "/a", "destination": "/b", "permanent": false },
    { "source": "/c", "destination": "https://example.com/", "statusCode": 301 },
    { "source": "/:path((?!uk/).*)", "destination": "/uk/:path", "permanent": false,
      "has": [{ "type": "header", "key": "x-vercel-ip-country", "value": "GB" },
              { "type": "query", "key": "v", "value": { "eq": 2 } }],
      "missing": [{ "type": "cookie", "key": "region" }] }
  ],
  "rewrites": [{ "source": "/((?!api/).*)", "destination": "/index.html" }],
  "headers": [{ "source": "/(.*)", "headers": [{ "key": "X-Frame-Options", "value": "DENY" }] }],
  "crons": [{ "path": "/api/cron", "schedule": "0 5 * * *" }]
}"#;

#[test]
fn a_file_as_people_have_it_is_understood() {
    let file = ok(FULL);
    let rules = &file.rules;
    let statuses: Vec<u16> = rules.redirects.iter().map(|rule| rule.status).collect();
    assert_eq!(statuses, [308, 307, 301, 307]);
    assert_eq!(rules.redirects[3].has[1].value.eq.as_deref(), Some("2"));
    assert_eq!(rules.redirects[3].missing.len(), 1);
    assert_eq!(
        (rules.clean_urls, rules.trailing_slash),
        (Some(true), Some(false))
    );
    assert_eq!(rules.rewrites[0].stage, Stage::AfterFiles);
    assert_eq!(
        rules.headers[0].set,
        [("X-Frame-Options".to_owned(), "DENY".to_owned())]
    );
    assert_eq!(file.build, Some(Command::Line("npm run build".into())));
    assert_eq!(file.output.as_ref().unwrap().as_str(), "dist");
    assert_eq!(file.ignored.len(), 2, "{:?}", file.ignored);
    assert!(file.ignored.iter().any(|sentence| sentence.contains("`crons`")));
    assert_eq!(ok("{}"), VercelFile::default());
}

#[test]
fn the_manifest_wins_key_by_key_and_that_is_told() {
    let mut own = manifest::parse(
        "trailing_slash = true\n[[redirects]]\nfrom = \"/x\"\nto = \"/y\"\n[build]\ncommand = \"make\"",
    )
    .unwrap();
    let over = ok(FULL).merge(&mut own);
    assert_eq!(over.len(), 3, "{over:?}");
    for key in ["`redirects`", "`trailingSlash`", "`buildCommand`"] {
        assert!(over.iter().any(|sentence| sentence.contains(key)), "{key}");
    }
    let rules = &own.routing.rules;
    assert_eq!(
        (rules.redirects.len(), rules.rewrites.len(), rules.headers.len()),
        (1, 1, 1)
    );
    assert_eq!((rules.clean_urls, rules.trailing_slash), (Some(true), Some(true)));
    assert_eq!(own.build.command, Some(Command::Line("make".into())));
    assert_eq!(own.build.install, Some(Command::Line("npm ci".into())));
    let mut empty = Manifest::default();
    assert_eq!(ok(FULL).merge(&mut empty), [] as [String; 0]);
    assert_eq!(empty.routing.rules.redirects.len(), 4);
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let found = problems(
        r#"{ "cleanUrls": "yes", "buildCommand": 7, "outputDirectory": "../up",
        "redirects": [7, { "source": "/(", "destination": "//evil.com" }, { "source": "/a", "destination": "/a" },
          { "source": "/a", "destination": "/b", "statusCode": 200 },
          { "source": "/a", "destination": "/b", "has": [{ "type": "moon", "key": "x" }] },
          { "source": "/a", "destination": "/b", "has": [{ "type": "query", "key": "x", "value": { "odd": 1 } }] }],
        "rewrites": [{ "source": "/api/(.*)", "destination": "https://api.example.com/$1" }, { "source": "/x" }],
        "headers": [{ "source": "/x", "headers": [{ "key": "x-a", "value": "a\r\nb" }] }, { "source": "/y" }] }"#,
    );
    for part in [
        "`cleanUrls`: it is not `true`",
        "`buildCommand`: it is not a text",
        "`outputDirectory`",
        "`redirects[0]`: it is not an object",
        "`redirects[1].source`: `/(` is not a pattern",
        "`redirects[1].destination`: `//evil.com` is not a destination",
        "`redirects[2]`: `/a` leads to itself",
        "`redirects[3]`: 200",
        "`redirects[4].has`: `type`",
        "`redirects[5].has`: unknown field `odd`",
        "`rewrites[0]`: `https://api.example.com/$1` is another host",
        "`rewrites[1].destination`: it is missing",
        "`headers[0]`: the header `x-a`",
        "`headers[1].headers`: it is missing",
    ] {
        assert!(
            found.iter().any(|problem| problem.starts_with(part)),
            "{part}\n{found:#?}"
        );
    }
}

#[test]
fn hostile_files_are_refused_and_soon() {
    for text in [
        "",
        "[]",
        "null",
        "{",
        "\0",
        &"[".repeat(100_000),
        &format!("{{\"a\": \"{}\"}}", "x".repeat(2 << 20)),
    ] {
        assert!(parse(text).is_err(), "{:.40}", text);
    }
    let rule = r#"{"source":"/a","destination":"/b"}"#;
    let many = format!("{{\"redirects\":[{}]}}", vec![rule; 2049].join(","));
    assert!(problems(&many)[0].contains("2049"), "{:?}", problems(&many));
    let fine = format!("{{\"redirects\":[{}]}}", vec![rule; 2048].join(","));
    assert_eq!(ok(&fine).rules.redirects.len(), 2048);
    let bad = format!(
        "{{\"redirects\":[{}]}}",
        vec![r#"{"source":"/("}"#; 2048].join(",")
    );
    assert_eq!(problems(&bad).len(), 51);
    let told = ok(&format!("{{\"{}\\u0007\":1}}", "k".repeat(5000))).ignored;
    assert!(told[0].len() < 200 && !told[0].contains('\u{7}'));
}

#[test]
fn images_are_taken_over_and_what_is_not_kept_is_told() {
    let file = ok(r#"{ "images": {
        "sizes": [256, 640], "qualities": [60, 90], "formats": ["image/avif", "image/webp"], "minimumCacheTTL": 3600,
        "localPatterns": [{ "pathname": "^/assets/.*$", "search": "" }, { "pathname": "/a/(?:b|c)\\.png" }],
        "dangerouslyAllowSVG": true, "domains": ["cdn.example.com"], "remotePatterns": [],
        "contentSecurityPolicy": "x", "loader": "x"
    } }"#);
    let images = file.rules.images.as_ref().unwrap();
    assert_eq!(
        (&*images.widths, &*images.qualities),
        (&[256, 640][..], &[60, 90][..])
    );
    assert_eq!(
        (images.formats.len(), images.svg, images.keep.to_string().as_str()),
        (1, true, "1h")
    );
    let takes = |path: &str| images.paths.iter().any(|pattern| pattern.matches(path));
    for (path, expected) in [
        ("/assets/x.png", true),
        ("/assets/deep/x.png", true),
        ("/x/assets/x.png", false),
        ("/assetsx.png", false),
        ("/a/b.png", true),
        ("/a/d.png", false),
        ("/a/b.png.exe", false),
    ] {
        assert_eq!(takes(path), expected, "{path}");
    }
    for key in ["formats", "search", "domains", "contentSecurityPolicy", "loader"] {
        let told = |sentence: &&String| sentence.contains(key);
        assert_eq!(
            file.ignored.iter().filter(told).count(),
            1,
            "{key}: {:?}",
            file.ignored
        );
    }
    assert_eq!(file.ignored.len(), 5);
    // The smallest file that Vercel takes.
    let small = ok(r#"{ "images": { "sizes": [64] } }"#);
    let images = small.rules.images.as_ref().unwrap();
    assert_eq!((&*images.widths, &*images.qualities), (&[64][..], &[75][..]));
    assert!(images.paths.is_empty() && small.ignored[0].contains("no other quality than 75"));
    assert_eq!(ok(r#"{ "images": null }"#), VercelFile::default());
    // hostkit.toml wins.
    let mut own = manifest::parse("[images]\nwidths = [100]").unwrap();
    assert_eq!(small.merge(&mut own).len(), 1);
    assert_eq!(own.routing.rules.images.unwrap().widths, [100]);
}

/// A narrowing that is not understood would let more be asked for.
#[test]
fn images_that_mean_something_else_are_refused() {
    for (images, why) in [
        ("17", "`images`: it is not an object"),
        (r#"{ "sizes": [] }"#, "`widths` is empty"),
        (r#"{ "sizes": [0] }"#, "0 is not a width"),
        (
            r#"{ "sizes": [99999999999999] }"#,
            "`images.sizes`: it is not a list of whole numbers",
        ),
        (
            r#"{ "sizes": [1.5] }"#,
            "`images.sizes`: it is not a list of whole numbers",
        ),
        (
            r#"{ "sizes": "64" }"#,
            "`images.sizes`: it is not a list of whole numbers",
        ),
        (r#"{ "qualities": [0] }"#, "0 is not a quality"),
        (
            r#"{ "qualities": [300] }"#,
            "`images.qualities`: it is not a list",
        ),
        (r#"{ "formats": ["image/tiff"] }"#, "`images.formats`: it takes"),
        (
            r#"{ "formats": "image/webp" }"#,
            "`images.formats`: it is not a list",
        ),
        (
            r#"{ "minimumCacheTTL": -1 }"#,
            "`images.minimumCacheTTL`: it is not a whole number",
        ),
        (
            r#"{ "minimumCacheTTL": 1e12 }"#,
            "`images.minimumCacheTTL`: it is not a whole number",
        ),
        (
            r#"{ "dangerouslyAllowSVG": 1 }"#,
            "`images.dangerouslyAllowSVG`: it is not `true`",
        ),
        (
            r#"{ "localPatterns": [] }"#,
            "`images.localPatterns`: it is empty",
        ),
        (
            r#"{ "localPatterns": {} }"#,
            "`images.localPatterns`: it is not a list",
        ),
        (
            r#"{ "localPatterns": [{ "pathname": 1 }] }"#,
            "`images.localPatterns[0].pathname`: it is not a text",
        ),
        (
            r#"{ "localPatterns": [{ "pathname": "assets" }] }"#,
            "it has to begin with `/`",
        ),
        (
            r#"{ "localPatterns": [{ "pathname": "/(" }] }"#,
            "`images.localPatterns[0].pathname`",
        ),
        (
            r#"{ "localPatterns": [{ "pathname": "/a)|(.*" }] }"#,
            "`images.localPatterns[0].pathname`",
        ),
        (
            r#"{ "localPatterns": [{ "pathname": "^/a$|^/b$" }] }"#,
            "`images.localPatterns[0].pathname`",
        ),
    ] {
        let told = problems(&format!(r#"{{ "images": {images} }}"#));
        assert!(
            told.iter().any(|problem| problem.contains(why)),
            "{images}: {told:?}"
        );
    }
}
