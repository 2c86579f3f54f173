//! What builders have in common, one job a file.

pub(crate) mod dependency_sets;
pub(crate) mod disk;
pub(crate) mod finished;
pub(crate) mod javascript;
pub(crate) mod package;
pub(crate) mod programs;
pub(crate) mod toolbox;
pub(crate) mod tree;
pub(crate) mod versions;
pub(crate) mod workshop;
