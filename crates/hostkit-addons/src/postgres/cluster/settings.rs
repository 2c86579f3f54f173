//! `postgresql.conf` of the private cluster. Everything is written, nothing edited: the file that `initdb` makes is not
//! read.

use std::path::Path;

use hostkit_core::size::ByteSize;
use jiff::Timestamp;

use super::initialise::SOCKET;

/// The longest path of a unix socket that the kernel takes, in bytes.
const LONGEST_SOCKET: usize = 107;

/// The server's own module that files pieces away.
pub(crate) const LIBRARY: &str = "basic_archive";

/// What becomes of full pieces of the write-ahead log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archiving {
    /// They are used again.
    Off,
    /// They are filed away into the spool, for recovery to a point in time (`postgres::archiving`).
    Spool,
}

/// What differs between installations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSettings {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// What the server may keep in memory for all: an eighth of it becomes `shared_buffers`.
    pub memory: ByteSize,
    /// What becomes of full pieces of the write-ahead log. The server need not be started again to change it.
    pub archiving: Archiving,
}

/// The socket folder below the data of the cluster, where the path of a socket in there is short enough.
pub(crate) fn socket_folder(data: &Path, port: u16) -> Option<std::path::PathBuf> {
    let folder = data.join(SOCKET);
    let socket = folder.join(format!(".s.PGSQL.{port}"));
    (socket.as_os_str().len() <= LONGEST_SOCKET).then_some(folder)
}

/// What can change only with a new start.
pub(crate) fn at_start(settings: &ClusterSettings, sockets: Option<&Path>) -> String {
    let shared = ((settings.memory.0 / 8) >> 20).clamp(16, 2048);
    let sockets = sockets.map_or_else(String::new, |folder| folder.display().to_string());
    write(&[
        ("listen_addresses", "127.0.0.1".into()),
        ("port", settings.port.to_string()),
        ("unix_socket_directories", list_entry(&sockets)),
        ("unix_socket_permissions", "0700".into()),
        // A connection that is not used costs little; PgBouncer keeps the number of used ones small.
        ("max_connections", "300".into()),
        ("superuser_reserved_connections", "8".into()),
        ("shared_buffers", format!("{shared}MB")),
        ("shared_preload_libraries", "pg_stat_statements".into()),
        ("pg_stat_statements.max", "2000".into()),
        ("wal_level", "replica".into()),
        // Turning this on needs a new start; changing the command below does not.
        ("archive_mode", "on".into()),
        ("max_wal_senders", "4".into()),
        ("logging_collector", "off".into()),
    ])
}

/// What can change while it runs.
pub(crate) fn at_any_time(settings: &ClusterSettings, spool: &Path) -> String {
    // The server's own module files a piece away whole or not at all. An empty command would keep every piece for ever.
    let archiving = match settings.archiving {
        Archiving::Off => vec![
            ("archive_command", "/bin/true".to_owned()),
            ("archive_library", String::new()),
        ],
        Archiving::Spool => vec![
            ("archive_library", LIBRARY.to_owned()),
            ("basic_archive.archive_directory", spool.display().to_string()),
            // So long what was written may be nowhere else. Where nothing is written nothing is ended.
            ("archive_timeout", "60".to_owned()),
        ],
    };
    let cache = ((settings.memory.0 / 2) >> 20).max(64);
    let others = write(&[
        ("password_encryption", "scram-sha-256".into()),
        ("effective_cache_size", format!("{cache}MB")),
        ("work_mem", "4MB".into()),
        ("maintenance_work_mem", "64MB".into()),
        // Compiling a query takes longer than most queries do.
        ("jit", "off".into()),
        ("min_wal_size", "80MB".into()),
        ("max_wal_size", "512MB".into()),
        // An index that is made writes its pages there as a whole: with the older algorithm (`on`) that took longer than
        // the rest of a restore.
        ("wal_compression", "lz4".into()),
        ("timezone", "UTC".into()),
        ("log_timezone", "UTC".into()),
        ("datestyle", "iso, mdy".into()),
        ("lc_messages", "C".into()),
        ("log_line_prefix", "%m [%p] %q%u@%d ".into()),
        // Statements have people's data in them, and of those that failed it is the message that helps.
        ("log_statement", "none".into()),
        ("log_min_error_statement", "panic".into()),
        ("log_checkpoints", "off".into()),
        ("pg_stat_statements.track_utility", "off".into()),
    ]);
    others + &write(&archiving)
}

/// What brings a scratch cluster to a moment and no further. No command fetches pieces of the log: they lie where the server
/// looks for them when there is none to be fetched.
pub(crate) fn of_recovery(to: Timestamp) -> String {
    write(&[
        ("restore_command", "/bin/false".into()),
        (
            "recovery_target_time",
            to.strftime("%Y-%m-%d %H:%M:%S%.6f+00").to_string(),
        ),
        ("recovery_target_timeline", "current".into()),
        ("recovery_target_action", "promote".into()),
        // Nobody gets in before it is there.
        ("hot_standby", "off".into()),
    ])
}

fn write(settings: &[(&str, String)]) -> String {
    settings
        .iter()
        .map(|(name, value)| format!("{name} = {}\n", quote(value)))
        .collect()
}

/// A value between quotes, inside of which a backslash means something.
fn quote(value: &str) -> String {
    let mut quoted = String::from("'");
    for character in value.chars() {
        match character {
            '\'' => quoted.push_str("''"),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// One entry of a list of paths: a comma or a blank would end it, were it not quoted once more.
fn list_entry(path: &str) -> String {
    if path.is_empty() {
        return String::new();
    }
    format!("\"{}\"", path.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_ends_its_quotes() {
        assert_eq!(quote("/bin/true"), "'/bin/true'");
        assert_eq!(quote("a'\nport = 1\\"), r"'a''\nport = 1\\'");
        assert_eq!(list_entry("/a, \"b\""), r#""/a, ""b""""#);
    }

    #[test]
    fn a_socket_needs_a_short_path() {
        assert_eq!(
            socket_folder(Path::new("/data"), 5433),
            Some("/data/socket".into())
        );
        assert_eq!(
            socket_folder(Path::new(&format!("/{}", "a".repeat(100))), 5433),
            None
        );
    }

    #[test]
    fn memory_is_shared_out() {
        let with = |memory| ClusterSettings {
            port: 5433,
            memory,
            archiving: Archiving::Off,
        };
        assert!(at_start(&with(ByteSize::mib(1024)), None).contains("shared_buffers = '128MB'"));
        assert!(at_start(&with(ByteSize(0)), None).contains("shared_buffers = '16MB'"));
        let (mut settings, spool) = (with(ByteSize(0)), Path::new("/spool"));
        assert!(at_any_time(&settings, spool).contains("archive_command = '/bin/true'"));
        settings.archiving = Archiving::Spool;
        let text = at_any_time(&settings, spool);
        assert!(text.contains("basic_archive.archive_directory") && !text.contains("archive_command"));
    }
}
