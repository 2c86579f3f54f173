//! Bodies in chunks that are none.

use crate::smuggling::case::Standard::{Either, Refuse, Take};
use crate::smuggling::case::{Case, HOST, chunks};

pub(super) fn cases() -> Vec<Case> {
    // The head has gone on when the tear shows: the backend sees it end, never whole.
    let torn = |name, body: &str| Case::refused(name, Refuse, chunks(body), &[400]);
    let long = format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(20_000));
    let trailers = format!("0\r\nX-A: {}\r\n\r\n", "b".repeat(70_000));
    let second = |body: &str| {
        format!(
            "POST /case HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n{body}GET /second HTTP/1.1\r\n{HOST}\r\n"
        )
    };
    let taken = |name, standard, body: &str| {
        Case::taken(name, standard, second(body))
            .answered(&[200, 200])
            .seen(&["/case", "/second"])
    };
    vec![
        taken("chunk with an extension", Take, "3;a=b\r\nabc\r\n0\r\n\r\n"),
        taken(
            "chunk with a quoted extension",
            Take,
            "3;a=\"b;c\"\r\nabc\r\n0;d\r\n\r\n",
        ),
        taken(
            "chunk size in capitals with zeros in front",
            Take,
            "00A\r\n0123456789\r\n000\r\n\r\n",
        ),
        taken("trailer", Take, "0\r\nX-A: b\r\n\r\n"),
        taken(
            "trailer that names a length",
            Either,
            "0\r\nContent-Length: 30\r\n\r\n",
        ),
        taken(
            "trailer that names a coding",
            Either,
            "0\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        taken("trailer that names a host", Either, "0\r\nHost: other\r\n\r\n"),
        taken("blank behind the chunk size", Either, "3 \r\nabc\r\n0\r\n\r\n"),
        torn("very long extension of a chunk", &long),
        torn(
            "extension of a chunk with a bare LF",
            "3;a\nb\r\nabc\r\n0\r\n\r\n",
        ),
        torn(
            "extension of a chunk with a bare CR",
            "3;a\rb\r\nabc\r\n0\r\n\r\n",
        ),
        torn("chunk size that ends with a bare LF", "3\nabc\r\n0\r\n\r\n"),
        torn("chunk size that ends with a bare CR", "3\rabc\r\n0\r\n\r\n"),
        torn("chunk that ends with a bare LF", "3\r\nabc\n0\r\n\r\n"),
        torn("chunk that ends without CR LF", "3\r\nabc0\r\n\r\n"),
        torn("chunk that is longer than its size", "3\r\nabcd\r\n0\r\n\r\n"),
        torn("two bytes in place of a chunk's CR LF", "3\r\nabcXX0\r\n\r\n"),
        torn("last chunk that ends with bare LFs", "0\n\n"),
        torn("body that ends with CR and a letter", "0\r\n\rX"),
        torn("chunk size that is no number", "zz\r\nabc\r\n0\r\n\r\n"),
        torn("empty chunk size", "\r\n3\r\nabc\r\n0\r\n\r\n"),
        torn("chunk size that is an extension alone", ";a\r\nabc\r\n0\r\n\r\n"),
        torn("negative chunk size", "-3\r\nabc\r\n0\r\n\r\n"),
        torn("signed chunk size", "+3\r\nabc\r\n0\r\n\r\n"),
        torn("chunk size with `0x`", "0x3\r\nabc\r\n0\r\n\r\n"),
        torn("chunk size with a `_`", "0_3\r\nabc\r\n0\r\n\r\n"),
        torn("blank before the chunk size", " 3\r\nabc\r\n0\r\n\r\n"),
        torn("chunk size of two words", "3 4\r\nabc\r\n0\r\n\r\n"),
        torn("chunk size of 2^64", "10000000000000000\r\nabc\r\n0\r\n\r\n"),
        torn(
            "chunk size of 2^64 and three",
            "10000000000000003\r\nabc\r\n0\r\n\r\n",
        ),
        torn(
            "chunk size of thirty digits",
            "ffffffffffffffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        ),
        torn("chunk size with NUL", "3\0\r\nabc\r\n0\r\n\r\n"),
        torn("folded trailer", "0\r\nX-A: b\r\n c\r\n\r\n"),
        torn("trailer without a colon", "0\r\nnonsense\r\n\r\n"),
        torn("trailer with a blank before its colon", "0\r\nX-A : b\r\n\r\n"),
        torn("trailer with NUL", "0\r\nX-A: b\0c\r\n\r\n"),
        torn("trailers of 70,000 bytes", &trailers),
    ]
}
