//! Where releases come from: uploaded sources, and the builders that turn a source folder into an artifact.
//! A builder is a folder and a line in [`catalogue`]; none knows of the others.

pub mod apart;
mod blocking;
mod nextjs;
mod node;
pub mod operator;
pub mod procfile;
mod python;
mod shared;
pub mod sources;
mod static_site;

use std::collections::BTreeMap;
use std::sync::Arc;

use hostkit_core::size::ByteSize;
use hostkit_core::traits::Builder;
use hostkit_host::command::Guard;
use hostkit_host::roles::SelfProgram;

pub use operator::{operator_environment_from, search_path};
pub use shared::disk::{projected_bytes, refuse_full_disk};
pub use sources::UploadStore;

use shared::toolbox::Toolbox;

/// What builders are told once.
#[derive(Debug, Clone)]
pub struct BuilderSettings {
    /// Our own binary, which guards every program a build starts.
    pub own: SelfProgram,
    /// What of HostKit's own environment builds see; see [`operator_environment_from`].
    pub operator_environment: BTreeMap<String, String>,
    /// What stays free on the disk whatever a build needs (512 MB is usual).
    pub min_free: ByteSize,
}

/// The builders, in the order in which they are asked.
pub fn catalogue(settings: BuilderSettings) -> Vec<Arc<dyn Builder>> {
    let tools = Arc::new(Toolbox::new(
        Guard::new(settings.own),
        settings.operator_environment,
        settings.min_free,
    ));
    vec![
        Arc::new(nextjs::Nextjs::new(tools.clone())),
        Arc::new(node::Node::new(tools.clone())),
        Arc::new(python::Python::new(tools.clone())),
        Arc::new(static_site::StaticSite::new(tools)),
    ]
}
