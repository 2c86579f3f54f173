//! Where a body ends: lengths, codings, both, and requests behind them.

use crate::smuggling::case::Standard::{Either, Refuse, Take};
use crate::smuggling::case::{Case, HIDDEN, HOST, post, post_alone};

const EMPTY: &str = "0\r\n\r\n";

pub(super) fn cases() -> Vec<Case> {
    let coding = |value: &str| post(&format!("Transfer-Encoding:{value}\r\n"), EMPTY);
    let length = |value: &str| post(&format!("Content-Length:{value}\r\n"), "abc");
    let [chunked, six] = ["Transfer-Encoding: chunked\r\n", "Content-Length: 6\r\n"];
    vec![
        Case::taken("CL.TE: a length before `chunked`", Either, post(&format!("{six}{chunked}"), EMPTY))
            .note("passed on with `chunked` alone, and the connection is closed: what the standard names"),
        Case::taken("TE.CL: a length behind `chunked`", Either, post(&format!("{chunked}{six}"), EMPTY))
            .note("passed on with `chunked` alone, and the connection is closed: what the standard names"),
        Case::refused("length next to a coding that is none", Refuse, post(&format!("{six}Transfer-Encoding: xchunked\r\n"), EMPTY), &[400]),
        Case::refused("length next to `identity`", Refuse, post(&format!("{six}Transfer-Encoding: identity\r\n"), "abcdef"), &[400]),
        Case::refused("two lengths next to `chunked`", Refuse, post(&format!("{six}Content-Length: 5\r\n{chunked}"), EMPTY), &[400]),
        Case::refused("coding `identity`", Refuse, coding(" identity"), &[400]),
        Case::refused("coding `chunked, identity`", Refuse, coding(" chunked, identity"), &[400]),
        Case::refused("coding `identity, chunked`", Refuse, coding(" identity, chunked"), &[400]),
        Case::refused("coding `gzip, chunked`", Either, coding(" gzip, chunked"), &[400]),
        Case::refused("coding `gzip`", Refuse, coding(" gzip"), &[400]),
        Case::refused("coding `chunked, chunked`", Refuse, coding(" chunked, chunked"), &[400]),
        Case::refused("coding `chunked` in two headers", Refuse, post(&format!("{chunked}{chunked}"), EMPTY), &[400]),
        Case::refused("`chunked`, then `identity` in another header", Refuse, post(&format!("{chunked}Transfer-Encoding: identity\r\n"), EMPTY), &[400]),
        Case::refused("`identity`, then `chunked` in another header", Refuse, post(&format!("Transfer-Encoding: identity\r\n{chunked}"), EMPTY), &[400]),
        Case::refused("coding `xchunked`", Refuse, coding(" xchunked"), &[400]),
        Case::refused("coding `chunkedx`", Refuse, coding(" chunkedx"), &[400]),
        Case::refused("coding `\"chunked\"`", Refuse, coding(" \"chunked\""), &[400]),
        Case::refused("coding `chunked;q=1`", Refuse, coding(" chunked;q=1"), &[400]),
        Case::refused("coding `chunked,`", Either, coding(" chunked,"), &[400]),
        Case::refused("no coding", Refuse, coding(""), &[400]),
        Case::taken("coding `Chunked`", Take, coding(" Chunked")).answered(&[200, 200]).seen(&["/case", "/second"]),
        Case::taken("coding `chunked` behind a tab", Take, coding("\tchunked")).answered(&[200, 200]).seen(&["/case", "/second"]),
        Case::taken("coding `chunked` with blanks behind", Take, coding(" chunked \t")).answered(&[200, 200]).seen(&["/case", "/second"]),
        Case::refused("coding behind a vertical tab", Refuse, coding(" \x0bchunked"), &[400]),
        Case::refused("coding before a vertical tab", Refuse, coding(" chunked\x0b"), &[400]),
        Case::refused("coding behind a form feed", Refuse, coding(" \x0cchunked"), &[400]),
        Case::refused("blank before the coding's colon", Refuse, post("Transfer-Encoding : chunked\r\n", EMPTY), &[400]),
        Case::refused("tab before the coding's colon", Refuse, post("Transfer-Encoding\t: chunked\r\n", EMPTY), &[400]),
        Case::refused("coding on a folded line", Refuse, coding("\r\n chunked"), &[400]),
        Case::refused("coding behind a fold of another header", Refuse, post("X-A: b\r\n Transfer-Encoding: chunked\r\n", EMPTY), &[400]),
        Case::refused("bare CR before the coding", Refuse, post("X-A: b\rTransfer-Encoding: chunked\r\n", EMPTY), &[400]),
        Case::taken("bare LF before the coding", Either, post("X-A: b\nTransfer-Encoding: chunked\r\n", EMPTY)).answered(&[200, 200]).seen(&["/case", "/second"])
            .note("a bare LF ends a line, as the standard allows; it is passed on as CR LF"),
        Case::taken("coding with `_` in its name", Either, post_alone("Transfer_Encoding: chunked\r\nContent-Length: 3\r\n", "abc"))
            .note("the header is dropped"),
        Case::refused("`chunked` on HTTP/1.0", Either, format!("POST /case HTTP/1.0\r\n{HOST}{chunked}\r\n{EMPTY}{HIDDEN}"), &[400]),
        Case::refused("length and `chunked` on HTTP/1.0", Either, format!("POST /case HTTP/1.0\r\n{HOST}{six}{chunked}\r\n{EMPTY}{HIDDEN}"), &[400]),
        Case::refused("two different lengths", Refuse, post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), &[400]),
        Case::taken("the same length twice", Either, post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")).answered(&[200, 200]).seen(&["/case", "/second"]).note("it arrives as one"),
        Case::refused("list of equal lengths", Either, length(" 3, 3"), &[400]),
        Case::refused("list of different lengths", Refuse, length(" 3, 4"), &[400]),
        Case::refused("signed length", Refuse, length(" +3"), &[400]),
        Case::refused("negative length", Refuse, length(" -3"), &[400]),
        Case::refused("length in hexadecimal", Refuse, length(" 0x3"), &[400]),
        Case::refused("length with a fraction", Refuse, length(" 3.0"), &[400]),
        Case::refused("length with an exponent", Refuse, length(" 3e0"), &[400]),
        Case::refused("length with a letter behind", Refuse, length(" 3a"), &[400]),
        Case::refused("length with a blank inside", Refuse, length(" 3 3"), &[400]),
        Case::refused("length with a `_` inside", Refuse, length(" 0_3"), &[400]),
        Case::refused("empty length", Refuse, length(""), &[400]),
        Case::refused("length of 2^64 and three", Refuse, length(" 18446744073709551619"), &[400]),
        Case::refused("length of thirty digits", Refuse, length(" 999999999999999999999999999999"), &[400]),
        Case::refused("blank before the length's colon", Refuse, post("Content-Length : 3\r\n", "abc"), &[400]),
        Case::refused("length on a folded line", Refuse, length("\r\n 3"), &[400]),
        Case::refused("length behind a vertical tab", Refuse, length(" \x0b3"), &[400]),
        Case::taken("length with zeros in front", Take, length(" 0003")).answered(&[200, 200]).seen(&["/case", "/second"]),
        Case::taken("length with `_` in its name", Either, post_alone("Content_Length: 30\r\nContent-Length: 3\r\n", "abc"))
            .note("the header is dropped"),
        Case::taken("body of GET", Take, format!("GET /case HTTP/1.1\r\n{HOST}Content-Length: 3\r\n\r\nabcGET /second HTTP/1.1\r\n{HOST}\r\n"))
            .answered(&[200, 200]).seen(&["/case", "/second"]),
        Case::taken("chunks of GET", Take, format!("GET /case HTTP/1.1\r\n{HOST}{chunked}\r\n3\r\nabc\r\n{EMPTY}GET /second HTTP/1.1\r\n{HOST}\r\n"))
            .answered(&[200, 200]).seen(&["/case", "/second"]),
        Case::taken("POST with neither length nor coding", Take, post("", "")).answered(&[200, 200]).seen(&["/case", "/second"]),
        Case::refused("body that is shorter than its length", Refuse, post_alone("Content-Length: 30\r\n", "abc"), &[408]),
        Case::taken("`Connection: close` before another request", Take, post("Connection: close\r\nContent-Length: 3\r\n", "abc")),
        Case::taken("`Connection: Content-Length`", Either, post_alone("Connection: Content-Length\r\nContent-Length: 3\r\n", "abc")),
        Case::taken("`Connection: Transfer-Encoding`", Either, post_alone(&format!("Connection: Transfer-Encoding\r\n{chunked}"), EMPTY)),
    ]
    .into_iter()
    .map(second)
    .collect()
}

/// Where two requests are taken, the one behind is no hidden one.
fn second(case: Case) -> Case {
    if !case.seen.contains(&"/second") {
        return case;
    }
    let text = String::from_utf8_lossy(&case.bytes).replace("/hidden", "/second");
    Case {
        bytes: text.into_bytes(),
        ..case
    }
}
