//! Storage: what is said of the bucket of an environment.

/// Below this path of an environment's hosts, what is public in its bucket is read: `/_hostkit/storage/KEY`.
pub const PUBLIC_PATH: &str = "/_hostkit/storage";
