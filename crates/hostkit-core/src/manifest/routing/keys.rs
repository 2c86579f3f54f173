//! The keys of `hostkit.toml` about requests.

use super::words::{
    ALLOWED_HEADER, DESTINATION, HEADER_NAME, HEADER_VALUE, METHOD, ORIGIN, PATTERN, PREFIX, RANGE, RATE,
    USER, VALUE,
};
use crate::manifest::keys::{FREE, FREE_VARIABLE, HOST, HOUR, Key, MINUTE, PROCESS, SECOND, Shape, keys};
use crate::route::condition::Place;
use crate::route::images::{ImageFormat, WIDEST};
use crate::route::limits::Counted;

/// The statuses of a redirect, least and most.
const STATUS: Shape = Shape::Whole(301, 308);

pub(in crate::manifest) const REDIRECT: &[Key] = keys! {
    "from" Shape::Text(&PATTERN), [needed], "The paths: `/old`, `/old/:id`, `/blog/:path*`, `/(\\\\d+)`.";
    "to" Shape::Text(&DESTINATION), [needed], "A path, or an address with `https://`. `:id` and `$1` stand for what the pattern found.";
    "status" STATUS, = "307", "301, 302, 303, 307 or 308. Browsers keep 301 and 308 for long.";
    "has" Shape::List(&Shape::Table(CONDITION)), , "Conditions that must all hold.";
    "missing" Shape::List(&Shape::Table(CONDITION)), , "Conditions of which none may hold.";
};

pub(in crate::manifest) const REWRITE: &[Key] = keys! {
    "from" Shape::Text(&PATTERN), [needed], "The paths, as for redirects.";
    "to" Shape::Text(&DESTINATION), [needed], "The path that is answered in their place, of the same host.";
    "before_files" Shape::Switch, = "false", "Whether it goes before the files of a static site; else it is for what no file answers.";
    "has" Shape::List(&Shape::Table(CONDITION)), , "Conditions that must all hold.";
    "missing" Shape::List(&Shape::Table(CONDITION)), , "Conditions of which none may hold.";
};

pub(in crate::manifest) const HEADER: &[Key] = keys! {
    "for" Shape::Text(&PATTERN), [needed], "The paths, as for redirects.";
    "set" Shape::Named(&HEADER_NAME, &Shape::Text(&HEADER_VALUE)), [needed], "Headers and their values.";
    "has" Shape::List(&Shape::Table(CONDITION)), , "Conditions that must all hold.";
    "missing" Shape::List(&Shape::Table(CONDITION)), , "Conditions of which none may hold.";
};

const CONDITION: &[Key] = keys! {
    "type" Shape::OneOf(&Place::WORDS), [needed], "Where to look: `host`, `header`, `cookie` or `query`.";
    "key" Shape::Text(&FREE), , "The name of the header, cookie or parameter.";
    "value" Shape::Text(&VALUE), , "An expression for the whole value; `(?<name>…)` gives `:name` to the destination.";
    "eq" Shape::Text(&FREE), , "Exactly this.";
    "neq" Shape::Text(&FREE), , "Anything but this.";
    "inc" Shape::List(&Shape::Text(&FREE)), , "One of these.";
    "ninc" Shape::List(&Shape::Text(&FREE)), , "None of these.";
    "pre" Shape::Text(&FREE), , "It begins so.";
    "suf" Shape::Text(&FREE), , "It ends so.";
    "gt" NUMBER, , "A number above this.";
    "gte" NUMBER, , "A number not below this.";
    "lt" NUMBER, , "A number below this.";
    "lte" NUMBER, , "A number not above this.";
};

const NUMBER: Shape = Shape::Whole(-1_000_000_000, 1_000_000_000);

pub(in crate::manifest) const ROUTE: &[Key] = keys! {
    "path" Shape::Text(&PREFIX), [needed], "The path: it and all below it. The longest one that fits holds.";
    "process" Shape::Text(&PROCESS), [needed], "The process that answers there. It has a port: it is public or `internal`.";
    "strip_prefix" Shape::Switch, = "false", "Whether the process sees paths without this one; it finds it in `X-Forwarded-Prefix`.";
    "timeout" Shape::Duration(SECOND, 5 * MINUTE), , "The longest until an answer begins, in place of the one in `[routing]`.";
    "body_limit" Shape::Size(1), , "The largest body of a request, in place of the one in `[routing]`.";
};

pub(in crate::manifest) const ROUTING: &[Key] = keys! {
    "canonical_host" Shape::Text(&HOST), , "The host all others redirect to. It holds in the environment that has this host.";
    "maintenance" Shape::Switch, = "false", "Whether everybody but the addresses in `access.allow` sees a page that says that the project is back soon (503).";
    "timeout" Shape::Duration(SECOND, 5 * MINUTE), , "The longest until an answer begins (else 504). Where it is missing, five minutes.";
    "body_limit" Shape::Size(1), , "The largest body of a request (else 413). Where it is missing there is no limit.";
};

