//! The rules single texts of `hostkit.toml` keep, each saying what is wrong in words that fit behind the key.

use crate::domain;
use crate::names::{HostName, NameError, ProcessName, ProjectName, RelativePath, VariableName};
use crate::variables::generate::Recipe;
use crate::variables::{MAX_VALUE_BYTES, RESERVED};

/// A text as it may be shown in a message: short and without control characters.
pub(crate) fn shown(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(64)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(64).is_some() {
        out.push('…');
    }
    out
}

fn told<T>(result: Result<T, NameError>) -> Result<T, String> {
    result.map_err(|e| e.to_string())
}

pub(super) fn free(text: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err("a value cannot contain the character NUL".into());
    }
    if text.len() > MAX_VALUE_BYTES {
        return Err(format!(
            "a value can have {MAX_VALUE_BYTES} bytes at most, this one has {}",
            text.len()
        ));
    }
    Ok(())
}

pub(super) fn project(text: &str) -> Result<(), String> {
    told(ProjectName::parse(text)).map(drop)
}

pub(super) fn process(text: &str) -> Result<(), String> {
    told(ProcessName::parse(text)).map(drop)
}

pub(super) fn host(text: &str) -> Result<(), String> {
    told(HostName::parse(text)).map(drop)
}

/// A host, or the names of one label below one.
pub(super) fn domain(text: &str) -> Result<(), String> {
    match text.strip_prefix("*.") {
        // What it stands below must be written as a host is.
        Some(rest) => host(rest).and_then(|()| domain::parse(text).map(drop)),
        None => host(text),
    }
}

pub(super) fn path(text: &str) -> Result<(), String> {
    told(RelativePath::parse(text)).map(drop)
}

pub(super) fn kept_path(text: &str) -> Result<(), String> {
    match told(RelativePath::parse(text))? {
        path if path.is_root() => {
            Err("the whole folder cannot be kept, name the files and folders in it".into())
        }
        _ => Ok(()),
    }
}

pub(super) fn variable(text: &str) -> Result<(), String> {
    told(VariableName::parse(text)).map(drop)
}

pub(super) fn port_variable(text: &str) -> Result<(), String> {
    variable(text)?;
    if text != "PORT" && RESERVED.contains(&text) {
        return Err(format!("`{text}` has another meaning"));
    }
    Ok(())
}

/// A variable the user may set.
pub(super) fn free_variable(text: &str) -> Result<(), String> {
    variable(text)?;
    if RESERVED.contains(&text) {
        return Err(format!("`{text}` is always set by HostKit"));
    }
    Ok(())
}

pub(super) fn recipe(text: &str) -> Result<(), String> {
    Recipe::parse(text).map(drop).map_err(|why| why.to_string())
}

pub(super) fn version(text: &str) -> Result<(), String> {
    let fits = text.len() <= 64
        && text.contains(|c: char| c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || "-.xX*<>=~^!|, v".contains(c));
    if fits {
        Ok(())
    } else {
        Err(format!(
            "`{}` is not a version such as `20`, `22.x` or `>=3.10`",
            shown(text)
        ))
    }
}

pub(super) fn health_path(text: &str) -> Result<(), String> {
    let why = if !text.starts_with('/') {
        "it must start with `/` and name no scheme or host"
    } else if text.starts_with("//") {
        "it must start with a single `/` and name no host"
    } else if !text.bytes().all(|b| b.is_ascii_graphic()) {
        "spaces, control characters and letters outside ASCII must be percent-encoded"
    } else if text.contains('#') {
        "a `#` part is never sent to a server"
    } else if text.len() > 1024 {
        "it must have 1024 characters at most"
    } else {
        return Ok(());
    };
    Err(format!("`{}` is not a path to ask: {why}", shown(text)))
}

pub(super) fn schedule(text: &str) -> Result<(), String> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let refused = |why: String| Err(format!("`{}` is not a schedule: {why}", shown(text)));
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != 5 || text.len() > 256 {
        return refused(
            "it needs five fields: minute, hour, day of month, month, day of week (`0 3 * * *` is every night at three)"
                .into(),
        );
    }
    let limits: [(&str, u32, u32, &[&str]); 5] = [
        ("minute", 0, 59, &[]),
        ("hour", 0, 23, &[]),
        ("day of month", 1, 31, &[]),
        ("month", 1, 12, &MONTHS),
        ("day of week", 0, 7, &DAYS),
    ];
    for (field, (what, least, most, names)) in fields.iter().zip(limits) {
        if !field
            .split(',')
            .all(|part| is_schedule_part(part, least, most, names))
        {
            return refused(format!(
                "`{}` is not a {what} from {least} to {most}",
                shown(field)
            ));
        }
    }
    Ok(())
}

/// `*`, `5`, `1-5`, `mon-fri`, each with an optional step: `*/15`.
fn is_schedule_part(part: &str, least: u32, most: u32, names: &[&str]) -> bool {
    let number = |text: &str| -> Option<u32> {
        let named = names.iter().position(|n| n.eq_ignore_ascii_case(text));
        match named {
            Some(place) => Some(place as u32 + least),
            None => text
                .bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| text.parse().ok())?,
        }
        .filter(|n| (least..=most).contains(n))
    };
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    let good_step = step.is_none_or(|s| {
        s.bytes().all(|b| b.is_ascii_digit())
            && s.parse::<u32>().is_ok_and(|n| (1..=most.max(1)).contains(&n))
    });
    let good_range = range == "*"
        || match range.split_once('-') {
            Some((from, to)) => number(from).zip(number(to)).is_some_and(|(from, to)| from <= to),
            None => number(range).is_some(),
        };
    good_step && good_range
}
