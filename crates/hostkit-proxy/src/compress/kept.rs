//! What was compressed once and is asked for again: the small forms of files, shared by all threads and bounded.

use std::io;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::Coding;
use super::encoder::whole;

/// The most bytes kept.
const MOST: u64 = 16 << 20;
/// How many forms are expected, roughly.
const FORMS: usize = 2000;
/// What a form costs besides its bytes, roughly.
const OVERHEAD: usize = 256;

/// Names a form: whose file it is, the tag of the file, which tells its states apart, and the coding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FormKey {
    pub(crate) site: u64,
    pub(crate) name: Vec<u8>,
    pub(crate) tag: Bytes,
    pub(crate) coding: &'static str,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<FormKey, Bytes> for ByBytes {
    fn weight(&self, key: &FormKey, form: &Bytes) -> u64 {
        (key.name.len() + form.len() + OVERHEAD) as u64
    }
}

/// Compressed forms.
pub(crate) struct Forms(Cache<FormKey, Bytes, ByBytes>);

impl Default for Forms {
    fn default() -> Self {
        Forms(Cache::with_weighter(FORMS, MOST, ByBytes))
    }
}

impl Forms {
    /// The form of what `read` gives, made once: on another thread, as it takes longer than others should wait.
    pub(crate) async fn get(
        &self,
        key: FormKey,
        coding: Coding,
        read: impl FnOnce() -> io::Result<Bytes> + Send + 'static,
    ) -> io::Result<Bytes> {
        let make = async {
            let made = tokio::task::spawn_blocking(move || whole(coding, &read()?));
            made.await.map_err(io::Error::other)?
        };
        self.0.get_or_insert_async(&key, make).await
    }
}
