//! Names: what is taken is what it was written as, and holds nothing that means something to a path, a URL or a log line.

#![no_main]

use hostkit_core::names::{
    EnvironmentName, HostName, ProcessName, ProjectName, RelativePath, ReleaseName, TokenName, VariableName,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let plain = |name: &str| {
        assert_eq!(name, text);
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)),
            "{name:?}"
        );
        assert!(
            !name.starts_with(['-', '.']) && !name.is_empty() && !name.contains(".."),
            "{name:?}"
        );
    };
    if let Ok(name) = ProjectName::parse(text) {
        plain(name.as_str());
    }
    if let Ok(name) = EnvironmentName::parse(text) {
        plain(name.as_str());
    }
    if let Ok(name) = ProcessName::parse(text) {
        plain(name.as_str());
    }
    if let Ok(name) = ReleaseName::parse(text) {
        plain(name.as_str());
    }
    if let Ok(name) = TokenName::parse(text) {
        plain(name.as_str());
    }
    if let Ok(name) = HostName::parse(text) {
        plain(name.as_str());
    }
    if let Ok(name) = VariableName::parse(text) {
        plain(name.as_str());
    }
    if let Ok(path) = RelativePath::parse(text) {
        assert!(!path.as_str().starts_with('/') && !path.as_str().contains('\0'));
        assert!(
            path.as_str()
                .split('/')
                .all(|part| part != ".." && !part.is_empty()),
            "{text:?}"
        );
    }
});
