//! All certificates of a front door, as it and its operator see them.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use hostkit_core::certificate::{
    CertificateName, CertificateSource, CertificateState, CertificateStatus, CertificateTrouble,
};
use hostkit_core::kind::{Failure, Kind};
use jiff::Timestamp;
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use tokio::sync::Notify;

use crate::acme::Acme;
use crate::book::Book;
use crate::challenges::Challenges;
use crate::disk::Disk;
use crate::own_authority::{OwnAuthority, is_below};
use crate::settings::Settings;
use crate::table::{Resolver, Table};
use crate::{self_signed, tend};

/// All certificates of a front door.
pub struct Certificates {
    pub(crate) settings: Settings,
    pub(crate) disk: Disk,
    pub(crate) acme: Option<Arc<Acme>>,
    pub(crate) own: Option<OwnAuthority>,
    /// Something is to be done.
    pub(crate) changed: Notify,
    book: Mutex<Book>,
    table: Arc<ArcSwap<Table>>,
    challenges: Arc<Challenges>,
    fallback: Arc<CertifiedKey>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    /// Reads what is in the folder. A certificate that cannot be read affects its own hosts alone, and a folder that
    /// cannot be written to affects what is new: there is always something to show. What can fail is making an authority
    /// of our own.
    pub fn open(settings: Settings) -> Result<Arc<Certificates>, Failure> {
        let now = Timestamp::now();
        let disk = Disk::new(settings.folder.clone());
        let challenges = Arc::new(Challenges::default());
        let own = match settings.local.is_empty() {
            true => None,
            false => Some(OwnAuthority::open(&disk, &settings.local, now)?),
        };
        let certificates = Arc::new(Certificates {
            acme: Acme::new(&settings, &disk, &challenges),
            own,
            changed: Notify::new(),
            book: Mutex::new(Book::new(disk.read())),
            table: Arc::default(),
            challenges,
            fallback: self_signed::make()?,
            disk,
            settings,
        });
        certificates.show();
        Ok(certificates)
    }

    /// What a TLS listener asks for a certificate. It always has one to show.
    pub fn resolver(self: &Arc<Self>) -> Arc<dyn ResolvesServerCert> {
        Arc::new(Resolver {
            table: Arc::clone(&self.table),
            challenges: Arc::clone(&self.challenges),
            fallback: Arc::clone(&self.fallback),
        })
    }

    /// Whether a host that a client names has a certificate. Where it has none, ours is shown, which nobody trusts.
    pub fn has(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.table.load().find(host).is_some()
    }

    /// The names that should have a certificate from now on; told with every route table.
    pub fn want(&self, names: &[CertificateName]) {
        let wildcards: Vec<CertificateName> = self.acme.iter().flat_map(|acme| acme.wildcards()).collect();
        let names = names.iter().cloned();
        let names = names.chain(wildcards.iter().cloned());
        let own = self.settings.local.iter().cloned();
        let names = names.chain(own.flat_map(|name| [CertificateName::below(name.clone()), name.into()]));
        let wanted = names.filter_map(|name| self.source_of(&name).map(|source| (name, source)));
        self.book().want(wanted.collect(), wildcards);
        self.changed.notify_one();
    }

    /// What to answer to `/.well-known/acme-challenge/<token>`, where a challenge is under way.
    pub fn http_challenge(&self, token: &str) -> Option<String> {
        self.challenges.answer(token)
    }

    /// Issues and renews, for ever.
    pub async fn tend(self: Arc<Self>) {
        tend::run(self).await
    }

    /// How every certificate is.
    pub fn status(&self) -> Vec<CertificateStatus> {
        let now = Timestamp::now();
        let mut status = self.book().status(now);
        if let Some((why, until)) = self.acme.as_ref().and_then(|acme| acme.held(now)) {
            let waits = |one: &&mut CertificateStatus| {
                one.state == CertificateState::Pending && one.source == CertificateSource::Acme
            };
            for waiting in status.iter_mut().filter(waits) {
                let (why, next) = (why.clone(), Some(until));
                waiting.trouble = Some(CertificateTrouble { why, next });
            }
        }
        status
    }

    /// Orders the certificate of a name now, whatever it waits for: unless the authority wants to be left alone.
    pub fn renew(&self, name: &CertificateName) -> Result<(), Failure> {
        let hint = "`hostkit cert list` shows the names that certificates are obtained for";
        let unknown = || {
            Failure::new(
                Kind::NotFound,
                format!("cannot renew `{name}`: no certificate is obtained for it"),
            )
        };
        self.book().renew(name).map_err(|()| unknown().hint(hint))?;
        self.changed.notify_one();
        Ok(())
    }

    /// The certificate of the authority of our own, which clients are made to trust; none where there is no such.
    pub fn local_authority(&self) -> Option<PathBuf> {
        self.own.as_ref().map(|_| OwnAuthority::certificate(&self.disk))
    }

    /// What is known of each name.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows from now on what the book says.
    pub(crate) fn show(&self) {
        // Held until it is stored: of two at a time, the later one says what is so.
        let book = self.book();
        self.table.store(Arc::new(book.table(Timestamp::now())));
    }

    /// Who issues for a name: nobody does for addresses, or for names that are known in one place alone.
    fn source_of(&self, name: &CertificateName) -> Option<CertificateSource> {
        let host = name.host().as_str();
        let is_local = self.own.as_ref().is_some_and(|own| own.is_for(name));
        let is_public = host.contains('.')
            && host.parse::<IpAddr>().is_err()
            && !host
                .rsplit('.')
                .next()
                .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()))
            && !self
                .settings
                .not_public
                .iter()
                .any(|domain| is_below(name.host(), domain));
        match (is_local, &self.acme) {
            (true, _) => Some(CertificateSource::Local),
            (false, Some(_)) if is_public => Some(CertificateSource::Acme),
            _ => None,
        }
    }
}
