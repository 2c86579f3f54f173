//! Single values of `vercel.json`: each is read as far as it can be, and what is wrong with it is noted.

use serde_json::{Map, Value};

use crate::manifest::rules::shown;
use crate::names::RelativePath;
use crate::route::condition::{Condition, MOST_CONDITIONS, Place, ValuePattern, ValueTest};
use crate::route::headers::HeaderRule;
use crate::route::pattern::PathPattern;
use crate::route::rules::{MOST_RULES, Redirect, Rewrite, Stage};

/// Notes what is wrong and what has no effect.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<String>,
    pub(super) ignored: Vec<String>,
}

pub(super) type Object = Map<String, Value>;

impl Reader {
    pub(super) fn wrong(&mut self, place: &str, why: impl std::fmt::Display) {
        self.problems.push(format!("`{place}`: {why}"));
    }

    pub(super) fn ignore(&mut self, place: &str, why: &str) {
        self.ignored
            .push(format!("`{place}` of vercel.json has no effect: {why}"));
    }

    /// Nothing for `null`, which means what is usual, and for an empty text.
    pub(super) fn text(&mut self, place: &str, value: &Value) -> Option<String> {
        match value {
            Value::Null => None,
            Value::String(text) if text.contains('\0') => {
                self.wrong(place, "it cannot contain the character NUL");
                None
            }
            Value::String(text) if text.trim().is_empty() => {
                self.ignore(place, "it is empty");
                None
            }
            Value::String(text) => Some(text.clone()),
            _ => {
                self.wrong(place, "it is not a text");
                None
            }
        }
    }

    pub(super) fn folder(&mut self, place: &str, value: &Value) -> Option<RelativePath> {
        let text = self.text(place, value)?;
        let path = RelativePath::parse(text.trim_start_matches("./").trim_end_matches('/'));
        path.map_err(|why| self.wrong(place, why)).ok()
    }

    pub(super) fn switch(&mut self, place: &str, value: &Value) -> Option<bool> {
        if !value.is_boolean() && !value.is_null() {
            self.wrong(place, "it is not `true` or `false`");
        }
        value.as_bool()
    }

    /// The entries of a list of rules.
    pub(super) fn each<T>(
        &mut self,
        key: &str,
        value: &Value,
        read: fn(&mut Self, &str, &Object) -> Option<T>,
    ) -> Vec<T> {
        let Some(list) = value.as_array() else {
            self.wrong(key, "it is not a list");
            return Vec::new();
        };
        if list.len() > MOST_RULES {
            self.wrong(
                key,
                format!("it has {} entries, {MOST_RULES} are taken", list.len()),
            );
            return Vec::new();
        }
        let mut rules = Vec::with_capacity(list.len());
        for (at, entry) in list.iter().enumerate() {
            let place = format!("{key}[{at}]");
            match entry.as_object() {
                Some(entry) => rules.extend(read(self, &place, entry)),
                None => self.wrong(&place, "it is not an object"),
            }
        }
        rules
    }

    /// Notes the keys of an object that are none of these.
    pub(super) fn others(&mut self, place: &str, entry: &Object, known: &[&str]) {
        for key in entry.keys().filter(|key| !known.contains(&key.as_str())) {
            self.ignore(&format!("{place}.{}", shown(key)), "it is not understood");
        }
    }

    fn needed<T: TryFrom<String, Error = String>>(
        &mut self,
        place: &str,
        entry: &Object,
        key: &str,
    ) -> Option<T> {
        let place = format!("{place}.{key}");
        let Some(text) = entry.get(key).and_then(Value::as_str) else {
            self.wrong(&place, "it is missing, or not a text");
            return None;
        };
        T::try_from(text.to_owned())
            .map_err(|why| self.wrong(&place, told(&why)))
            .ok()
    }

    fn checked<T>(&mut self, place: &str, rule: T, check: fn(&T) -> Result<(), String>) -> Option<T> {
        match check(&rule) {
            Ok(()) => Some(rule),
            Err(why) => {
                self.wrong(place, why);
                None
            }
        }
    }

