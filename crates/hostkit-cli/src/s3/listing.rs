//! What S3 answers in XML, as much as is read of it. Keys are asked for in URL encoding, so that no text between two tags
//! has a tag in it.

use percent_encoding::percent_decode_str;

/// The texts of all elements of a name, in their order, without what is around them.
pub(super) fn all<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&begin)
        .skip(1)
        .filter_map(|rest| rest.split_once(&end))
        .map(|(text, _)| text)
        .collect()
}

/// The text of the first element of a name, read back from its escapes.
pub(super) fn first(xml: &str, name: &str) -> Option<String> {
    let text = all(xml, name).into_iter().next()?;
    let mut plain = text.to_owned();
    for (escape, sign) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&amp;", "&"),
    ] {
        plain = plain.replace(escape, sign);
    }
    Some(plain)
}

/// A key in URL encoding.
pub(super) fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_tags_is_read() {
        let xml = "<R><Contents><Key>a%2F..%3Cb+c</Key></Contents><Contents><Key>d</Key></Contents>\
                   <Message>&lt;no&gt; &amp;amp;</Message></R>";
        let keys: Vec<String> = all(xml, "Contents")
            .into_iter()
            .filter_map(|one| first(one, "Key"))
            .map(|key| decoded(&key))
            .collect();
        assert_eq!(keys, ["a/..<b c", "d"]);
        assert_eq!(first(xml, "Message").unwrap(), "<no> &amp;");
        assert_eq!(first(xml, "Code"), None);
    }
}
