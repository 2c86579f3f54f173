//! What S3 answers in XML, as much as is read of it. Keys are asked for in URL encoding, so that no text between two tags
//! has a tag in it. Whoever answers may be anybody: what is no list is refused, and nothing is taken for a number that is none.

use percent_encoding::percent_decode_str;
use serde::Serialize;

/// An object of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedObject {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub size: u64,
    /// When it was put.
    pub modified: String,
    /// Its entity tag.
    pub etag: String,
}

/// A page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects.
    pub objects: Vec<ListedObject>,
    /// What keys have in common up to the next `/`, where that was asked for.
    pub prefixes: Vec<String>,
    /// What the next page is asked with.
    pub next: Option<String>,
}

impl Page {
    /// Reads the answer to a question for a page, of which the page before named `from`. None where it is no such answer.
    pub fn parse(xml: &str, from: Option<&str>) -> Option<Self> {
        if !xml.contains("<ListBucketResult") {
            return None;
        }
        let objects = all(xml, "Contents").into_iter().map(|one| {
            Some(ListedObject {
                key: decoded(&first(one, "Key")?),
                size: first(one, "Size")?.trim().parse().ok()?,
                modified: first(one, "LastModified").unwrap_or_default(),
                etag: first(one, "ETag")
                    .unwrap_or_default()
                    .trim_matches('"')
                    .to_owned(),
            })
        });
        let prefixes = all(xml, "CommonPrefixes").into_iter();
        let page = Page {
            objects: objects.collect::<Option<_>>()?,
            prefixes: prefixes
                .filter_map(|one| Some(decoded(&first(one, "Prefix")?)))
                .collect(),
            next: first(xml, "NextContinuationToken").filter(|next| !next.is_empty()),
        };
        // A list that goes on where it was has no end.
        let is_endless = page.next.is_some() && page.next.as_deref() == from;
        (!is_endless).then_some(page)
    }
}

/// The texts of all elements of a name, in their order, without what is around them.
fn all<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&begin)
        .skip(1)
        .filter_map(|rest| rest.split_once(&end))
        .map(|(text, _)| text)
        .collect()
}

/// The text of the first element of a name, read back from its escapes.
pub fn first(xml: &str, name: &str) -> Option<String> {
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
fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read() {
        let xml = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><Contents><Key>a%2F..%3Cb+c</Key><Size>7</Size>\
                   <ETag>&quot;e&quot;</ETag></Contents><CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>\
                   <NextContinuationToken>t&amp;amp;</NextContinuationToken></ListBucketResult>";
        let page = Page::parse(xml, None).unwrap();
        let object = &page.objects[0];
        assert_eq!(
            (object.key.as_str(), object.size, object.etag.as_str()),
            ("a/..<b c", 7, "e")
        );
        assert_eq!(page.prefixes, ["d/"]);
        assert_eq!(page.next.as_deref(), Some("t&amp;"));
        assert_eq!(first("<Message>&lt;no&gt;</Message>", "Message").unwrap(), "<no>");
    }

    #[test]
    fn what_is_no_page_or_has_no_end_is_refused() {
        let inside = |text: &str| format!("<ListBucketResult>{text}</ListBucketResult>");
        for bad in [
            String::new(),
            "<html><Contents><Key>a</Key><Size>1</Size></Contents></html>".to_owned(),
            inside("<Contents><Size>1</Size></Contents>"),
            inside("<Contents><Key>a</Key></Contents>"),
            inside("<Contents><Key>a</Key><Size>-1</Size></Contents>"),
            inside("<Contents><Key>a</Key><Size>99999999999999999999</Size></Contents>"),
            inside("<NextContinuationToken>same</NextContinuationToken>"),
        ] {
            assert_eq!(Page::parse(&bad, Some("same")), None, "{bad}");
        }
        assert_eq!(Page::parse(&inside(""), None), Some(Page::default()));
    }
}
