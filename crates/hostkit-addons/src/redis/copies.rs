//! Redis in backups: its keys as an RDB, taken at the moment they were counted at, checked by the server's own reader, and
//! put into the place of the append-only file.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use hostkit_core::addon::{AddonId, AddonKind, AddonOrder};
use hostkit_core::backup::part::{Counts, PartKind, PartName};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::services::ServiceTask;
use hostkit_core::size::Span;
use hostkit_core::traits::{Addon, Copies, CopyOf, Counting, Export, LeftOut, Pieces, Services};
use hostkit_host::accounts::Account;
use hostkit_host::beneath::{Folder, Rights};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use super::connection::Connected;
use super::{RedisAddon, configuration, down, service_name};

const KIND: PartKind = PartKind::Addon(AddonKind::Redis);
/// What the server writes when it is told to save.
const SAVED: &str = "dump.rdb";
/// Where the server keeps its append-only file, and what that begins with: an RDB.
const LIVE: &str = "appendonlydir";
const BASE: &str = "appendonly.aof.1.base.rdb";
const MANIFEST: &str = "appendonly.aof.manifest";
const MANIFEST_TEXT: &[u8] = b"file appendonly.aof.1.base.rdb seq 1 type b\n";
/// Where a copy waits, beside what the server keeps.
const STAGED: &str = "restore";
/// Writes wait no longer than that for the moment that is saved to be there.
const HOLD_MILLISECONDS: u64 = 2000;
/// How long saving may take.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(100);
/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;
/// What is counted: keys that expire may be gone when a copy is read.
const LASTING: &str = "keys that do not expire";

/// Copies of the Redis servers of environments.
pub struct RedisCopies {
    services: Arc<dyn Services>,
    addon: Arc<RedisAddon>,
}

impl RedisCopies {
    /// Of the servers that `addon` provides.
    pub fn new(services: Arc<dyn Services>, addon: Arc<RedisAddon>) -> Self {
        RedisCopies { services, addon }
    }

    /// The folder of its data, which belongs to its account: opened, so that no link in it leads elsewhere.
    fn data(&self, id: &AddonId) -> Result<Folder, Failure> {
        Folder::open(&self.services.place(&service_name(id)).data)
    }

    /// Counts the keys and begins to save them, with no write in between: clients that write wait for that moment.
    async fn begin_save(&self, order: &AddonOrder, connected: &mut Connected) -> Result<u64, Failure> {
        let begun = Instant::now();
        loop {
            let mut hold = redis::cmd("CLIENT");
            hold.arg("PAUSE").arg(HOLD_MILLISECONDS).arg("WRITE");
            let held: Result<(), _> = connected.ask(&hold).await;
            let said = match held {
                Ok(()) => {
                    let text: Result<String, _> = connected.ask(redis::cmd("INFO").arg("keyspace")).await;
                    let saving: Result<String, _> = connected.ask(&redis::cmd("BGSAVE")).await;
                    text.and_then(|text| saving.map(|_| text))
                }
                Err(why) => Err(why),
            };
            let mut go_on = redis::cmd("CLIENT");
            go_on.arg("UNPAUSE");
            connected
                .ask::<()>(&go_on)
                .await
                .map_err(|why| down(order, &why.to_string()))?;
            match said {
                Ok(text) => return Ok(lasting(&text)),
                // It saves or rewrites just now: one at a time.
                Err(why) if why.to_string().contains("in progress") && begun.elapsed() < PATIENCE => {
                    sleep(PAUSE).await;
                }
                Err(why) => return Err(down(order, &format!("it does not save: {why}"))),
            }
        }
    }

    async fn saved(&self, order: &AddonOrder, connected: &mut Connected) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            let text: String = connected
                .ask(redis::cmd("INFO").arg("persistence"))
                .await
                .map_err(|why| down(order, &why.to_string()))?;
            let says = |line: &str| text.lines().any(|found| found.trim() == line);
            if says("rdb_bgsave_in_progress:0") {
                return match says("rdb_last_bgsave_status:ok") {
                    true => Ok(()),
                    false => Err(down(order, "it could not save: its log says why")),
                };
            }
            if begun.elapsed() > PATIENCE {
                return Err(down(order, "it saves for too long"));
            }
            sleep(PAUSE).await;
        }
    }

    /// Writes a copy where the server would read it, and has the server's own reader go through all of it.
    async fn bring_in(&self, order: &AddonOrder, mut content: Pieces) -> Result<Counts, Failure> {
        let data = self.data(&order.id)?;
        let cannot = |why: io::Error| on_disk(order, "write the copy", &why);
        let ours = Account::own();
        let (folder, _) = data.ensure_folder(STAGED, &Rights::new(ours.uid, ours.gid, 0o700))?;
        let mut file = tokio::fs::File::from_std(folder.create_file(BASE)?);
        while let Some(piece) = content.next().await {
            let piece = piece.map_err(|why| on_disk(order, "read the copy", &why))?;
            file.write_all(&piece).await.map_err(cannot)?;
        }
        file.flush().await.map_err(cannot)?;
        file.sync_all().await.map_err(cannot)?;
        folder
            .create_file(MANIFEST)?
            .write_all(MANIFEST_TEXT)
            .map_err(cannot)?;
        data.give(STAGED, data.owner()?)?;
        let name = service_name(&order.id);
        let service = configuration::service(order, name, &*self.services, &self.addon.system_path)?;
        let checked = self
            .services
            .run(&ServiceTask {
                service: &service,
                arguments: vec!["redis-check-rdb".into(), format!("{STAGED}/{BASE}")],
                input: None,
                limit: Span::secs(PATIENCE.as_secs()),
            })
            .await?;
        read_check(&checked).ok_or_else(|| {
            Failure::new(
                Kind::Failed,
                format!(
                    "cannot read the copy of the Redis of `{}`: it is no RDB",
                    order.id.environment
                ),
            )
        })
    }

    fn remove_staged(&self, order: &AddonOrder) -> Result<(), Failure> {
        self.data(&order.id)?.remove_tree(STAGED).map(drop)
    }
}

