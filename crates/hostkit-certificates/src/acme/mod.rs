//! Certificates from an authority by ACME (RFC 8555): its account, one order per name, and the renewal it wishes for.

mod account;
mod client;
mod order;
mod trouble;

use std::sync::{Arc, Mutex, PoisonError};

use hostkit_core::certificate::{AcmeSettings, CertificateName};
use hostkit_core::traits::DnsHook;
use instant_acme::CertificateIdentifier;
use jiff::Timestamp;
use rustls::pki_types::Der;

use crate::challenges::Challenges;
use crate::disk::Disk;
use crate::pair::{Facts, Pair};
use crate::record::Window;
use crate::schedule;
use crate::settings::{Pace, Settings};

use account::Accounts;

pub(crate) use trouble::Trouble;

/// The longest that an authority can hold us back by what it says.
const LONGEST_HOLD: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 3600);
/// How often an authority that does not say is asked when it wants a certificate renewed.
const WINDOW_PAUSE: std::time::Duration = std::time::Duration::from_secs(6 * 3600);

/// An authority.
pub(crate) struct Acme {
    settings: AcmeSettings,
    pace: Pace,
    dns_hook: Option<Arc<dyn DnsHook>>,
    challenges: Arc<Challenges>,
    accounts: Accounts,
    hold: Mutex<Hold>,
}

/// How long the authority is left alone.
#[derive(Default)]
struct Hold {
    until: Option<Timestamp>,
    failures: u32,
    why: String,
}

impl Acme {
    /// The authority of the settings, if they name one.
    pub(crate) fn new(settings: &Settings, disk: &Disk, challenges: &Arc<Challenges>) -> Option<Arc<Acme>> {
        let acme = settings.acme.clone()?;
        Some(Arc::new(Acme {
            accounts: Accounts::new(acme.clone(), disk.clone(), settings.pace.answer),
            settings: acme,
            pace: settings.pace.clone(),
            dns_hook: settings.dns_hook.clone(),
            challenges: Arc::clone(challenges),
            hold: Mutex::default(),
        }))
    }

    /// How many orders may be under way at a time: one until it is known that the authority answers.
    pub(crate) fn orders_at_once(&self) -> usize {
        match self.accounts.is_open() {
            true => self.settings.orders_at_once.max(1).into(),
            false => 1,
        }
    }

    /// Names that every name of one label below them shares a certificate of.
    pub(crate) fn wildcards(&self) -> impl Iterator<Item = CertificateName> {
        let names = self.settings.wildcards.iter().cloned();
        names.map(CertificateName::below)
    }

    /// Why the authority is left alone, and until when, if it is.
    pub(crate) fn held(&self, now: Timestamp) -> Option<(String, Timestamp)> {
        let hold = self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        let until = hold.until.filter(|until| now < *until)?;
        Some((hold.why.clone(), until))
    }

    /// Orders a certificate, in the place of another if there is one.
    pub(crate) async fn order(
        &self,
        name: &CertificateName,
        replaces: Option<&Facts>,
    ) -> Result<Pair, Trouble> {
        let ordered = order::run(self, name, replaces).await.map_err(Trouble::cleaned);
        let mut hold = self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        match &ordered {
            Err(Trouble::Authority { why, until }) => self.hold_back(&mut hold, why, *until),
            // It answers.
            _ => *hold = Hold::default(),
        }
        ordered
    }

    /// When the authority would like a certificate renewed, and when it is to be asked again.
    pub(crate) async fn window(&self, facts: &Facts) -> (Option<Window>, Timestamp) {
        let asked = async {
            let key = facts.authority_key.as_deref()?;
            let id = CertificateIdentifier::new(Der::from_slice(key), Der::from_slice(&facts.serial));
            let account = self.accounts.get().await.ok()?;
            account.renewal_info(&id).await.ok()
        };
        let now = Timestamp::now();
        match asked.await {
            Some((found, pause)) => {
                let moment = |time: time::OffsetDateTime| Timestamp::from_second(time.unix_timestamp()).ok();
                let window = found.suggested_window;
                let window = moment(window.start).zip(moment(window.end));
                let pause = pause.clamp(self.pace.first_pause, WINDOW_PAUSE * 4);
                (
                    window.map(|(start, end)| Window { start, end }),
                    schedule::after(now, pause),
                )
            }
            None => (None, schedule::after(now, WINDOW_PAUSE)),
        }
    }

    fn hold_back(&self, hold: &mut Hold, why: &str, until: Option<Timestamp>) {
        let now = Timestamp::now();
        // Of several orders that fail together, one counts.
        if hold.until.is_none_or(|until| until <= now) {
            hold.failures += 1;
        }
        let wished = until.unwrap_or_else(|| schedule::retry(now, hold.failures, &self.pace));
        let wished = wished.min(schedule::after(now, LONGEST_HOLD));
        why.clone_into(&mut hold.why);
        hold.until = Some(hold.until.map_or(wished, |until| until.max(wished)));
    }
}
