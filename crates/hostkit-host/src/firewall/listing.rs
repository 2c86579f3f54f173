//! Reads what `nft -j list table` prints: which values stand in our sets, and each part in a form that two listings can
//! be compared in.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::script::Part;
use super::{Inbound, Loopback};

/// The objects of one listing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Listing {
    objects: Vec<(String, Map<String, Value>)>,
}

impl Listing {
    /// Reads a listing; `None` where it is no such text.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let whole: Value = serde_json::from_slice(text).ok()?;
        let mut objects = Vec::new();
        for entry in whole.get("nftables")?.as_array()? {
            for (kind, object) in entry.as_object()? {
                if let ("chain" | "set" | "rule", Some(object)) = (kind.as_str(), object.as_object()) {
                    objects.push((kind.clone(), object.clone()));
                }
            }
        }
        Some(Listing { objects })
    }

    /// What is there of a part, without what differs from one loading to the next.
    pub(super) fn part(&self, part: &Part) -> Vec<Value> {
        let mut found: Vec<(String, Value)> = Vec::new();
        for (kind, object) in &self.objects {
            let name = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
            let place = match kind.as_str() {
                "chain" if part.chains.contains(&name("name")) => format!("1 {}", name("name")),
                "rule" if part.chains.contains(&name("chain")) => format!("2 {}", name("chain")),
                "set" if part.sets.iter().any(|(set, _)| *set == name("name")) => {
                    format!("0 {}", name("name"))
                }
                _ => continue,
            };
            let mut object = object.clone();
            object.remove("handle");
            if let Some(Value::Array(elements)) = object.get_mut("elem") {
                elements.sort_by_key(Value::to_string);
            }
            found.push((place, Value::Object(object)));
        }
        // Stable: rules keep their order within a chain.
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found.into_iter().map(|(_, value)| value).collect()
    }

    fn elements(&self, set: &str) -> Option<Vec<Value>> {
        let (_, object) = self.objects.iter().find(|(kind, object)| {
            kind == "set" && object.get("name").and_then(Value::as_str) == Some(set)
        })?;
        match object.get("elem") {
            None => Some(Vec::new()),
            Some(elements) => Some(elements.as_array()?.iter().map(bare).collect()),
        }
    }

    fn ports(&self, set: &str) -> Option<BTreeSet<u16>> {
        self.elements(set)?.iter().map(number).collect()
    }

    /// The values of the part for the network, where its sets hold such values.
    pub(super) fn inbound(&self) -> Option<Inbound> {
        Some(Inbound {
            tcp: self.ports("open_tcp")?,
            udp: self.ports("open_udp")?,
        })
    }

    /// The values of the part for this machine, where its sets hold such values.
    pub(super) fn loopback(&self) -> Option<Loopback> {
        let trusted: BTreeSet<u32> = self
            .elements("trusted")?
            .iter()
            .map(number)
            .collect::<Option<_>>()?;
        Some(Loopback {
            front_door: trusted.into_iter().find(|uid| *uid != 0).unwrap_or_default(),
            owners: self.pairs("owners")?.into_iter().collect(),
            callers: self.pairs("callers")?.into_iter().collect(),
            open: self.ports("open")?,
        })
    }

    /// Port and uid of each element of a set.
    fn pairs(&self, set: &str) -> Option<Vec<(u16, u32)>> {
        let pair = |element: &Value| {
            let [port, uid] = element.get("concat")?.as_array()?.as_slice() else {
                return None;
            };
            Some((number(port)?, number(uid)?))
        };
        self.elements(set)?.iter().map(pair).collect()
    }
}

/// An element alone: one with a counter or a comment is wrapped.
fn bare(element: &Value) -> Value {
    let inner = element.get("elem").and_then(|wrapped| wrapped.get("val"));
    inner.unwrap_or(element).clone()
}

fn number<T: TryFrom<u64>>(value: &Value) -> Option<T> {
    T::try_from(value.as_u64()?).ok()
}
