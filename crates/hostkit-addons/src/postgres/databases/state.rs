//! How the databases of all environments are, as far as the server tells it in one answer.

use std::collections::BTreeMap;

use hostkit_core::kind::Failure;

use super::create::MARK;
use crate::postgres::session::Session;

/// What is known of the databases and logins of an environment. Two that are equal say that nothing was changed in between
/// but what only a connection to the database itself shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State(Vec<String>);

/// The state of each environment that has a database, by the name of its main one.
pub(crate) async fn states(session: &Session) -> Result<BTreeMap<String, State>, Failure> {
    // Verifiers of passwords are in it: it leaves the server as a digest.
    let question = format!(
        "WITH ours AS (
             SELECT d.oid, d.datname, d.datallowconn, d.datconnlimit, d.datacl,
                 substr(shobj_description(d.oid, 'pg_database'), {after_mark}) AS main
             FROM pg_database d
             WHERE d.datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user)
                 AND starts_with(shobj_description(d.oid, 'pg_database'), $1)
         ), roles AS (
             SELECT o.main, a.oid FROM ours o JOIN pg_authid a ON a.rolname = o.main
             UNION
             SELECT o.main, m.member FROM ours o JOIN pg_authid a ON a.rolname = o.main
                 JOIN pg_auth_members m ON m.roleid = a.oid
         ), told AS (
             SELECT main, ROW(oid, datname, datallowconn, datconnlimit, datacl)::text AS line FROM ours
             UNION ALL
             SELECT r.main, ROW(a.rolname, a.rolsuper, a.rolinherit, a.rolcreaterole, a.rolcreatedb, a.rolcanlogin,
                     a.rolreplication, a.rolbypassrls, a.rolpassword, shobj_description(a.oid, 'pg_authid'),
                     (SELECT s.setconfig FROM pg_db_role_setting s WHERE s.setrole = a.oid AND s.setdatabase = 0),
                     ARRAY(SELECT m.roleid FROM pg_auth_members m WHERE m.member = a.oid ORDER BY 1))::text
             FROM roles r JOIN pg_authid a ON a.oid = r.oid
         )
         SELECT main, encode(sha256(convert_to(line, 'UTF8')), 'hex') FROM told ORDER BY 1, 2",
        after_mark = MARK.len() + 1,
    );
    let mut states = BTreeMap::new();
    for row in session.rows("look at all databases", &question, &[&MARK]).await? {
        let state = states.entry(row.get(0)).or_insert_with(|| State(Vec::new()));
        state.0.push(row.get(1));
    }
    Ok(states)
}
