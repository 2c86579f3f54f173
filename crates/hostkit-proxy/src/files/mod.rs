//! Static sites, served by the front door itself: the files of a release, nothing above them and nothing hidden.
//! [`path`] says which file is meant, [`open`] opens it below the root, [`cache`] remembers it for a
//! moment, [`conditions`] reads what the client has.

pub(crate) mod cache;
pub(crate) mod conditions;
mod forms;
mod open;
pub(crate) mod path;
mod stream;

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use crate::body::{AnswerBody, Source};
use crate::exchange::Exchange;
use crate::forward::head;
use crate::page::Page;
use crate::rules;
use cache::{Content, Ready};
use conditions::Validators;
pub(crate) use conditions::{Part, parse_range};
use open::{Found, Opened, Root};
use path::Wanted;
pub(crate) use stream::FileBody;

/// Files up to this size are read in one go.
const SMALL: u64 = 128 * 1024;
/// Folders whose files have a hash in their names: they never change.
const HASHED: [&str; 2] = ["assets/", "_next/static/"];
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ALWAYS_ASK: HeaderValue = HeaderValue::from_static("public, max-age=0, must-revalidate");

/// The files of one release.
pub(crate) struct Site {
    /// Tells it from all others there ever were, in caches.
    number: u64,
    /// The live release's folder, and those of the releases before it, in which hashed files are looked for that pages
    /// of then still ask for.
    roots: Vec<Root>,
    single_page: bool,
    release: String,
}

impl Site {
    /// The files below `root`; hashed ones below `earlier` as well.
    pub(crate) fn new(root: PathBuf, earlier: Vec<PathBuf>, single_page: bool, release: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Site {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            roots: std::iter::once(root).chain(earlier).map(Root::new).collect(),
            single_page,
            release: release.to_owned(),
        }
    }

    /// The file `name`, from memory where it was looked at a moment ago.
    async fn find(&self, name: &[u8], exchange: &Exchange) -> io::Result<Found<Rc<Ready>>> {
        let (cache, now) = (&exchange.client.worker.files, exchange.began);
        let kept = cache.borrow().get(self.number, name, now);
        if let Some(file) = kept {
            return Ok(Found::File(file));
        }
        let roots = if is_hashed(name) { self.roots.len() } else { 1 };
        for at in 0..roots {
            match self.roots[at].open(name.to_vec()).await? {
                Found::File(file) => {
                    let file = Rc::new(self.ready(name, file, at));
                    cache.borrow_mut().keep(self.number, name, &file, now);
                    return Ok(Found::File(file));
                }
                Found::Folder => return Ok(Found::Folder),
                Found::Nothing => {}
            }
        }
        Ok(Found::Nothing)
    }

    fn ready(&self, name: &[u8], file: Opened, root: usize) -> Ready {
        let validators = Validators::of(&self.release, &file);
        let fd = Arc::new(file.fd);
        Ready {
            size: file.size,
            validators,
            kind: content_type(name),
            content: match FileBody::new(Arc::clone(&fd), 0, file.size).read_small(SMALL) {
                Some(bytes) => Content::Memory(Bytes::from(bytes)),
                None => Content::Open(fd),
            },
            root,
            coding: None,
            varies: false,
            forms: Default::default(),
        }
    }
}

fn is_hashed(name: &[u8]) -> bool {
    HASHED.iter().any(|folder| name.starts_with(folder.as_bytes()))
}

/// Answers a request with a file.
pub(crate) async fn serve(
    mut exchange: Box<Exchange>,
    site: &Site,
    headers: HeaderMap,
    accept: Option<&HeaderValue>,
) -> Response<AnswerBody> {
    if !matches!(exchange.method, Method::GET | Method::HEAD) {
        return Page::only_reading().answer(exchange, accept);
    }
    let Some(wanted) = path::wanted(exchange.target().path()) else {
        return not_found(exchange, site, headers, accept).await;
    };
    let found = if wanted.is_folder {
        site.find(&wanted.below("index.html"), &exchange).await
    } else {
        site.find(&wanted.file, &exchange).await
    };
    match found {
        Ok(Found::File(file)) => {
            let file = site.form(file, &wanted, &exchange).await;
            send(exchange, &file, headers, &wanted.file, StatusCode::OK)
        }
        Ok(Found::Folder) if !wanted.is_folder => {
            match site.find(&wanted.below("index.html"), &exchange).await {
                Ok(Found::File(file)) if rules::folder_is_page(&exchange) => {
                    let page = Wanted {
                        is_folder: true,
                        ..wanted
                    };
                    let file = site.form(file, &page, &exchange).await;
                    send(exchange, &file, headers, &page.file, StatusCode::OK)
                }
                Ok(Found::File(_)) => redirect(exchange),
                _ => not_found(exchange, site, headers, accept).await,
            }
        }
        Ok(Found::Folder | Found::Nothing) => {
            if let Some(name) = rules::clean_name(&exchange, &wanted.file)
                && let Ok(Found::File(file)) = site.find(&name, &exchange).await
            {
                let page = Wanted {
                    file: name,
                    is_folder: false,
                };
                let file = site.form(file, &page, &exchange).await;
                return send(exchange, &file, headers, &page.file, StatusCode::OK);
            }
            if rules::fall_back(&mut exchange, &headers) {
                return Box::pin(serve(exchange, site, headers, accept)).await;
            }
            if site.single_page
                && !is_hashed(&wanted.file)
                && let Ok(Found::File(file)) = site.find(b"index.html", &exchange).await
            {
                let file = site.form(file, &Wanted::named("index.html"), &exchange).await;
                return send(exchange, &file, headers, b"index.html", StatusCode::OK);
            }
            not_found(exchange, site, headers, accept).await
        }
        Err(error) => {
            tracing::warn!(root = %site.roots[0].path().display(), "cannot read a file of a release: {error}");
            let page = Page::files_missing(exchange.route.as_deref());
            page.answer(exchange, accept)
        }
    }
}

