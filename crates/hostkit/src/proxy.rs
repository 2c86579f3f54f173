//! The front door's process.

use std::os::fd::OwnedFd;

use anyhow::Context;
use hostkit_cli::local::ProxyOptions;
use hostkit_core::layout::Layout;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Serves on the sockets it was handed until it is told to stop.
pub(crate) fn run(options: ProxyOptions, sockets: Vec<OwnedFd>) -> anyhow::Result<()> {
    crate::daemon_log::begin();
    raise_file_limit().context("cannot raise the limit of open files")?;
    let listeners = hostkit_proxy::inherited_listeners(sockets)?;
    hostkit_proxy::run(hostkit_proxy::ProxyConfig::new(
        Layout::new(options.data),
        listeners,
    ))?;
    Ok(())
}

/// Each request in flight needs two descriptors; the usual soft limit of 1024 is for programs that use `select`.
fn raise_file_limit() -> nix::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
}
