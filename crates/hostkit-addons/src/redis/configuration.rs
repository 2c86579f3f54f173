//! What a server is started with: its settings as a file, its users as another.
//!
//! Every value that stands in a file is a number, a digest or a folder of ours; folders are quoted as Redis reads them
//! (`sdssplitargs` of its source: a quoted string with `\"` and `\\`).

use std::path::Path;

use hostkit_core::addon::AddonOrder;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::StopRule;
use hostkit_core::names::{RelativePath, VariableName};
use hostkit_core::secret::Secret;
use hostkit_core::services::{Service, ServiceFile, ServiceName, WhenChanged};
use hostkit_core::size::{ByteSize, Span};
use hostkit_core::traits::Services;

use super::users;

/// The most memory the data of one server take where the user chose nothing.
const MEMORY: ByteSize = ByteSize::mib(64);
/// The least a user can choose: an empty server takes one mebibyte.
const LEAST_MEMORY: ByteSize = ByteSize::mib(4);
/// What a server may use besides its data: buffers of its clients, and the copy of pages that change while it rewrites
/// its file, which can be all of them.
const BESIDES: ByteSize = ByteSize::mib(64);
/// The last writes reach the disk when it is stopped, however many.
const GRACE: Span = Span::secs(30);

const SETTINGS: &str = "redis.conf";
const USERS: &str = "users.acl";

/// The server of an add-on.
pub(super) fn service(
    order: &AddonOrder,
    name: ServiceName,
    services: &dyn Services,
    system_path: &str,
) -> Result<Service, Failure> {
    let place = services.place(&name);
    let port = order.port.ok_or_else(|| {
        Failure::new(
            Kind::Internal,
            format!("cannot start {}: it has no port", order.id),
        )
    })?;
    let memory = order.settings.memory.unwrap_or(MEMORY);
    if memory < LEAST_MEMORY {
        let message = format!(
            "cannot give {memory} to {}: {LEAST_MEMORY} are the least",
            order.id
        );
        return Err(Failure::new(Kind::Invalid, message));
    }
    let policy = match order.settings.keep_all {
        true => "noeviction",
        false => "allkeys-lru",
    };
    let text = settings(
        port,
        memory,
        policy,
        &place.data,
        &place.configuration.join(USERS),
    );
    let path = VariableName::parse("PATH").map_err(|e| internal(&e))?;
    Ok(Service {
        arguments: vec![
            "redis-server".into(),
            place.configuration.join(SETTINGS).to_string_lossy().into_owned(),
        ],
        variables: [(path, Secret::new(system_path))].into(),
        files: vec![
            file(SETTINGS, text, WhenChanged::Restart)?,
            // A server that runs is told of its users one by one, without the connections of the others being cut.
            file(USERS, users::file(order), WhenChanged::Leave)?,
        ],
        stop: StopRule {
            grace: GRACE,
            ..StopRule::default()
        },
        memory: Some(ByteSize(memory.0.saturating_mul(2).saturating_add(BESIDES.0))),
        never_root: false,
        name,
    })
}

pub(super) fn file(path: &str, content: String, changed: WhenChanged) -> Result<ServiceFile, Failure> {
    Ok(ServiceFile {
        path: RelativePath::parse(path).map_err(|e| internal(&e))?,
        content: Secret::new(content),
        changed,
    })
}

fn internal(why: &dyn std::fmt::Display) -> Failure {
    Failure::new(Kind::Internal, format!("cannot describe a Redis server: {why}"))
}

/// The settings, as <https://redis.io/docs/latest/operate/oss_and_stack/management/config/> lists them. Every write is
/// in the append-only file before it is answered, and that file is brought to the disk each second: a server that is
/// killed loses nothing, a loss of power at most about the last second (two, where the disk is slow).
fn settings(port: u16, memory: ByteSize, policy: &str, data: &Path, users: &Path) -> String {
    let (data, users) = (quoted(data), quoted(users));
    let bytes = memory.0;
    format!(
        "# Written by HostKit; changes are overwritten.\n\
         bind 127.0.0.1\n\
         port {port}\n\
         protected-mode yes\n\
         aclfile {users}\n\
         dir {data}\n\
         appendonly yes\n\
         appendfsync everysec\n\
         save \"\"\n\
         maxmemory {bytes}\n\
         maxmemory-policy {policy}\n\
         maxclients 1000\n\
         enable-debug-command no\n\
         enable-module-command no\n\
         enable-protected-configs no\n\
         daemonize no\n\
         logfile \"\"\n\
         always-show-logo no\n"
    )
}

fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_any_name_stays_one_word() {
        for (path, text) in [
            ("/var/lib/hostkit", r#""/var/lib/hostkit""#),
            ("/a b/#c", r#""/a b/#c""#),
            (r#"/a"b\c"#, r#""/a\"b\\c""#),
        ] {
            assert_eq!(quoted(Path::new(path)), text);
        }
    }
}
