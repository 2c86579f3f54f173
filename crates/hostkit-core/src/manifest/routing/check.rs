//! From the file's values to [`Routing`], and what they must keep together.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::DeValue;

use super::{Password, PathRule, Routing};
use crate::manifest::check::View;
use crate::manifest::problems::Collector;
use crate::manifest::{ProcessRule, Reach};
use crate::names::ProcessName;
use crate::route::condition::{Condition, Place, ValuePattern, ValueTest};
use crate::route::headers::{Cors, HeaderRule, SecurityHeader, SecurityHeaders};
use crate::route::images::{ImageFormat, Images};
use crate::route::limits::{Counted, RateLimit};
use crate::route::pattern::PathPattern;
use crate::route::rules::{Redirect, Rewrite, Rules, Stage};
use crate::route::{AnswerRule, Compression};

/// What the file says of requests, its problems reported.
pub(in crate::manifest) fn routing(
    root: View<'_>,
    processes: &BTreeMap<ProcessName, ProcessRule>,
    problems: &mut Collector<'_>,
) -> Routing {
    let access = root.table("access");
    let general = root.table("routing");
    let rules = Rules {
        maintenance: general.switch("maintenance").unwrap_or_default(),
        allow: access.list("allow").into_iter().map(|(_, range)| range).collect(),
        basic_auth: None,
        limits: limits(root),
        canonical_host: general.parsed("canonical_host"),
        redirects: each(root, "redirects", problems, redirect, Redirect::check),
        headers: each(root, "headers", problems, header_rule, HeaderRule::check),
        rewrites: each(root, "rewrites", problems, rewrite, Rewrite::check),
        cors: root.has("cors").then(|| cors(root.table("cors"))),
        images: root.has("images").then(|| images(root.table("images"))),
        security_headers: security_headers(root.table("security_headers")),
        timeout: general.maybe_span("timeout"),
        body_limit: general.size("body_limit"),
        clean_urls: root.switch("clean_urls"),
        trailing_slash: root.switch("trailing_slash"),
        strip_prefix: false,
    };
    if problems.is_empty()
        && let Err((table, _, why)) = rules.check()
    {
        problems.add(root.place(table), table, format!("`{table}`: {why}"), None);
    }
    Routing {
        rules,
        basic_auth: password(root, access.table("basic_auth"), problems),
        paths: paths(root, processes, problems),
        compression: match root.table("compression").switch("enabled") {
            Some(false) => Compression::Off,
            _ => Compression::On,
        },
        answers: answers(root, problems),
    }
}

fn answers(root: View<'_>, problems: &mut Collector<'_>) -> AnswerRule {
    let cache = root.table("cache");
    let largest = cache.size("largest");
    if largest.is_some_and(|largest| largest > AnswerRule::LARGEST_KEPT) {
        let most = AnswerRule::LARGEST_KEPT;
        let message = format!("`cache.largest` cannot be more than {most}");
        problems.add(cache.place("largest"), "cache.largest", message, None);
    }
    AnswerRule {
        cache: cache.switch("enabled").unwrap_or(true),
        largest_kept: largest,
        smallest_compressed: root.table("compression").size("smallest"),
    }
}

/// The entries of a list of tables that are whole, each with what is wrong with it reported.
fn each<T>(
    root: View<'_>,
    key: &str,
    problems: &mut Collector<'_>,
    read: fn(View<'_>) -> Option<T>,
    check: fn(&T) -> Result<(), String>,
) -> Vec<T> {
    let mut all = Vec::new();
    for (at, view) in tables(root, key) {
        // What is missing or broken by itself was told already.
        let Some(rule) = read(view) else { continue };
        if let Err(why) = check(&rule) {
            problems.add(at, key, format!("`{key}`: {why}"), None);
        }
        all.push(rule);
    }
    all
}

fn tables<'a>(view: View<'a>, key: &str) -> Vec<(Range<usize>, View<'a>)> {
    view.items(key)
        .filter_map(|item| match item.get_ref() {
            DeValue::Table(table) => Some((item.span(), View(Some(table)))),
            _ => None,
        })
        .collect()
}

fn pattern(view: View<'_>, key: &str) -> Option<PathPattern> {
    PathPattern::parse(view.text(key)?).ok()
}

fn redirect(view: View<'_>) -> Option<Redirect> {
    Some(Redirect {
        from: pattern(view, "from")?,
        to: view.text("to")?.to_owned().try_into().ok()?,
        status: view.whole("status").unwrap_or(307),
        has: conditions(view, "has"),
        missing: conditions(view, "missing"),
    })
}

fn rewrite(view: View<'_>) -> Option<Rewrite> {
    Some(Rewrite {
        from: pattern(view, "from")?,
        to: view.text("to")?.to_owned().try_into().ok()?,
        stage: match view.switch("before_files") {
            Some(true) => Stage::BeforeFiles,
            _ => Stage::AfterFiles,
        },
        has: conditions(view, "has"),
        missing: conditions(view, "missing"),
    })
}

fn header_rule(view: View<'_>) -> Option<HeaderRule> {
    let set = view.table("set").entries();
    Some(HeaderRule {
        path: pattern(view, "for")?,
        set: set
            .filter_map(|(name, value)| {
                Some((name.get_ref().to_string(), value.get_ref().as_str()?.to_owned()))
            })
            .collect(),
        has: conditions(view, "has"),
        missing: conditions(view, "missing"),
    })
}

