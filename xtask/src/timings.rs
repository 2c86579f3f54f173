//! How long a build takes, measured in a target folder of its own: what a newcomer and a contributor wait for.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, bail};

use crate::tree;

/// Builds the binary from nothing, then after touching one file at the bottom and at the top, then unchanged.
pub(crate) fn run() -> Result<()> {
    let root = tree::root();
    let target = root.join("target/timings");
    if target.exists() {
        std::fs::remove_dir_all(&target).with_context(|| format!("cannot remove `{}`", target.display()))?;
    }
    let rows: [(&str, Option<PathBuf>); 4] = [
        ("from nothing", None),
        (
            "one line of hostkit-core",
            Some(root.join("crates/hostkit-core/src/lib.rs")),
        ),
        (
            "one line of hostkit-cli",
            Some(root.join("crates/hostkit-cli/src/lib.rs")),
        ),
        ("nothing changed", None),
    ];
    for (what, touched) in rows {
        if let Some(file) = touched {
            touch(&file)?;
        }
        println!("{:>8.1} s  {what}", build(&root, &target)?);
    }
    Ok(())
}

fn touch(path: &Path) -> Result<()> {
    let file = std::fs::File::options().append(true).open(path);
    file.and_then(|file| file.set_modified(SystemTime::now()))
        .with_context(|| format!("cannot touch `{}`", path.display()))
}

fn build(root: &Path, target: &Path) -> Result<f64> {
    let started = Instant::now();
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "hostkit"])
        .env("CARGO_TARGET_DIR", target)
        .current_dir(root)
        .stdout(Stdio::null())
        .status()
        .context("cannot start `cargo build`")?;
    if !status.success() {
        bail!("cannot measure the build: `cargo build` ended with {status}");
    }
    Ok(started.elapsed().as_secs_f64())
}
