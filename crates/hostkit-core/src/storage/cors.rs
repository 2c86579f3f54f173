//! Rules for requests that pages of other origins make (Fetch standard, CORS): who may ask, how, and what the page sees.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One rule. The first that fits a request counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CorsRule {
    /// Its name.
    pub id: Option<String>,
    /// Origins that may ask. One `*` in each stands for anything.
    pub origins: Vec<String>,
    /// Methods that they may use.
    pub methods: Vec<String>,
    /// Headers that they may send. One `*` in each stands for anything.
    pub headers: Vec<String>,
    /// Headers of answers that their pages see.
    pub exposed: Vec<String>,
    /// For how many seconds they may remember this.
    pub max_age: Option<i32>,
}

/// Methods that a rule may name.
pub const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// What a page asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Its origin.
    pub origin: &'a str,
    /// The method of the request that it makes.
    pub method: &'a str,
    /// Headers of it, where it asks before it makes it.
    pub headers: Vec<&'a str>,
}

impl CorsRule {
    /// Why it cannot be kept, if so. What it names becomes headers of answers.
    pub fn fault(&self) -> Option<&'static str> {
        let stars = |text: &String| text.matches('*').count() > 1;
        let is_text = |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let is_name = |name: &String| !name.is_empty() && name.bytes().all(is_token);
        let is_good = !self.origins.is_empty()
            && !self.methods.is_empty()
            && self
                .methods
                .iter()
                .all(|method| METHODS.contains(&method.as_str()))
            && self.origins.iter().chain(&self.headers).all(is_text)
            && !self.origins.iter().chain(&self.headers).any(stars)
            && self.exposed.iter().all(is_name);
        (!is_good).then_some(
            "A CORS rule has origins, methods (GET, PUT, POST, DELETE, HEAD), at most one `*` in each, and names of headers.",
        )
    }

    fn fits(&self, asked: &Asked<'_>) -> bool {
        self.origins.iter().any(|origin| matches(origin, asked.origin))
            && self.methods.iter().any(|method| method == asked.method)
            && asked.headers.iter().all(|header| {
                let header = header.to_ascii_lowercase();
                self.headers
                    .iter()
                    .any(|allowed| matches(&allowed.to_ascii_lowercase(), &header))
            })
    }

    /// Whether it is for every origin, so that the answer may say `*`.
    pub fn is_for_all(&self) -> bool {
        self.origins.iter().any(|origin| origin == "*")
    }
}

/// The rule that allows what is asked.
pub fn rule<'a>(rules: &'a [CorsRule], asked: &Asked<'_>) -> Option<&'a CorsRule> {
    rules.iter().find(|rule| rule.fits(asked))
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        Some((before, after)) => {
            text.len() >= before.len() + after.len() && text.starts_with(before) && text.ends_with(after)
        }
        None => pattern == text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_an_answer_is_no_rule() {
        let good = CorsRule {
            origins: vec!["https://*.example.com".to_owned()],
            methods: vec!["GET".to_owned()],
            headers: vec!["*".to_owned()],
            exposed: vec!["ETag".to_owned()],
            ..CorsRule::default()
        };
        assert_eq!(good.fault(), None);
        let bad = |change: fn(&mut CorsRule)| {
            let mut rule = good.clone();
            change(&mut rule);
            assert!(rule.fault().is_some(), "{rule:?}");
        };
        bad(|rule| rule.origins.clear());
        bad(|rule| rule.origins = vec!["https://*.*".to_owned()]);
        bad(|rule| rule.origins = vec!["a\r\nset-cookie: x".to_owned()]);
        bad(|rule| rule.methods = vec!["TRACE".to_owned()]);
        bad(|rule| rule.exposed = vec!["a: b".to_owned()]);
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let rules = [
            CorsRule {
                origins: vec!["https://*.example.com".to_owned()],
                methods: vec!["PUT".to_owned()],
                headers: vec!["X-Amz-*".to_owned()],
                ..CorsRule::default()
            },
            CorsRule {
                origins: vec!["*".to_owned()],
                methods: vec!["GET".to_owned()],
                ..CorsRule::default()
            },
        ];
        let which = |origin, method, headers: &[&'static str]| {
            let asked = Asked {
                origin,
                method,
                headers: headers.to_vec(),
            };
            rule(&rules, &asked).map(CorsRule::is_for_all)
        };
        assert_eq!(
            which("https://a.example.com", "PUT", &["x-amz-date"]),
            Some(false)
        );
        assert_eq!(which("https://a.example.com", "PUT", &["content-type"]), None);
        assert_eq!(which("https://.example.com.evil", "PUT", &[]), None);
        assert_eq!(which("http://a.example.com", "PUT", &[]), None);
        assert_eq!(which("https://evil", "GET", &[]), Some(true));
        assert_eq!(which("https://evil", "DELETE", &[]), None);
        assert!(!matches("ab*bc", "abc"), "the star stands for something between");
    }
}
