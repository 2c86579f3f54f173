//! Who is connected to a database and what they do: `top`.

use hostkit_core::database::Connection;
use hostkit_core::kind::Failure;

use crate::postgres::session::Access;

/// The longest text of a query that is shown, in characters.
const LONGEST: i32 = 500;

/// The connections to a database: those at work first, of them the longest first.
pub async fn connections(access: &Access, database: &str) -> Result<Vec<Connection>, Failure> {
    let session = access.connect(&access.home).await?;
    let question = "SELECT pid, usename::text, application_name, coalesce(state, ''),
               coalesce(extract(epoch FROM clock_timestamp() - state_change)::float8, 0),
               wait_event_type || ':' || wait_event, pg_blocking_pids(pid), left(query, $2)
         FROM pg_stat_activity
         WHERE datname = $1 AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND usename <> 'hostkit'
         ORDER BY state = 'active' DESC, state_change";
    let rows = session
        .rows("look at connections", question, &[&database, &LONGEST])
        .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let waits_for: Option<String> = row.get(5);
            Connection {
                pid: row.get(0),
                login: row.get(1),
                program: row.get(2),
                state: row.get(3),
                since: row.get(4),
                // One that is idle waits for its client, which is nothing to tell.
                waits_for: waits_for.filter(|event| !event.starts_with("Client:")),
                blocked_by: row.get(6),
                query: row.get(7),
            }
        })
        .collect())
}
