//! `hostkit trust`: the authority of an installation, brought to where this machine's programs look.

use std::path::{Path, PathBuf};

use hostkit_core::certificate::AuthorityCertificate;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::trust::{TrustReport, TrustWish};
use hostkit_host::trust::Truster;

/// Where the certificate lies.
pub(crate) fn file(data: &Path) -> anyhow::Result<PathBuf> {
    Ok(authority(data)?.file)
}

/// Has it trusted, or no more.
pub(crate) fn run(data: &Path, wish: TrustWish, command: &str) -> anyhow::Result<TrustReport> {
    let authority = authority(data)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(Truster::here().run(&authority, wish, command)))
}

fn authority(data: &Path) -> Result<AuthorityCertificate, Failure> {
    let folder = hostkit_certificates::Settings::of(&Layout::new(data)).folder;
    hostkit_certificates::read_authority(&folder)?.ok_or_else(|| {
        let file = hostkit_certificates::authority_file(&folder);
        let message = format!("cannot find an authority: there is no `{}`", file.display());
        Failure::new(Kind::NotFound, message)
            .hint("`hostkit up --tls` makes it; another data folder is named with `--data DIR`")
    })
}
