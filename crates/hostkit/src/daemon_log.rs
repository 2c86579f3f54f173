//! The log of a daemon: one line an entry on standard error, which the supervisor sends to a file (or systemd to its
//! journal). `HOSTKIT_LOG` sets what is said, `info` where nothing is set.

use tracing_subscriber::EnvFilter;

/// Begins to log. A panic is a bug: it is logged and ends the process, so that it starts afresh.
pub(crate) fn begin() {
    let filter = EnvFilter::try_from_env("HOSTKIT_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
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
