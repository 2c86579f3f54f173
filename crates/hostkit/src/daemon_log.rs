//! The log of a daemon: one line an entry on standard error, which the supervisor sends to a file (or systemd to its
//! journal). `HOSTKIT_LOG` sets what is said, `info` where nothing is set.

use tracing_subscriber::EnvFilter;

/// What `s3s` logs is not ours to log: the right signature beside a wrong one, and every refusal as an error.
const NEVER: &str = "s3s=off";

/// Begins to log. A panic is a bug: it is logged and ends the process, so that it starts afresh.
pub(crate) fn begin() {
    let filter = EnvFilter::try_from_env("HOSTKIT_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let filter = match NEVER.parse() {
        Ok(never) => filter.add_directive(never),
        Err(_) => filter,
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(
            version = env!("CARGO_PKG_VERSION"),
            "this is a bug in HostKit: {panic}"
        );
        std::process::abort();
    }));
}
