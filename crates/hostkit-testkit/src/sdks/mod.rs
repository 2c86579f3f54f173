//! The libraries that programs of users speak to data services with (`fixtures/sdks`), where `script/setup.sh` puts them.

use std::path::{Path, PathBuf};

/// The folder of all of them.
#[track_caller]
fn home() -> PathBuf {
    let cache = || {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))
    };
    let tools = std::env::var_os("HOSTKIT_TOOLS").map(PathBuf::from);
    let tools = tools.or_else(|| Some(cache()?.join("hostkit-tools")));
    let home = tools.expect("there is a home").join("sdks");
    assert!(
        home.join("made-of").exists(),
        "the SDKs are not there: `source script/setup.sh; setup data sdks`"
    );
    home
}

/// What Node.js is started with (`node --import`) so that scripts that lie elsewhere find the libraries.
#[track_caller]
pub fn node_resolver() -> String {
    let found = home().join("package.json");
    let resolver = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sdks/resolver.mjs");
    assert!(found.exists());
    format!("{}?from={}", file_url(&resolver), file_url(&found))
}

/// The folder in which Node.js finds the libraries: for programs that want it beside them, as `npm install` puts it.
#[track_caller]
pub fn node_modules() -> PathBuf {
    home().join("node_modules")
}

/// The Python that has the libraries.
#[track_caller]
pub fn python() -> PathBuf {
    home().join("python/bin/python")
}

fn file_url(path: &Path) -> String {
    let text = path.to_str().expect("paths of tests are plain");
    format!(
        "file://{}",
        text.replace('%', "%25")
            .replace(' ', "%20")
            .replace('#', "%23")
            .replace('?', "%3F")
    )
}
