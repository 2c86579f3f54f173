//! Arguments of the commands about the installation and the shell.

use clap::Args;
use clap_complete::Shell;

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
