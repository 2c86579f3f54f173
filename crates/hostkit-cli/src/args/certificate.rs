//! Arguments of `cert`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use hostkit_core::certificate::CertificateName;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct CertificateArgs {
    #[command(subcommand)]
    pub(crate) command: CertificateCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertificateCommand {
    /// List certificates: for which names, from where, until when, and what is wrong with one
    List,
    /// Bring a certificate of your own, shown at once and before any other for its names
    Import {
        /// The file with the certificate and those that issued it (PEM), often called fullchain.pem
        #[arg(value_hint = ValueHint::FilePath)]
        chain: PathBuf,
        /// The file with its private key (PEM, without a password), often called privkey.pem
        #[arg(value_hint = ValueHint::FilePath)]
        key: PathBuf,
    },
    /// Order the certificate of a name now, whatever it waits for
    Renew {
        /// What it is for, such as shop.example.com or '*.example.com'
        name: CertificateName,
    },
    /// Take a certificate away that was imported, for one name of it
    Remove {
        /// What it is for, such as shop.example.com or '*.example.com'
        name: CertificateName,
    },
}
