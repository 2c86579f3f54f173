//! The request line: methods, targets, versions, and what stands in front of it.

use crate::smuggling::case::Standard::{Either, Refuse, Take};
use crate::smuggling::case::{Case, HIDDEN, HOST, get};

pub(super) fn cases() -> Vec<Case> {
    let line = |line: &str| format!("{line}\r\n{HOST}\r\n{HIDDEN}");
    let alone = |line: &str| format!("{line}\r\n{HOST}\r\n");
    let refused = |name, text: &str| Case::refused(name, Refuse, line(text), &[400]);
    let long = "a".repeat(70_000);
    vec![
        Case::taken("blank line in front", Either, format!("\r\n{}", get(""))),
        Case::taken(
            "four blank lines in front",
            Either,
            format!("\r\n\r\n\r\n\r\n{}", get("")),
        ),
        Case::taken("bare LF in front", Either, format!("\n{}", get(""))),
        Case::refused("bare CR in front", Refuse, format!("\r{}", get("")), &[400]),
        Case::refused("NUL in front", Refuse, format!("\0{}", get("")), &[400]),
        Case::refused("blank in front", Refuse, format!(" {}", get("")), &[400]),
        Case::refused(
            "TLS to a port without it",
            Refuse,
            vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0x0d, 0x0a, 0x0d, 0x0a],
            &[400],
        ),
        Case::refused("HTTP/0.9", Either, format!("GET /case\r\n\r\n{HIDDEN}"), &[400]),
        Case::refused("HTTP/0.9 with headers", Refuse, line("GET /case"), &[400]),
        Case::refused(
            "preface of HTTP/2",
            Either,
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            &[],
        )
        .note("TLS and its ALPN are how HTTP/2 begins"),
        refused("version HTTP/2.0", "GET /case HTTP/2.0"),
        refused("version HTTP/3.7", "GET /case HTTP/3.7"),
        Case::refused("version HTTP/1.2", Either, line("GET /case HTTP/1.2"), &[400]),
        refused("version HTTP/1.10", "GET /case HTTP/1.10"),
        refused("version HTTP/01.1", "GET /case HTTP/01.1"),
        refused("version HTTP/1", "GET /case HTTP/1"),
        refused("version http/1.1", "GET /case http/1.1"),
        refused("version HTTP/1,1", "GET /case HTTP/1,1"),
        refused("version with a blank inside", "GET /case HTTP/ 1.1"),
        refused("version of another protocol", "GET /case ICY/1.1"),
        Case::refused(
            "blank behind the version",
            Refuse,
            line("GET /case HTTP/1.1 "),
            &[400],
        ),
        Case::refused(
            "two blanks before the target",
            Either,
            line("GET  /case HTTP/1.1"),
            &[400],
        ),
        Case::refused(
            "two blanks before the version",
            Either,
            line("GET /case  HTTP/1.1"),
            &[400],
        ),
        Case::refused(
            "tabs in place of blanks",
            Either,
            line("GET\t/case\tHTTP/1.1"),
            &[400],
        ),
        refused("method in brackets", "[GET] /case HTTP/1.1"),
        refused("method with a colon", "GET: /case HTTP/1.1"),
        refused("method with NUL", "G\0ET /case HTTP/1.1"),
        refused("no method", " /case HTTP/1.1"),
        Case::taken("method in small letters", Take, alone("get /case HTTP/1.1"))
            .note("methods are told apart by case: it is passed on as it is"),
        Case::taken("method nobody knows", Take, alone("FETCH /case HTTP/1.1")),
        Case::refused(
            "method of 40 letters",
            Either,
            alone(&format!("{} /case HTTP/1.1", "A".repeat(40))),
            &[501],
        ),
        Case::refused(
            "CONNECT",
            Either,
            line("CONNECT shop.localhost:80 HTTP/1.1"),
            &[405],
        ),
        Case::refused("TRACE", Either, line("TRACE /case HTTP/1.1"), &[405]),
        refused("target with a blank", "GET /ca se HTTP/1.1"),
        refused("target with a tab", "GET /ca\tse HTTP/1.1"),
        refused("target with NUL", "GET /ca\0se HTTP/1.1"),
        refused("target with a bare CR", "GET /ca\rse HTTP/1.1"),
        refused("target with an escape character", "GET /ca\x1bse HTTP/1.1"),
        Case::taken("target with a fragment", Either, alone("GET /case#part HTTP/1.1"))
            .note("the fragment is dropped"),
        refused("target that is no path", "GET case HTTP/1.1"),
        refused("target `*` of GET", "GET * HTTP/1.1"),
        Case::taken("target `*` of OPTIONS", Take, alone("OPTIONS * HTTP/1.1")).seen(&["*"]),
        refused(
            "target that is a host and a port",
            "GET shop.localhost:80 HTTP/1.1",
        ),
        refused("empty target", "GET  HTTP/1.1"),
        refused("target that begins with `?`", "GET ?a HTTP/1.1"),
        Case::taken(
            "absolute target",
            Take,
            alone("GET http://shop.localhost/case HTTP/1.1"),
        ),
        Case::taken(
            "absolute target in capitals",
            Take,
            alone("GET HTTP://SHOP.localhost/case HTTP/1.1"),
        ),
        Case::refused(
            "absolute target and another host",
            Either,
            line("GET http://other.localhost/case HTTP/1.1"),
            &[400],
        ),
        Case::refused(
            "absolute target with a name and password",
            Refuse,
            line("GET http://a:b@shop.localhost/case HTTP/1.1"),
            &[400],
        ),
        refused("absolute target without a host", "GET http:///case HTTP/1.1"),
        Case::refused(
            "target of another scheme",
            Either,
            line("GET ftp://other.localhost/case HTTP/1.1"),
            &[400],
        ),
        Case::refused(
            "target of 70,000 bytes",
            Either,
            alone(&format!("GET /{long} HTTP/1.1")),
            &[431],
        ),
        Case::taken(
            "request line that ends with a bare LF",
            Either,
            format!("GET /case HTTP/1.1\n{HOST}\r\n"),
        ),
        Case::taken(
            "bare LFs everywhere",
            Either,
            "GET /case HTTP/1.1\nHost: shop.localhost\n\n",
        ),
        Case::refused(
            "request line that ends with a bare CR",
            Refuse,
            format!("GET /case HTTP/1.1\r{HOST}\r\n"),
            &[400],
        ),
        Case::taken(
            "bytes above 127 in the target",
            Either,
            [
                b"GET /case?\xc3\xa4 HTTP/1.1\r\n".as_slice(),
                HOST.as_bytes(),
                b"\r\n",
            ]
            .concat(),
        )
        .seen(&["/case?\u{c3}\u{a4}"]),
        Case::refused(
            "second request that is bad",
            Refuse,
            format!("{}GET /hidden\0 HTTP/1.1\r\n{HOST}\r\n", get("")),
            &[200, 400],
        )
        .seen(&["/case"]),
        Case::refused(
            "second request without a host",
            Refuse,
            format!("{}GET /hidden HTTP/1.1\r\n\r\n", get("")),
            &[200, 400],
        )
        .seen(&["/case"]),
        Case::taken(
            "two requests at once",
            Take,
            format!("{}GET /second HTTP/1.1\r\n{HOST}\r\n", get("")),
        )
        .answered(&[200, 200])
        .seen(&["/case", "/second"]),
        Case::taken(
            "HTTP/1.0",
            Take,
            format!("GET /case HTTP/1.0\r\n{HOST}\r\n{HIDDEN}"),
        ),
        Case::taken(
            "HTTP/1.0 that is kept alive",
            Take,
            format!(
                "GET /case HTTP/1.0\r\n{HOST}Connection: keep-alive\r\n\r\nGET /second HTTP/1.0\r\n{HOST}\r\n"
            ),
        )
        .answered(&[200, 200])
        .seen(&["/case", "/second"]),
    ]
}