/// A folder was asked for without its slash: relative links of its page would lead astray.
fn redirect(mut exchange: Box<Exchange>) -> Response<AnswerBody> {
    let name = exchange.uri.path().rsplit('/').next().unwrap_or_default();
    let query = exchange
        .uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    // Relative, and begun with a dot so that no name can pose as another host or scheme.
    let location = HeaderValue::from_str(&format!("./{name}/{query}"));
    exchange.status = StatusCode::MOVED_PERMANENTLY.as_u16();
    let release = exchange.route.as_ref().and_then(|route| route.release.clone());
    let id = exchange.id.clone();
    let mut answer = Response::new(AnswerBody::new(Source::Empty, exchange));
    *answer.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(location) = location {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer.headers_mut().insert(header::CACHE_CONTROL, ALWAYS_ASK);
    head::sign_answer(answer.headers_mut(), release.as_ref(), &id);
    answer
}

/// The site's own page for what is not there, or ours.
async fn not_found(
    exchange: Box<Exchange>,
    site: &Site,
    headers: HeaderMap,
    accept: Option<&HeaderValue>,
) -> Response<AnswerBody> {
    match site.find(b"404.html", &exchange).await {
        Ok(Found::File(file)) => {
            let file = site.form(file, &Wanted::named("404.html"), &exchange).await;
            send(exchange, &file, headers, b"404.html", StatusCode::NOT_FOUND)
        }
        Err(_) => {
            let page = Page::files_missing(exchange.route.as_deref());
            page.answer(exchange, accept)
        }
        Ok(_) => {
            let page = Page::no_such_file(exchange.route.as_deref());
            page.answer(exchange, accept)
        }
    }
}

/// Answers with a file. `headers` are the request's; their memory becomes the answer's.
fn send(
    mut exchange: Box<Exchange>,
    file: &Ready,
    mut headers: HeaderMap,
    name: &[u8],
    status: StatusCode,
) -> Response<AnswerBody> {
    let part = if status == StatusCode::OK {
        conditions::part(&headers, &file.validators, file.size)
    } else {
        Part::Whole
    };
    headers.clear();
    let (status, from, length) = match part {
        Part::Whole => (status, 0, file.size),
        Part::Unchanged => (StatusCode::NOT_MODIFIED, 0, 0),
        Part::Range { from, length } => (StatusCode::PARTIAL_CONTENT, from, length),
        Part::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    let is_page = file.kind.as_bytes().starts_with(b"text/html");
    headers.insert(
        header::CACHE_CONTROL,
        if is_hashed(name) && !is_page {
            FOREVER
        } else {
            ALWAYS_ASK
        },
    );
    if status.as_u16() != 404 {
        headers.insert(header::ETAG, file.validators.tag.clone());
        headers.insert(header::LAST_MODIFIED, file.validators.modified_text.clone());
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    if file.varies {
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    match status {
        StatusCode::NOT_MODIFIED => {}
        StatusCode::RANGE_NOT_SATISFIABLE => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
        }
        _ => {
            headers.insert(header::CONTENT_TYPE, file.kind.clone());
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            if let Some(coding) = file.coding {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
            }
        }
    }
    let range = match part {
        Part::Range { from, length } => Some(format!("bytes {from}-{}/{}", from + length - 1, file.size)),
        Part::Unsatisfiable => Some(format!("bytes */{}", file.size)),
        Part::Whole | Part::Unchanged => None,
    };
    if let Some(Ok(range)) = range.map(|range| HeaderValue::from_str(&range)) {
        headers.insert(header::CONTENT_RANGE, range);
    }
    let source = if exchange.method == Method::HEAD || length == 0 {
        Source::Empty
    } else {
        match &file.content {
            Content::Memory(bytes) => Source::Full(bytes.slice(from as usize..(from + length) as usize)),
            Content::Open(fd) => Source::File(FileBody::new(Arc::clone(fd), from, length)),
        }
    };
    head::sign_answer(
        &mut headers,
        exchange.route.as_ref().and_then(|route| route.release.as_ref()),
        &exchange.id,
    );
    exchange.status = status.as_u16();
    let mut answer = Response::new(AnswerBody::new(source, exchange));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

fn content_type(name: &[u8]) -> HeaderValue {
    let extension = name.rsplit(|b| *b == b'/').next().and_then(|last| {
        let dot = last.iter().rposition(|b| *b == b'.')?;
        std::str::from_utf8(&last[dot + 1..]).ok()
    });
    match extension {
        Some("html" | "htm") => HeaderValue::from_static("text/html; charset=utf-8"),
        Some("js" | "mjs") => HeaderValue::from_static("text/javascript; charset=utf-8"),
        Some("css") => HeaderValue::from_static("text/css; charset=utf-8"),
        Some(extension) => {
            let kind = mime_guess::from_ext(extension).first_or_octet_stream();
            let is_text = kind.type_() == mime_guess::mime::TEXT
                || matches!(
                    kind.subtype().as_str(),
                    "json" | "xml" | "manifest+json" | "geo+json" | "ld+json"
                )
                || kind
                    .suffix()
                    .is_some_and(|suffix| suffix == "xml" || suffix == "json");
            let text = if is_text {
                format!("{}; charset=utf-8", kind.essence_str())
            } else {
                kind.to_string()
            };
            HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("application/octet-stream"))
        }
        None => HeaderValue::from_static("application/octet-stream"),
    }
}

/// Whole seconds since 1970, as HTTP dates have them.
fn whole_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests;
