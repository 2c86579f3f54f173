//! Arguments of the commands about the installation and the shell.

use clap::Args;
use clap_complete::Shell;
use hostkit_core::server_settings::LEAST_CACHE_DISK;
use hostkit_core::size::ByteSize;

use super::Target;

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// The port of the front door; 0 takes any free one
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 8080,
        env = "HOSTKIT_HTTP_PORT",
        hide_env_values = true
    )]
    pub(crate) http_port: u16,
    /// Speak TLS as well, and send plain HTTP there
    #[arg(long)]
    pub(crate) tls: bool,
    /// The port of the front door for TLS; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 8443, requires = "tls")]
    pub(crate) https_port: u16,
    /// The port of the API on loopback; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) api_port: u16,
    /// Keep answers that applications mark as cacheable on disk, too, as much as this: they outlive the front door
    #[arg(long, value_name = "SIZE", default_value = "0", hide_default_value = true, value_parser = cache_disk)]
    pub(crate) cache_disk: ByteSize,
    /// Return as soon as everything is up, and keep it running
    #[arg(long, short)]
    pub(crate) detach: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ControlArgs {
    /// Where the front door's public listener is
    #[arg(long, value_name = "ADDRESS", required_unless_present = "server")]
    pub(crate) http: Option<std::net::SocketAddr>,
    /// Where its public listener for TLS is
    #[arg(long, value_name = "ADDRESS", conflicts_with = "server")]
    pub(crate) https: Option<std::net::SocketAddr>,
    /// Be the daemon of a server
    #[arg(long, conflicts_with = "http")]
    pub(crate) server: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
    /// Where the sockets for TLS are among those it is handed
    #[arg(long, value_name = "ADDRESS", conflicts_with = "server")]
    pub(crate) https: Option<std::net::SocketAddr>,
    /// The most disk that it keeps answers on
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = cache_disk, conflicts_with = "server")]
    pub(crate) cache_disk: ByteSize,
    /// Be the front door of a server
    #[arg(long)]
    pub(crate) server: bool,
}

#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Only print the URL
    #[arg(long)]
    pub(crate) print: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// A size that is of use as a cache on disk, or zero for none.
fn cache_disk(text: &str) -> Result<ByteSize, String> {
    match ByteSize::parse(text).map_err(|error| error.to_string())? {
        size if size.0 > 0 && size < LEAST_CACHE_DISK => {
            Err(format!("it is at least {LEAST_CACHE_DISK}, or 0 for none"))
        }
        size => Ok(size),
    }
}