    pub(super) fn redirect(&mut self, place: &str, entry: &Object) -> Option<Redirect> {
        let known = [
            "source",
            "destination",
            "permanent",
            "statusCode",
            "has",
            "missing",
        ];
        self.others(place, entry, &known);
        let from: Option<PathPattern> = self.needed(place, entry, "source");
        let to = self.needed(place, entry, "destination");
        let (has, missing) = self.both_conditions(place, entry);
        let permanent = entry.get("permanent").and_then(|value| self.switch(place, value));
        let status = match (permanent, entry.get("statusCode")) {
            (Some(true), _) | (None, None) => 308,
            (Some(false), _) => 307,
            (None, Some(code)) => code
                .as_u64()
                .and_then(|code| u16::try_from(code).ok())
                .unwrap_or(0),
        };
        let rule = Redirect {
            from: from?,
            to: to?,
            status,
            has,
            missing,
        };
        self.checked(place, rule, Redirect::check)
    }

    pub(super) fn rewrite(&mut self, place: &str, entry: &Object) -> Option<Rewrite> {
        self.others(place, entry, &["source", "destination", "has", "missing"]);
        let from: Option<PathPattern> = self.needed(place, entry, "source");
        let to = self.needed(place, entry, "destination");
        let (has, missing) = self.both_conditions(place, entry);
        let rule = Rewrite {
            from: from?,
            to: to?,
            stage: Stage::AfterFiles,
            has,
            missing,
        };
        self.checked(place, rule, Rewrite::check)
    }

    pub(super) fn headers(&mut self, place: &str, entry: &Object) -> Option<HeaderRule> {
        self.others(place, entry, &["source", "headers", "has", "missing"]);
        let path: Option<PathPattern> = self.needed(place, entry, "source");
        let (has, missing) = self.both_conditions(place, entry);
        let mut set = Vec::new();
        let list = entry.get("headers").and_then(Value::as_array);
        for pair in list.into_iter().flatten() {
            match (pair["key"].as_str(), pair["value"].as_str()) {
                (Some(key), Some(value)) => set.push((key.to_owned(), value.to_owned())),
                _ => self.wrong(
                    &format!("{place}.headers"),
                    "each has a `key` and a `value`, both texts",
                ),
            }
        }
        if list.is_none() {
            self.wrong(&format!("{place}.headers"), "it is missing, or not a list");
        }
        let rule = HeaderRule {
            path: path?,
            set,
            has,
            missing,
        };
        self.checked(place, rule, HeaderRule::check)
    }

    fn both_conditions(&mut self, place: &str, entry: &Object) -> (Vec<Condition>, Vec<Condition>) {
        (
            self.conditions(place, entry, "has"),
            self.conditions(place, entry, "missing"),
        )
    }

    fn conditions(&mut self, place: &str, entry: &Object, key: &str) -> Vec<Condition> {
        let place = format!("{place}.{key}");
        let list = match entry.get(key) {
            None => return Vec::new(),
            Some(Value::Array(list)) if list.len() <= MOST_CONDITIONS => list,
            Some(_) => {
                self.wrong(
                    &place,
                    format!("it is not a list of {MOST_CONDITIONS} conditions at most"),
                );
                return Vec::new();
            }
        };
        list.iter()
            .filter_map(|value| match condition(value) {
                Ok(condition) => Some(condition),
                Err(why) => {
                    self.wrong(&place, told(&why));
                    None
                }
            })
            .collect()
    }
}

fn condition(value: &Value) -> Result<Condition, String> {
    let place = value["type"].as_str().and_then(Place::parse);
    let place = place.ok_or("`type` is one of `host`, `header`, `cookie`, `query`")?;
    let test = match &value["value"] {
        Value::Null => ValueTest::default(),
        Value::String(text) => ValueTest {
            re: Some(ValuePattern::try_from(text.clone())?),
            ..ValueTest::default()
        },
        Value::Object(object) => {
            let mut object = object.clone();
            for key in ["eq", "neq"] {
                if let Some(number) = object.get(key).filter(|value| value.is_number()) {
                    let text = number.to_string();
                    object.insert(key.to_owned(), Value::String(text));
                }
            }
            serde_json::from_value(Value::Object(object)).map_err(|error| error.to_string())?
        }
        _ => return Err("`value` is a text or an object".into()),
    };
    let condition = Condition {
        place,
        key: value["key"].as_str().map(str::to_owned),
        value: test,
    };
    condition.check()?;
    Ok(condition)
}

/// A message that may be shown: a hostile source stands in it.
fn told(message: &str) -> String {
    message
        .chars()
        .take(300)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
