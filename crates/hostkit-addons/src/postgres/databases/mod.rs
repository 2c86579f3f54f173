//! Databases of environments, and the roles that belong to them.
//!
//! ```text
//! hostkit_tenants ◄── shop_db (owns all, cannot log in) ◄── shop_db.1, shop_db.2 (log in, and then are shop_db)
//!                        └──► shop_tenant_a (only a name: who is a member may connect to the database called so)
//! ```
//!
//! The databases themselves belong to HostKit: an owner could lift its limits.

mod activity;
mod create;
mod errand;
mod limits;
mod logins;
mod remove;
mod state;
mod walls;

pub(crate) use activity::{disconnect, let_nobody_in};
pub use create::{Known, ensure, ensure_further, is_there, known};
pub(crate) use create::{create_empty, mark};
pub(crate) use errand::{Errand, May, random_password};
pub use limits::Limits;
pub use logins::{admit, expel_others};
pub(crate) use remove::{drop_database, drop_role};
pub use remove::{drop_further, remove};
pub(crate) use state::{State, states};

/// The database that HostKit's own work is done in. No database of a project is called so: theirs have an underscore.
pub(crate) const OWN_DATABASE: &str = "hostkit";
