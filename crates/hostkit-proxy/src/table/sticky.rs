//! Keeping a visitor on one instance, where a process asks for it: a cookie that only this route's backends are looked
//! for by. Its value is a keyed hash of route and backend, so it says nothing of the machine, and nobody who was not given
//! one can make one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{self, HeaderMap};
use http::{HeaderValue, Uri};

use super::backend::Backend;

/// The cookie's name.
const NAME: &str = "hostkit_instance";
/// How many bytes of the hash are used: 22 letters.
const BYTES: usize = 16;
/// The most cookies of a request that are looked at.
pub(super) const MOST_COOKIES: usize = 200;

/// What the values of cookies are made with. It outlives the process, as cookies do.
#[derive(Clone)]
pub(crate) struct Secret([u8; blake3::KEY_LEN]);

impl Secret {
    /// A new one. One that is not random is none: anybody could make cookies with it.
    pub(crate) fn random() -> io::Result<Secret> {
        let mut key = [0; blake3::KEY_LEN];
        getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Secret(key))
    }

    /// The one that is kept in `folder`; a new one where there is none. One that cannot be kept is good as long as this
    /// process lives: visitors are given new cookies after that.
    pub(crate) fn kept_in(folder: &Path) -> io::Result<Secret> {
        let path = folder.join("sticky.key");
        if let Ok(bytes) = fs::read(&path)
            && let Ok(key) = bytes.try_into()
        {
            return Ok(Secret(key));
        }
        let secret = Secret::random()?;
        if let Err(error) = secret.keep(&path) {
            tracing::warn!(path = %path.display(), "cannot keep the key of sticky sessions: {error}");
        }
        Ok(secret)
    }

    fn keep(&self, path: &Path) -> io::Result<()> {
        let next = path.with_extension("key.next");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&next)?;
        file.write_all(&self.0)?;
        file.sync_all()?;
        fs::rename(&next, path)
    }

    fn value(&self, route: &str, backend: &Backend) -> String {
        self.seal([route, &backend.id.0])
    }

    /// A keyed hash of some words, as text.
    pub(super) fn seal<const WORDS: usize>(&self, words: [&str; WORDS]) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        let (last, before) = words
            .split_last()
            .map_or(("", &words[..]), |(last, before)| (*last, before));
        for word in before {
            // The length stands before each but the last, so that no other words are written alike.
            hasher.update(&(word.len() as u64).to_le_bytes());
            hasher.update(word.as_bytes());
        }
        hasher.update(last.as_bytes());
        URL_SAFE_NO_PAD.encode(&hasher.finalize().as_bytes()[..BYTES])
    }
}

/// The cookies of one route.
pub(crate) struct Sticky {
    /// Each backend with its value.
    values: Vec<(String, Arc<Backend>)>,
    /// The path they are sent for.
    path: String,
}

impl Sticky {
    /// Those for the backends of a route that answers `prefix`, without its last slash.
    pub(crate) fn new(secret: &Secret, route: &str, prefix: &str, backends: &[Arc<Backend>]) -> Sticky {
        let values = backends
            .iter()
            .map(|backend| (secret.value(route, backend), Arc::clone(backend)));
        // One that a browser would read differently is left to all paths, as that of the root is.
        let fits = prefix.parse::<Uri>().is_ok() && !prefix.contains(';');
        Sticky {
            values: values.collect(),
            path: if fits { prefix.to_owned() } else { "/".to_owned() },
        }
    }

    /// The backend a request asks for. Of several cookies the first that fits counts: routes below others have cookies
    /// of the same name.
    pub(crate) fn wish(&self, headers: &HeaderMap) -> Option<&Arc<Backend>> {
        let lines = headers.get_all(header::COOKIE).iter();
        let texts = lines.filter_map(|line| line.to_str().ok());
        texts
            .flat_map(|line| line.split(';'))
            .take(MOST_COOKIES)
            .filter_map(|cookie| cookie.trim().strip_prefix(NAME)?.strip_prefix('='))
            .find_map(|value| {
                let mut known = self.values.iter();
                known.find(|(own, _)| own == value).map(|(_, backend)| backend)
            })
    }

    /// The cookie for a backend. `secure`: it is never sent without TLS.
    pub(crate) fn cookie(&self, backend: &Backend, secure: bool) -> Option<HeaderValue> {
        let (value, _) = self.values.iter().find(|(_, known)| known.key == backend.key)?;
        let secure = if secure { "; Secure" } else { "" };
        let text = format!(
            "{NAME}={value}; Path={}; HttpOnly; SameSite=Lax{secure}",
            self.path
        );
        HeaderValue::from_str(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use hostkit_core::route::BackendId;

    use super::super::backend::Backends;
    use super::*;

    fn backend(backends: &Backends, name: &str) -> Arc<Backend> {
        let address = "127.0.0.1:9000".parse().unwrap();
        backends.get(&BackendId(name.into()), address, &Default::default())
    }

    fn asking(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(cookie).unwrap())])
    }

    #[test]
    fn a_cookie_leads_to_its_own_routes_backend_and_to_no_other() {
        let backends = Backends::default();
        let (one, two) = (backend(&backends, "shop.1"), backend(&backends, "shop.2"));
        let other = backend(&backends, "blog.1");
        let secret = Secret::random().unwrap();
        let shop = Sticky::new(&secret, "shop", "", &[one.clone(), two.clone()]);
        let blog = Sticky::new(&secret, "blog", "", &[other]);
        let cookie = shop.cookie(&two, true).unwrap();
        let cookie = cookie.to_str().unwrap();
        assert!(
            cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"),
            "{cookie}"
        );
        let pair = cookie.split(';').next().unwrap();
        assert_eq!(pair.len(), NAME.len() + 1 + 22);
        for told in ["shop", "9000", "127.0.0.1"] {
            assert!(!pair.contains(told), "{pair}");
        }
        let wish = |sticky: &Sticky, cookie: &str| sticky.wish(&asking(cookie)).map(|b| b.id.0.clone());
        assert_eq!(wish(&shop, pair).as_deref(), Some("shop.2"));
        let among = format!("a=b; {NAME}=stale; ;; {pair};x");
        assert_eq!(wish(&shop, &among).as_deref(), Some("shop.2"));
        assert_eq!(wish(&blog, pair), None);
        let without = &pair[..pair.len() - 1];
        for forged in [
            "",
            "=",
            NAME,
            "hostkit_instance=",
            "hostkit_instance=shop.1",
            without,
        ] {
            assert_eq!(wish(&shop, forged), None, "{forged}");
        }
        let endless = format!("{}{pair}", "a=b;".repeat(100_000));
        assert_eq!(wish(&shop, &endless), None);
        // Another installation's key, and one route's name with another's instance.
        let elsewhere = Sticky::new(&Secret::random().unwrap(), "shop", "", &[one.clone(), two]);
        assert_eq!(wish(&elsewhere, pair), None);
        let moved = Sticky::new(&secret, "sho", "", &[one]);
        assert_eq!(wish(&moved, pair), None);
    }

    #[test]
    fn the_key_is_kept_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let first = Secret::kept_in(folder.path()).unwrap();
        assert_eq!(Secret::kept_in(folder.path()).unwrap().0, first.0);
        let path = folder.path().join("sticky.key");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&path, b"torn").unwrap();
        let second = Secret::kept_in(folder.path()).unwrap();
        assert_ne!(second.0, first.0);
        assert_eq!(Secret::kept_in(folder.path()).unwrap().0, second.0);
        // A folder that is not there: good for now.
        Secret::kept_in(&folder.path().join("none")).unwrap();
    }
}
