//! The time, asked of somebody else so that tests can set it.

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> jiff::Timestamp;
}