/// The order of the add-on, which is there: the engine asks for no others.
fn ordered(of: &CopyOf) -> Result<&AddonOrder, Failure> {
    of.order.as_ref().ok_or_else(|| {
        Failure::new(
            Kind::Internal,
            format!("cannot copy the Redis of `{}`: it is not ordered", of.environment),
        )
    })
}

fn on_disk(order: &AddonOrder, act: &str, why: &io::Error) -> Failure {
    Failure::new(
        Kind::Unavailable,
        format!("cannot {act} of the Redis of `{}`: {why}", order.id.environment),
    )
}

/// The keys that do not expire, of all databases: `db0:keys=5,expires=1,avg_ttl=0`.
fn lasting(keyspace: &str) -> u64 {
    let number = |line: &str, name: &str| -> u64 {
        let mut fields = line.split([':', ',']);
        let found = fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        found
            .and_then(|number| number.trim().parse().ok())
            .unwrap_or_default()
    };
    keyspace
        .lines()
        .filter(|line| line.starts_with("db"))
        .map(|line| number(line, "keys").saturating_sub(number(line, "expires")))
        .sum()
}

fn counts(lasting: u64) -> Counts {
    [(LASTING.to_owned(), lasting)].into()
}

/// What `redis-check-rdb` counted; nothing where it did not come to the end.
fn read_check(said: &str) -> Option<Counts> {
    let number = |what: &str| -> Option<u64> {
        let mut lines = said.lines().filter_map(|line| line.strip_prefix("[info] "));
        lines.find_map(|line| line.strip_suffix(what)?.trim().parse().ok())
    };
    if !said.contains("RDB looks OK!") {
        return None;
    }
    Some(counts(number(" keys read")?.saturating_sub(number(" expires")?)))
}

#[async_trait::async_trait]
impl Copies for RedisCopies {
    fn kind(&self) -> PartKind {
        KIND
    }

    /// No moment of a server elsewhere can be copied: that takes commands which those who keep servers allow nobody.
    fn covers(&self, of: &CopyOf) -> bool {
        of.order.as_ref().is_none_or(|order| !order.settings.outside)
    }

    async fn parts(&self, _of: &CopyOf) -> Result<Vec<PartName>, Failure> {
        Ok(vec![PartName::main(KIND)])
    }

    async fn export(&self, of: &CopyOf, _part: &PartName) -> Result<Export, Failure> {
        let order = ordered(of)?;
        let connected = Connected::as_operator(order).await;
        let mut connected = connected.map_err(|why| down(order, &why.to_string()))?;
        let lasting = self.begin_save(order, &mut connected).await?;
        self.saved(order, &mut connected).await?;
        let data = self.data(&order.id)?;
        let saved = data
            .open_file(SAVED)?
            .ok_or_else(|| on_disk(order, "read what was saved", &io::ErrorKind::NotFound.into()))?;
        // Open, it can be read to its end; nothing of it is left whatever happens.
        let _ = data.remove_file(SAVED)?;
        let pieces = stream::try_unfold(tokio::fs::File::from_std(saved), |mut file| async move {
            let mut piece = vec![0; PIECE];
            let read = file.read(&mut piece).await?;
            piece.truncate(read);
            Ok((read > 0).then_some((piece, file)))
        });
        Ok(Export {
            pieces: Box::pin(pieces),
            counting: Counting::known(counts(lasting)),
            left_out: LeftOut::default(),
        })
    }

    async fn stage(&self, of: &CopyOf, _part: &PartName, content: Pieces) -> Result<Counts, Failure> {
        let order = ordered(of)?;
        self.remove_staged(order)?;
        let brought_in = self.bring_in(order, content).await;
        if brought_in.is_err() {
            self.remove_staged(order)?;
        }
        brought_in
    }

    async fn take_place(&self, of: &CopyOf, _part: &PartName) -> Result<(), Failure> {
        let order = ordered(of)?;
        let data = self.data(&order.id)?;
        if data.folder(STAGED)?.is_none() {
            return Err(Failure::new(
                Kind::NotFound,
                format!(
                    "cannot restore the Redis of `{}`: nothing was brought in",
                    of.environment
                ),
            ));
        }
        let name = service_name(&order.id);
        self.services.stop(&name).await?;
        data.exchange(STAGED, LIVE)?;
        if let Err(failure) = self.addon.ensure(order).await {
            // What was there before is in the other place now: back with it.
            self.services.stop(&name).await?;
            data.exchange(STAGED, LIVE)?;
            self.addon.ensure(order).await?;
            return Err(failure);
        }
        self.remove_staged(order)
    }

    async fn discard(&self, of: &CopyOf, _part: &PartName) -> Result<(), Failure> {
        self.remove_staged(ordered(of)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_before_is_what_the_reader_counts_after() {
        let keyspace = "# Keyspace\r\ndb0:keys=5,expires=1,avg_ttl=12\r\ndb3:keys=2,expires=0,avg_ttl=0\r\n";
        assert_eq!(lasting(keyspace), 6);
        assert_eq!(lasting("# Keyspace\r\n"), 0);
        let check = "[offset 9] Checksum OK\n[offset 9] \\o/ RDB looks OK! \\o/\n[info] 7 keys read\n[info] 1 expires\n[info] 1 already expired\n";
        assert_eq!(read_check(check), Some(counts(6)));
        assert_eq!(read_check("[info] 7 keys read\n[info] 1 expires\n"), None);
    }
}
