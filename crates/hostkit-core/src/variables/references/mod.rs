//! References: `${{DATABASE_HOST}}` in a value stands for the value of another variable. What looks like one and names no
//! variable that there could be (`${{ github.sha }}`) is text as any other; `$${{NAME}}` is the text `${{NAME}}`.

use std::collections::BTreeMap;

use super::{MAX_ALL_BYTES, MAX_VALUE_BYTES, Variables};
use crate::names::VariableName;
use crate::secret::Secret;

#[cfg(test)]
mod tests;

/// Why references cannot be filled in. No value is part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It names a variable that is not there.
    #[error("`{of}` refers to `{to}`, which has no value")]
    Missing {
        /// The variable with the reference.
        of: VariableName,
        /// The one it names.
        to: VariableName,
    },
    /// It leads back to itself.
    #[error("`{0}` refers to itself, at last")]
    Circle(VariableName),
    /// Too many lead from one to the next.
    #[error("from `{0}` on more than 64 variables refer to one another in a row")]
    TooDeep(VariableName),
    /// With what it refers to it is too long.
    #[error("`{0}` is too long with what it refers to")]
    TooLong(VariableName),
}

/// A piece of a value.
enum Piece<'a> {
    Text(&'a str),
    Reference(VariableName),
}

/// Values with what their references stand for. Variables without references are as they were, byte for byte.
pub fn resolve(variables: &Variables) -> Result<Variables, ReferenceError> {
    let mut resolver = Resolver {
        variables,
        done: BTreeMap::new(),
        bytes: 0,
    };
    for name in variables.keys() {
        resolver.value(name, &mut Vec::new())?;
    }
    Ok(resolver.done)
}

/// The same, where what cannot be filled in stays as it is written.
pub fn resolve_where_possible(variables: Variables) -> Variables {
    let mut resolver = Resolver {
        variables: &variables,
        done: BTreeMap::new(),
        bytes: 0,
    };
    for name in variables.keys() {
        let _ = resolver.value(name, &mut Vec::new());
    }
    let mut resolved = resolver.done;
    for (name, raw) in variables {
        resolved.entry(name).or_insert(raw);
    }
    resolved
}

struct Resolver<'a> {
    variables: &'a Variables,
    done: Variables,
    bytes: usize,
}

impl Resolver<'_> {
    /// The value of a variable that is there. `above` are those that led here.
    fn value(&mut self, name: &VariableName, above: &mut Vec<VariableName>) -> Result<(), ReferenceError> {
        if self.done.contains_key(name) {
            return Ok(());
        }
        if above.contains(name) {
            return Err(ReferenceError::Circle(name.clone()));
        }
        // A chain of as many as there can be would fill the stack.
        if above.len() >= DEEPEST {
            return Err(ReferenceError::TooDeep(above[0].clone()));
        }
        let Some(raw) = self.variables.get(name) else {
            return Ok(());
        };
        let mut value = zeroize::Zeroizing::new(String::with_capacity(raw.reveal().len()));
        above.push(name.clone());
        for piece in pieces(raw.reveal()) {
            match piece {
                Piece::Text(text) => value.push_str(text),
                Piece::Reference(to) => {
                    self.value(&to, above)?;
                    let found = self.done.get(&to).ok_or_else(|| ReferenceError::Missing {
                        of: name.clone(),
                        to: to.clone(),
                    })?;
                    value.push_str(found.reveal());
                }
            }
            if value.len() > MAX_VALUE_BYTES {
                return Err(ReferenceError::TooLong(name.clone()));
            }
        }
        above.pop();
        self.bytes += value.len();
        if self.bytes > MAX_ALL_BYTES {
            return Err(ReferenceError::TooLong(name.clone()));
        }
        self.done.insert(name.clone(), Secret::new(value.as_str()));
        Ok(())
    }
}

/// How many references may lead from one to the next.
const DEEPEST: usize = 64;

fn pieces(value: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = value;
    while let Some(at) = rest.find("${{") {
        let after = &rest[at + 3..];
        let named = after.find("}}").and_then(|end| {
            let name = VariableName::parse(after[..end].trim_matches(' ')).ok()?;
            Some((name, &after[end + 2..]))
        });
        let Some((name, behind)) = named else {
            pieces.push(Piece::Text(&rest[..at + 3]));
            rest = after;
            continue;
        };
        match rest[..at].strip_suffix('$') {
            Some(before) => {
                pieces.push(Piece::Text(before));
                pieces.push(Piece::Text(&rest[at..rest.len() - behind.len()]));
            }
            None => {
                pieces.push(Piece::Text(&rest[..at]));
                pieces.push(Piece::Reference(name));
            }
        }
        rest = behind;
    }
    pieces.push(Piece::Text(rest));
    pieces
}
