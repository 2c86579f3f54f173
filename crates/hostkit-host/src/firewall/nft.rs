//! The kernel's packet filter, by way of `nft`.

use async_trait::async_trait;
use hostkit_core::kind::{Failure, Kind};
use nix::sched::{CloneFlags, unshare};

use super::listing::Listing;
use super::script::{self, INBOUND, LOOPBACK, Part};
use super::{Firewall, Inbound, Loopback, Observed, Seen, TABLE};
use crate::change::Change;
use crate::system_program::{Outcome, SystemProgram};

const NFT: SystemProgram = SystemProgram::new("nft", "nftables");

/// The packet filter of the network namespace that this process is in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nft;

impl Nft {
    /// What the sets in place say, whatever became of the rules around them.
    pub async fn sets(&self) -> Result<Loopback, Failure> {
        let rules = list().await?.and_then(|listing| listing.loopback());
        Ok(rules.unwrap_or_default())
    }
}

#[async_trait]
impl Firewall for Nft {
    async fn observe(&self) -> Result<Observed, Failure> {
        let Some(listing) = list().await? else {
            return Ok(Observed {
                inbound: Seen::Missing,
                loopback: Seen::Missing,
            });
        };
        Ok(Observed {
            inbound: judge(&listing, &INBOUND, listing.inbound(), Inbound::script).await?,
            loopback: judge(&listing, &LOOPBACK, listing.loopback(), Loopback::script).await?,
        })
    }

    async fn ensure_inbound(&self, wanted: &Inbound) -> Result<Change, Failure> {
        if self.observe().await?.inbound == Seen::Intact(wanted.clone()) {
            return Ok(Change::Unneeded);
        }
        apply(&wanted.script()).await
    }

    async fn ensure_loopback(&self, wanted: &Loopback) -> Result<Change, Failure> {
        // Ports come and go with every deployment: only where the values are the wanted ones the rules around them are
        // looked at, too.
        if let Some(listing) = list().await?
            && listing.loopback().as_ref() == Some(wanted)
        {
            let seen = judge(&listing, &LOOPBACK, listing.loopback(), Loopback::script).await?;
            if seen == Seen::Intact(wanted.clone()) {
                return Ok(Change::Unneeded);
            }
        }
        apply(&wanted.script()).await
    }

    async fn remove_inbound(&self) -> Result<Change, Failure> {
        match list().await? {
            Some(listing) if !listing.part(&INBOUND).is_empty() => apply(&script::remove(&INBOUND)).await,
            _ => Ok(Change::Unneeded),
        }
    }

    async fn remove(&self) -> Result<Change, Failure> {
        match list().await? {
            Some(_) => apply(&script::remove_table()).await,
            None => Ok(Change::Unneeded),
        }
    }
}

/// What is there of a part, judged by loading the values its sets hold once more, somewhere else: versions of `nft`
/// word the same rule differently, so that only two listings of one version can be compared.
async fn judge<T>(
    listing: &Listing,
    part: &Part,
    values: Option<T>,
    script: impl Fn(&T) -> String,
) -> Result<Seen<T>, Failure> {
    let there = listing.part(part);
    if there.is_empty() {
        return Ok(Seen::Missing);
    }
    let Some(values) = values else {
        return Ok(Seen::Drifted);
    };
    let meant = rehearse(script(&values)).await?;
    Ok(if meant.part(part) == there {
        Seen::Intact(values)
    } else {
        Seen::Drifted
    })
}

/// The table as it is; none where there is none.
async fn list() -> Result<Option<Listing>, Failure> {
    let tables = NFT.run(&["-j", "-n", "list", "tables"], b"").await?;
    if !tables.is_success() {
        return Err(refused("read", &tables));
    }
    let names: serde_json::Value = serde_json::from_slice(&tables.output).map_err(|_| unreadable())?;
    let ours = names["nftables"].as_array().is_some_and(|entries| {
        entries
            .iter()
            .any(|entry| entry["table"]["family"] == "inet" && entry["table"]["name"] == TABLE)
    });
    if !ours {
        return Ok(None);
    }
    let listed = NFT
        .run(&["-j", "-n", "list", "table", "inet", TABLE], b"")
        .await?;
    if !listed.is_success() {
        return Err(refused("read", &listed));
    }
    Listing::parse(&listed.output).map(Some).ok_or_else(unreadable)
}

async fn apply(script: &str) -> Result<Change, Failure> {
    let ended = NFT.run(&["-f", "-"], script.as_bytes()).await?;
    if ended.is_success() {
        Ok(Change::Made)
    } else {
        Err(refused("change", &ended))
    }
}

/// Loads a script in a network namespace that nothing else is in and that ends with this call.
async fn rehearse(script: String) -> Result<Listing, Failure> {
    let broken = |why: &dyn std::fmt::Display| {
        Failure::new(
            Kind::Internal,
            format!("cannot check the firewall's rules: {why}"),
        )
    };
    let (answer, wait) = tokio::sync::oneshot::channel();
    // A thread of its own: the namespace is left with it, and what it starts is in that namespace.
    std::thread::Builder::new()
        .name("firewall-check".into())
        .spawn(move || {
            let _ = answer.send(load_apart(&script));
        })
        .map_err(|e| broken(&e))?;
    wait.await.map_err(|e| broken(&e))?
}

fn load_apart(script: &str) -> Result<Listing, Failure> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|e| {
        Failure::new(
            Kind::Denied,
            format!("cannot check the firewall's rules: no network namespace can be made ({e})"),
        )
        .hint("run it as root")
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Kind::Internal, format!("cannot check the firewall's rules: {e}")))?;
    runtime.block_on(async {
        apply(script).await.map(drop)?;
        list().await?.ok_or_else(unreadable)
    })
}

fn refused(verb: &str, ended: &Outcome) -> Failure {
    let failure = Failure::new(
        Kind::Internal,
        format!(
            "cannot {verb} the firewall's table `inet {TABLE}`: {}",
            ended.why()
        ),
    );
    if ended.errors.contains("Operation not permitted") {
        return Failure {
            kind: Kind::Denied,
            ..failure
        }
        .hint("run it as root");
    }
    failure.hint(format!("nft list table inet {TABLE}"))
}

fn unreadable() -> Failure {
    Failure::new(
        Kind::Internal,
        format!("cannot read the firewall's table `inet {TABLE}`: `nft` printed something else"),
    )
    .hint("nft --version")
}
