//! `pg_hba.conf`: who may log in where. It names no project: PostgreSQL's own word `samerole` lets a role into a
//! database if it is a member of the role that has the database's name.

/// All that projects log in as are members of this role, by way of the role that owns their database.
pub(crate) const TENANTS: &str = "hostkit_tenants";
/// The logins that make base backups are members of this role; they get into no database.
pub(crate) const COPIERS: &str = "hostkit_copiers";
/// The superuser that HostKit works as.
pub(crate) const SUPERUSER: &str = "hostkit";

/// The rules of a cluster that is HostKit's alone. Whoever they do not name is refused.
pub(crate) fn of_private_cluster() -> String {
    format!(
        "\
# TYPE DATABASE USER ADDRESS METHOD
local all {SUPERUSER} scram-sha-256
host all {SUPERUSER} 127.0.0.1/32 scram-sha-256
{}",
        of_ours()
    )
}

/// The rules of who makes base backups, and of projects. They come before all others, for the first that fits is taken.
pub(crate) fn of_ours() -> String {
    format!(
        "\
host replication +{COPIERS} 127.0.0.1/32 scram-sha-256
host all +{COPIERS} all reject
local samerole +{TENANTS} scram-sha-256
host samerole +{TENANTS} 127.0.0.1/32 scram-sha-256
local all +{TENANTS} reject
host all +{TENANTS} all reject
"
    )
}
