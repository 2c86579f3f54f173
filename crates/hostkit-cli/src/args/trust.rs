//! Arguments of `trust`.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// Take the authority away again
    #[arg(long)]
    pub(crate) remove: bool,
    /// Change nothing: print where the authority's certificate is
    #[arg(long, conflicts_with = "remove")]
    pub(crate) print: bool,
}
