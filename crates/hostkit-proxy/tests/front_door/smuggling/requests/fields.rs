//! Headers: hosts, names, values, sizes, what is asked of the connection.

use crate::smuggling::case::Standard::{Either, Refuse, Take};
use crate::smuggling::case::{Case, HIDDEN, HOST, get, post, post_alone};

pub(super) fn cases() -> Vec<Case> {
    let host = |host: &str| format!("GET /case HTTP/1.1\r\n{host}\r\n{HIDDEN}");
    let refused =
        |name, headers: &str| Case::refused(name, Refuse, format!("{}{HIDDEN}", get(headers)), &[400]);
    let taken = |name, standard, headers: &str| Case::taken(name, standard, get(headers));
    let big = format!("X-A: {}\r\n", "b".repeat(70_000));
    let many = "X-A: b\r\n".repeat(500);
    let value = |value: &[u8]| {
        [
            b"GET /case HTTP/1.1\r\n",
            HOST.as_bytes(),
            b"X-A: ",
            value,
            b"\r\n\r\n",
        ]
        .concat()
    };
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n";
    vec![
        Case::refused("no Host", Refuse, host(""), &[400]),
        Case::refused("no Host on HTTP/1.0", Either, format!("GET /case HTTP/1.0\r\n\r\n{HIDDEN}"), &[400]),
        Case::refused("empty Host", Either, host("Host:\r\n"), &[400]),
        Case::refused("two Hosts", Refuse, host(&format!("{HOST}Host: other.localhost\r\n")), &[400]),
        Case::refused("the same Host twice", Refuse, host(&format!("{HOST}{HOST}")), &[400]),
        Case::refused("Hosts in one header", Refuse, host("Host: shop.localhost, other.localhost\r\n"), &[400]),
        Case::refused("Host with a blank", Refuse, host("Host: shop.localhost other\r\n"), &[400]),
        Case::refused("Host with a path", Refuse, host("Host: shop.localhost/x\r\n"), &[400]),
        Case::refused("Host with a name in front", Refuse, host("Host: a@shop.localhost\r\n"), &[400]),
        Case::refused("Host with a port that is no number", Refuse, host("Host: shop.localhost:8x\r\n"), &[400]),
        Case::refused("Host with two ports", Refuse, host("Host: shop.localhost:80:90\r\n"), &[400]),
        Case::refused("Host with NUL", Refuse, host("Host: shop.localhost\0.other\r\n"), &[400]),
        Case::refused("Host with a bracket that is not closed", Refuse, host("Host: [::1\r\n"), &[400]),
        Case::refused("Host with something in brackets that is no address", Refuse, host("Host: [1]\r\n"), &[400]),
        Case::refused("folded Host", Refuse, host("Host:\r\n shop.localhost\r\n"), &[400]),
        Case::refused("blank before the first header", Refuse, host(&format!(" {HOST}")), &[400]),
        Case::refused("blank before the colon of Host", Refuse, host("Host : shop.localhost\r\n"), &[400]),
        Case::refused("Host named by Connection", Either, host(&format!("{HOST}Connection: Host\r\n")), &[400]),
        Case::taken("Host with a port", Take, "GET /case HTTP/1.1\r\nHost: shop.localhost:8080\r\n\r\n"),
        Case::taken("Host in capitals with a dot behind", Take, "GET /case HTTP/1.1\r\nHost: SHOP.localhost.\r\n\r\n"),
        refused("header without a colon", "nonsense\r\n"),
        refused("header without a name", ": b\r\n"),
        refused("header name with a blank", "X A: b\r\n"),
        refused("header name with a blank behind", "X-A : b\r\n"),
        refused("header name with NUL", "X\0A: b\r\n"),
        refused("header name with a bracket", "X(A): b\r\n"),
        refused("header name with a slash", "X/A: b\r\n"),
        Case::refused("header name with a byte above 127", Refuse, [get("").trim_end().as_bytes(), b"\r\nX-\xc3\xa4: b\r\n\r\n"].concat(), &[400]),
        refused("folded header", "X-A: b\r\n c\r\n"),
        refused("header folded with a tab", "X-A: b\r\n\tc\r\n"),
        refused("header value with NUL", "X-A: b\0c\r\n"),
        refused("header value with a bare CR", "X-A: b\rc\r\n"),
        refused("header value that ends with two CRs", "X-A: b\r\r\n"),
        Case::refused("header value with a bell", Either, format!("{}{HIDDEN}", get("X-A: b\x07c\r\n")), &[400]),
        refused("bare CR in place of the empty line", "X-A: b\r\n\r"),
        taken("header without a value", Take, "X-A:\r\n"),
        taken("header name with `_`", Take, "X_A: b\r\n"),
        Case::taken("header value with bytes above 127", Either, value(b"\xc3\xa4\xff")),
        taken("header value with a tab", Take, "X-A: b\tc\r\n"),
        Case::taken("header that ends with a bare LF", Either, get("X-A: b\n")),
        Case::refused("header of 70,000 bytes", Either, get(&big), &[431]),
        Case::refused("500 headers", Either, get(&many), &[431]),
        Case::taken("`Expect: 100-continue` with the body at once", Take, post_alone("Expect: 100-continue\r\nContent-Length: 3\r\n", "abc")).answered(&[100, 200]),
        Case::taken("`Expect: 100-continue` without a body", Take, get("Expect: 100-continue\r\n")),
        Case::taken("`Expect` that nobody knows", Either, get("Expect: 200-ok\r\n")).note("it is dropped, and the request answered as any other"),
        Case::taken("`Expect: 100-continue` on HTTP/1.0", Take, format!("POST /case HTTP/1.0\r\n{HOST}Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc")),
        Case::taken("Upgrade with a body", Either, post_alone(upgrade, "abc")).note("passed on without the Upgrade"),
        Case::taken("Upgrade that is not answered with 101", Take, format!("{}GET /second HTTP/1.1\r\n{HOST}\r\n", get("Connection: Upgrade\r\nUpgrade: websocket\r\n"))).answered(&[200, 200]).seen(&["/case", "/second"]),
        Case::taken("Upgrade to h2c", Either, get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n")).note("passed on without the Upgrade"),
        Case::taken("`TE: chunked`", Take, get("Connection: TE\r\nTE: chunked\r\n")),
        Case::taken("length named by Connection, and a hidden request", Either, post("Connection: Content-Length, close\r\nContent-Length: 3\r\n", "abc")),
    ]
}
