//! What the front door says itself: small pages that name the project, what is wrong and what to do next, as HTML
//! or JSON. They say nothing of addresses, files or errors behind the door.

use bytes::Bytes;
use hostkit_core::route::NothingReason;
use http::{HeaderValue, Method, Response, StatusCode, header};

use crate::body::{AnswerBody, Source};
use crate::exchange::Exchange;
use crate::forward::head::{self, Refusal};
use crate::forward::{Failed, HoldOver, Lack};
use crate::table::LiveRoute;

/// A page.
pub(crate) struct Page {
    status: StatusCode,
    code: &'static str,
    title: String,
    message: String,
    /// The next command to try.
    hint: Option<String>,
    retry_after: Option<u64>,
    /// The methods that are answered, where it is for the method.
    allow: Option<&'static str>,
    /// The connection is closed behind it.
    close: bool,
}

impl Page {
    /// A page without anything to try next.
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        title: impl Into<String>,
        message: impl Into<String>,
    ) -> Page {
        Page {
            status,
            code,
            title: title.into(),
            message: message.into(),
            hint: None,
            retry_after: None,
            allow: None,
            close: false,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Page {
        self.hint = Some(hint.into());
        self
    }

    /// When it makes sense to ask again.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Page {
        self.retry_after = Some(seconds);
        self
    }

    /// The connection is closed behind it.
    pub(crate) fn closing(mut self) -> Page {
        self.close = true;
        self
    }

    /// A request that is not taken.
    pub(crate) fn refused(refusal: &Refusal) -> Page {
        let mut page = Page::new(
            refusal.status,
            refusal.code,
            "This request cannot be answered",
            refusal.message,
        );
        // Who sends one such request is not to be trusted with where the next one begins.
        page.close = true;
        page.allow = refusal.allow;
        page
    }

    /// A host that the connection was not opened for.
    pub(crate) fn misdirected() -> Page {
        Page::new(
            StatusCode::MISDIRECTED_REQUEST,
            "other_host",
            "This connection is for another host",
            "The request is for another host than the one its connection was opened for.",
        )
    }

    /// A client that wants nothing but what is kept.
    pub(crate) fn not_cached() -> Page {
        Page::new(
            StatusCode::GATEWAY_TIMEOUT,
            "not_cached",
            "Not cached",
            "The request takes only an answer that is cached, and there is none.",
        )
    }

    /// No route for a host.
    pub(crate) fn nobody_here(host: &str) -> Page {
        Page::new(
            StatusCode::NOT_FOUND,
            "no_such_host",
            "No project answers here",
            format!("No project of this server has the address `{host}`."),
        )
        .hint("hostkit status")
    }

    /// A route that leads nowhere on purpose.
    pub(crate) fn nothing(route: &LiveRoute, reason: NothingReason) -> Page {
        let (code, title, what, next) = match reason {
            NothingReason::DomainCheck => {
                return Page::new(StatusCode::OK, "domain_check", "HostKit answers here", &*route.id);
            }
            NothingReason::NeverDeployed => (
                "never_deployed",
                "Nothing here yet",
                "has not been deployed yet",
                "deploy",
            ),
            NothingReason::Stopped => ("stopped", "Stopped", "was stopped by its owner", "start"),
            NothingReason::NoPublicProcess => (
                "no_public_process",
                "Nothing to show",
                "has no process that answers the public",
                "ps",
            ),
        };
        Page::new(
            StatusCode::SERVICE_UNAVAILABLE,
            code,
            title,
            format!("{} {what}.", subject(route)),
        )
        .hint_for(route, next)
    }

    /// A request that was held for too long.
    pub(crate) fn hold_over(route: &LiveRoute, over: &HoldOver) -> Page {
        let page =
            |code, title, message| {
                Page::new(StatusCode::SERVICE_UNAVAILABLE, code, title, message)
                    .retry_after(if over.too_many { 1 } else { 5 })
            };
        let subject = subject(route);
        let seconds = over.waited.as_secs();
        if over.too_many {
            let state = match over.lack {
                Lack::Room => "busy",
                Lack::Instance | Lack::Connection => "not ready",
            };
            return page(
                "too_many_waiting",
                "Too many requests are waiting",
                format!("{subject} is {state}, and as many requests as may wait for it do already."),
            )
            .hint_for(route, "status");
        }
        let (code, title, message) = match over.lack {
            Lack::Connection => (
                "not_answering",
                "Not answering",
                format!("{subject} runs, but none of its instances took a connection within {seconds} s."),
            ),
            Lack::Instance => (
                "not_ready",
                "Not ready",
                format!("{subject} had no instance that is ready within {seconds} s."),
            ),
            Lack::Room => (
                "busy",
                "Busy",
                format!("{subject} had as many requests as its instances may have for {seconds} s."),
            ),
        };
        page(code, title, message).hint_for(route, "logs")
    }

    /// A request of a project that has as many under way as it may.
    pub(crate) fn over_limit(route: &LiveRoute) -> Page {
        Page::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_requests",
            "Too many requests",
            format!(
                "{} has as many requests under way as a project may have.",
                subject(route)
            ),
        )
        .retry_after(1)
        .hint_for(route, "logs")
    }

    /// A request that was sent and got no answer.
    pub(crate) fn failed(route: &LiveRoute, failed: Failed) -> Page {
        let subject = subject(route);
        match failed {
            Failed::Closed => Page::new(
                StatusCode::BAD_GATEWAY,
                "broken_off",
                "The answer broke off",
                format!("{subject} closed the connection before it answered. It may have crashed."),
            )
            .hint_for(route, "logs"),
            Failed::Malformed => Page::new(
                StatusCode::BAD_GATEWAY,
                "bad_answer",
                "The answer makes no sense",
                format!("{subject} sent something that is not a valid HTTP answer."),
            )
            .hint_for(route, "logs"),
            Failed::Paused => Page::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_paused",
                "The request took too long",
                "The request's body paused for too long.",
            ),
            Failed::Late => Page::new(
                StatusCode::GATEWAY_TIMEOUT,
                "no_answer",
                "No answer",
                format!("{subject} took the request and did not answer in time."),
            )
            .hint_for(route, "logs"),
            Failed::TooLarge => Page::too_large(),
            Failed::BadBody => Page::new(
                StatusCode::BAD_REQUEST,
                "bad_body",
                "The request's body cannot be read",
                "The request's body broke off or is not correctly encoded.",
            ),
        }
    }

    /// A file that is not there.
    pub(crate) fn no_such_file(route: Option<&LiveRoute>) -> Page {
        let subject = route.map_or_else(|| "This site".to_owned(), subject);
        Page::new(
            StatusCode::NOT_FOUND,
            "no_such_page",
            "Page not found",
            format!("{subject} has no page at this address."),
        )
    }

    /// A release whose files are gone.
    pub(crate) fn files_missing(route: Option<&LiveRoute>) -> Page {
        let page = Page::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "files_missing",
            "Not available",
            "The files of this site's live release cannot be read.",
        );
        match route {
            Some(route) => page.hint_for(route, "deploy"),
            None => page,
        }
    }

    /// A method that files do not answer.
    pub(crate) fn only_reading() -> Page {
        let mut page = Page::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "only_reading",
            "This address can only be read",
            "Files are answered to GET and HEAD.",
        );
        page.allow = Some("GET, HEAD");
        page
    }

    fn hint_for(self, route: &LiveRoute, command: &str) -> Page {
        match &route.project {
            Some(project) => {
                let hint = format!("hostkit {command} --project {project}");
                self.hint(hint)
            }
            None => self.hint("hostkit status"),
        }
    }

    /// The answer to an exchange with this page.
    pub(crate) fn answer(
        self,
        mut exchange: Box<Exchange>,
        accept: Option<&HeaderValue>,
    ) -> Response<AnswerBody> {
        exchange.status = self.status.as_u16();
        // One of many requests is refused alone: where it ends is beyond doubt.
        let closes = self.close && exchange.stream.is_none();
        exchange.closes = closes;
        let json = prefers_json(accept);
        let text = if json { self.json() } else { self.html(&exchange) };
        let length = text.len();
        let body = if exchange.method == Method::HEAD {
            Source::Empty
        } else {
            Source::Full(Bytes::from(text))
        };
        let id = exchange.id.clone();
        let release = exchange.route.as_ref().and_then(|route| route.release.clone());
        let mut answer = Response::new(AnswerBody::new(body, exchange));
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        let kind = if json {
            "application/json"
        } else {
            "text/html; charset=utf-8"
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(methods) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        if closes {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        head::sign_answer(headers, release.as_ref(), &id);
        answer
    }

    fn json(&self) -> String {
        serde_json::json!({"error": {"code": self.code, "message": self.message, "hint": self.hint}})
            .to_string()
    }

    fn html(&self, exchange: &Exchange) -> String {
        let mut page = String::with_capacity(1600);
        page.push_str(TOP);
        escape(&mut page, &self.title);
        page.push_str("</title><main><p class=s>");
        page.push_str(self.status.as_str());
        page.push_str("<h1>");
        escape(&mut page, &self.title);
        page.push_str("</h1><p>");
        // What stands between backquotes is a name.
        for (at, part) in self.message.split('`').enumerate() {
            page.push_str(match at {
                0 => "",
                _ if at % 2 == 1 => "<b>",
                _ => "</b>",
            });
            escape(&mut page, part);
        }
        if let Some(hint) = &self.hint {
            page.push_str("<p class=h>If this is your project, try<br><code>");
            escape(&mut page, hint);
            page.push_str("</code>");
        }
        page.push_str("<p class=i>Request ");
        escape(&mut page, exchange.id.to_str().unwrap_or_default());
        page.push_str("</main>\n");
        page
    }
}

const TOP: &str = "<!doctype html><html lang=en><meta charset=utf-8>\
<meta name=viewport content=\"width=device-width,initial-scale=1\"><style>\
:root{color-scheme:light dark}body{margin:0;font:16px/1.5 system-ui,sans-serif;display:grid;min-height:100vh;\
place-items:center}main{box-sizing:border-box;max-width:34rem;width:100%;padding:1.5rem;overflow-wrap:anywhere}\
h1{font-size:1.6rem;line-height:1.2;margin:.2rem 0 1rem}.s{font-weight:600;opacity:.6;margin:0}\
code{display:inline-block;margin-top:.4rem;padding:.5rem .7rem;border-radius:.4rem;background:#8883;\
font:14px/1.4 ui-monospace,monospace}.i{opacity:.6;font-size:.8rem;margin-top:2rem}</style><title>";

/// What a page is about.
pub(crate) fn subject(route: &LiveRoute) -> String {
    match &route.project {
        // For another environment than production the project stands with its option, as on the command line.
        Some(project) => format!("Project `{}`", project.split(' ').next().unwrap_or(project)),
        None => "This service".to_owned(),
    }
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

/// Whether JSON is named before HTML.
fn prefers_json(accept: Option<&HeaderValue>) -> bool {
    let Some(accept) = accept.and_then(|accept| accept.to_str().ok()) else {
        return false;
    };
    let json = accept.find("application/json").or_else(|| accept.find("+json"));
    match (json, accept.find("text/html")) {
        (Some(json), Some(html)) => json < html,
        (json, _) => json.is_some(),
    }
}
