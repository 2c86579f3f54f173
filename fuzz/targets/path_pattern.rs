//! Patterns of paths and where they lead: a pattern matches or not, always the same, and no path makes another host or
//! another header of a destination.

#![no_main]

use hostkit_core::route::destination::{Destination, Unused};
use hostkit_core::route::pattern::{PathPattern, normal, resolved};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, &str, &str)| {
    let (pattern, path, destination, query) = input;
    let Ok(pattern) = PathPattern::parse(pattern) else {
        return;
    };
    let path = format!("/{path}");
    let path = normal(&path);
    assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{path:?}");
    assert_eq!(normal(&path), path);
    let resolved = resolved(&path);
    assert!(
        resolved.starts_with('/') && !resolved.split('/').any(|part| part == ".."),
        "{resolved:?}"
    );
    let found = pattern.captures(&path);
    assert_eq!(found.is_some(), pattern.matches(&path), "{pattern:?} {path:?}");
    let (Some(found), Ok(destination)) = (found, Destination::parse(destination)) else {
        return;
    };
    for unused in [Unused::Drop, Unused::IntoQuery] {
        let Some(there) = destination.fill(&found, Some(query), unused) else {
            continue;
        };
        assert!(there.bytes().all(|byte| byte.is_ascii_graphic()), "{there:?}");
        assert_eq!(
            destination.is_local(),
            there.starts_with('/') && !there.starts_with("//") && !there.starts_with("/\\"),
            "{there:?}"
        );
    }
});