pub(in crate::manifest) const COMPRESSION: &[Key] = keys! {
    "enabled" Shape::Switch, = "true", "Whether text is compressed on its way, for clients that take that. Off for answers that have a secret beside what a stranger can choose.";
    "smallest" Shape::Size(1024), = "\"1KB\"", "The smallest answer that is compressed. What has no length that is known beforehand always is.";
};

pub(in crate::manifest) const CACHE: &[Key] = keys! {
    "enabled" Shape::Switch, = "true", "Whether the front door keeps what the application marks as cacheable, and answers from there.";
    "largest" Shape::Size(1), = "\"8MB\"", "The largest answer that is kept.";
};

pub(in crate::manifest) const ACCESS: &[Key] = keys! {
    "allow" Shape::List(&Shape::Text(&RANGE)), , "The addresses that may come (else 403). Where it is missing, all.";
    "basic_auth" Shape::Table(BASIC_AUTH), , "A name and a password visitors must know (else 401).";
};

const BASIC_AUTH: &[Key] = keys! {
    "user" Shape::Text(&USER), [needed], "The name.";
    "password_variable" Shape::Text(&FREE_VARIABLE), [needed], "The variable that has the password. A deploy without a value for it is refused.";
};

pub(in crate::manifest) const CORS: &[Key] = keys! {
    "origins" Shape::List(&Shape::Text(&ORIGIN)), [needed], "The sites whose scripts may read answers: `https://example.com`, `https://*.example.com`, or `*` for all.";
    "methods" Shape::List(&Shape::Text(&METHOD)), = "[\"GET\", \"HEAD\", \"POST\", \"PUT\", \"PATCH\", \"DELETE\"]", "The methods they may use.";
    "headers" Shape::List(&Shape::Text(&ALLOWED_HEADER)), = "[\"*\"]", "The headers they may send; `*` for those they ask for.";
    "expose" Shape::List(&Shape::Text(&ALLOWED_HEADER)), , "The headers of answers they may read besides the usual ones.";
    "credentials" Shape::Switch, = "false", "Whether cookies and passwords come along. Not with the origin `*`.";
    "max_age" Shape::Duration(0, 24 * HOUR), = "\"10m\"", "How long a browser remembers what it was told.";
};

pub(in crate::manifest) const IMAGES: &[Key] = keys! {
    "widths" Shape::List(&Shape::Whole(1, WIDEST as i64)), = "[16, 32, 48, 64, 96, 128, 256, 384, 640, 750, 828, 1080, 1200, 1920, 2048, 3840]", "The widths that may be asked for. An image is never made wider than it is.";
    "qualities" Shape::List(&Shape::Whole(1, 100)), = "[75]", "The qualities that may be asked for. The first one is used where none is.";
    "formats" Shape::List(&Shape::OneOf(&ImageFormat::WORDS)), = "[\"webp\"]", "The forms made for browsers that take them. With an empty list an image keeps its form.";
    "paths" Shape::List(&Shape::Text(&PATTERN)), , "The paths images are taken from, as for redirects. Where it is missing, all of the same host.";
    "keep" Shape::Duration(0, 365 * 24 * HOUR), = "\"1m\"", "How long an image is used before it is made anew, where its source does not say longer. A deploy ends it.";
    "svg" Shape::Switch, = "false", "Whether SVG files are passed as they are, in a sandbox.";
};

pub(in crate::manifest) const SECURITY_HEADERS: &[Key] = keys! {
    "hsts" Shape::TextOrOff(&HEADER_VALUE), = "\"max-age=31536000\"", "Strict-Transport-Security. Sent over TLS alone.";
    "frame_options" Shape::TextOrOff(&HEADER_VALUE), = "\"SAMEORIGIN\"", "X-Frame-Options.";
    "content_type_options" Shape::TextOrOff(&HEADER_VALUE), = "\"nosniff\"", "X-Content-Type-Options.";
    "referrer_policy" Shape::TextOrOff(&HEADER_VALUE), = "\"strict-origin-when-cross-origin\"", "Referrer-Policy.";
    "permissions_policy" Shape::TextOrOff(&HEADER_VALUE), = "\"camera=(self), geolocation=(self), microphone=(self)\"", "Permissions-Policy.";
    "content_security_policy" Shape::TextOrOff(&HEADER_VALUE), , "Content-Security-Policy. Sent only where it is set.";
};

pub(in crate::manifest) const LIMIT: &[Key] = keys! {
    "path" Shape::Text(&PATTERN), = "\"/(.*)\"", "The paths, as for redirects. All of them are counted together.";
    "rate" Shape::Text(&RATE), [needed], "How many requests in the long run (else 429): `10/s`, `100/m`, `5/10s`.";
    "burst" Shape::Whole(1, 1_000_000), , "How many at once. Where it is missing, as many as `rate` says.";
    "per" Shape::OneOf(&Counted::WORDS), = "\"client\"", "Who is counted together: `client`, an address (of IPv6 a /64), or `everybody`.";
};
