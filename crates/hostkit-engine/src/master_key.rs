//! The master key, as somebody asks for another one.

use hostkit_core::kind::{Failure, Kind};
use hostkit_store::Rotated;

use crate::Engine;

impl Engine {
    /// Makes a new master key and seals everything with it.
    pub async fn rotate_master_key(&self, by: &str) -> Result<Rotated, Failure> {
        let (store, by) = (self.store().clone(), by.to_owned());
        let rotated = tokio::task::spawn_blocking(move || store.rotate_master_key(&by)).await;
        rotated.map_err(|why| Failure::new(Kind::Internal, format!("cannot rotate the master key: {why}")))?
    }
}