fn conditions(view: View<'_>, key: &str) -> Vec<Condition> {
    let text = |view: View<'_>, key: &str| view.text(key).map(str::to_owned);
    let list = |view: View<'_>, key: &str| {
        let found = view.list::<String>(key).into_iter().map(|(_, text)| text);
        view.has(key).then(|| found.collect())
    };
    let number = |view: View<'_>, key: &str| view.whole::<i32>(key).map(f64::from);
    tables(view, key)
        .into_iter()
        .filter_map(|(_, view)| {
            Some(Condition {
                place: Place::parse(view.text("type")?)?,
                key: text(view, "key"),
                value: ValueTest {
                    re: view.text("value").and_then(|text| ValuePattern::parse(text).ok()),
                    eq: text(view, "eq"),
                    neq: text(view, "neq"),
                    inc: list(view, "inc"),
                    ninc: list(view, "ninc"),
                    pre: text(view, "pre"),
                    suf: text(view, "suf"),
                    gt: number(view, "gt"),
                    gte: number(view, "gte"),
                    lt: number(view, "lt"),
                    lte: number(view, "lte"),
                },
            })
        })
        .collect()
}

fn limits(root: View<'_>) -> Vec<RateLimit> {
    let limit = |view: View<'_>| {
        Some(RateLimit {
            path: PathPattern::parse(view.text("path").unwrap_or("/(.*)")).ok()?,
            rate: view.parsed("rate")?,
            burst: view.whole("burst"),
            per: view.parsed::<Counted>("per").unwrap_or_default(),
        })
    };
    let all = tables(root, "limits").into_iter();
    all.filter_map(|(_, view)| limit(view)).collect()
}

fn cors(view: View<'_>) -> Cors {
    let default = Cors::default();
    let list = |key: &str| {
        let found = view.list::<String>(key).into_iter().map(|(_, text)| text);
        view.has(key).then(|| found.collect::<Vec<String>>())
    };
    Cors {
        origins: list("origins").unwrap_or_default(),
        methods: list("methods").unwrap_or(default.methods),
        headers: list("headers").unwrap_or(default.headers),
        expose: list("expose").unwrap_or_default(),
        credentials: view.switch("credentials").unwrap_or_default(),
        max_age: view.maybe_span("max_age").unwrap_or(default.max_age),
    }
}

fn images(view: View<'_>) -> Images {
    let default = Images::default();
    let numbers = |key: &str| view.has(key).then(|| view.wholes(key));
    let formats = |key: &str| {
        let found = view.list::<String>(key).into_iter();
        view.has(key).then(|| found.map(|_| ImageFormat::Webp).collect())
    };
    Images {
        widths: numbers("widths").unwrap_or(default.widths),
        qualities: match numbers("qualities") {
            // Each is looked at by its shape; one that is wrong was told already.
            Some(all) => all.into_iter().filter_map(|one| u8::try_from(one).ok()).collect(),
            None => default.qualities,
        },
        formats: formats("formats").unwrap_or(default.formats),
        paths: {
            let found = view.list::<String>("paths").into_iter();
            found
                .filter_map(|(_, path)| PathPattern::parse(&path).ok())
                .collect()
        },
        keep: view.maybe_span("keep").unwrap_or(default.keep),
        svg: view.switch("svg").unwrap_or(default.svg),
    }
}

fn security_headers(view: View<'_>) -> SecurityHeaders {
    let header = |key: &str| match (view.text(key), view.switch(key)) {
        (Some(value), _) => SecurityHeader::Value(value.to_owned()),
        (_, Some(false)) => SecurityHeader::Off,
        _ => SecurityHeader::Standard,
    };
    SecurityHeaders {
        hsts: header("hsts"),
        frame_options: header("frame_options"),
        content_type_options: header("content_type_options"),
        referrer_policy: header("referrer_policy"),
        permissions_policy: header("permissions_policy"),
        content_security_policy: header("content_security_policy"),
    }
}

fn password(root: View<'_>, view: View<'_>, problems: &mut Collector<'_>) -> Option<Password> {
    let (user, variable) = (view.text("user")?, view.text("password_variable")?);
    if root.table("variables").table("defaults").has(variable) {
        let message = format!("`{variable}` is a password: it cannot have a value in this file");
        let key = "access.basic_auth.password_variable";
        problems.add(view.place("password_variable"), key, message, None);
    }
    Some(Password {
        user: user.to_owned(),
        variable: variable.parse().ok()?,
    })
}

fn paths(
    root: View<'_>,
    processes: &BTreeMap<ProcessName, ProcessRule>,
    problems: &mut Collector<'_>,
) -> Vec<PathRule> {
    let mut all: Vec<PathRule> = Vec::new();
    for (at, view) in tables(root, "routes") {
        let (Some(path), Some(process)) = (view.text("path"), view.parsed::<ProcessName>("process")) else {
            continue;
        };
        let path = path.trim_end_matches('/').to_owned();
        if all.iter().any(|other| other.path == path) {
            problems.add(at, "routes.path", format!("`routes` names `{path}` twice"), None);
        }
        // Of a process the file says nothing of, the builder may know; it is looked at again when there is a release.
        if let Some(rule) = processes.get(&process)
            && rule.reach == Reach::Unreachable
        {
            let message =
                format!("`{process}` has no port that `{path}` could lead to: set `internal = true` for it");
            problems.add(view.place("process"), "routes.process", message, None);
        }
        all.push(PathRule {
            path,
            process,
            strip_prefix: view.switch("strip_prefix").unwrap_or_default(),
            timeout: view.maybe_span("timeout"),
            body_limit: view.size("body_limit"),
        });
    }
    all
}
