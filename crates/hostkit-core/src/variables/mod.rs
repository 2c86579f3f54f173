//! Variables: the environment of a program, by name, values secret. Reading and writing of `.env` text lives in
//! [`dotenv`], hiding of values in output in [`mask`].

pub mod dotenv;
pub mod generate;
pub mod mask;
pub mod references;
pub mod rule;

use std::collections::BTreeMap;

use crate::names::VariableName;
use crate::secret::Secret;

/// Variables by name.
pub type Variables = BTreeMap<VariableName, Secret>;

/// Names HostKit sets itself; a user cannot set them.
pub const RESERVED: [&str; 5] = [
    "PORT",
    "HOST",
    "PROJECT_NAME",
    "HOSTKIT_RELEASE",
    "HOSTKIT_ENVIRONMENT",
];
/// The longest value taken, in bytes: with its name it must fit into the 128 KB the kernel hands a program as one text.
pub const MAX_VALUE_BYTES: usize = 127 * 1024;
/// The most bytes of all names and values together: the kernel hands a program about 2 MB with its arguments.
pub const MAX_ALL_BYTES: usize = 1024 * 1024;
