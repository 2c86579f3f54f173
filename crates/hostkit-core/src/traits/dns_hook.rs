//! Entries in the DNS by which a name is shown to be ours.

use crate::kind::Failure;

/// Makes and removes text entries.
#[async_trait::async_trait]
pub trait DnsHook: Send + Sync {
    /// Adds an entry. It is there for others to see when this returns. Called again for the same entry, it changes
    /// nothing; two entries of one name can be wanted at a time.
    async fn set(&self, name: &str, value: &str) -> Result<(), Failure>;

    /// Removes it again, or does nothing where there is none.
    async fn clear(&self, name: &str, value: &str) -> Result<(), Failure>;
}
