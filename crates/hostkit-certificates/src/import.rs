//! Certificates that somebody brings: held to be whole before they are taken, shown before any other until they are over.

use std::sync::Arc;

use hostkit_core::certificate::{CertificateName, CertificateSource};
use hostkit_core::kind::{Failure, Kind};
use jiff::Timestamp;

use crate::certificates::Certificates;
use crate::chain;
use crate::pair::{Pair, certificates, private_key};
use crate::record::Record;

impl Certificates {
    /// Takes a certificate with those that issued it, and its key; for which names it is shown from now on. They may come
    /// in any order.
    pub fn import(&self, chain: &[u8], key: &[u8]) -> Result<Vec<CertificateName>, Failure> {
        self.take(read(chain, key, Timestamp::now()).map_err(refused)?)
    }

    /// The same for somebody who has these names alone: nothing of it is taken where it is for another one, too.
    pub fn import_for(
        &self,
        only: &[CertificateName],
        chain: &[u8],
        key: &[u8],
    ) -> Result<Vec<CertificateName>, Failure> {
        let pair = read(chain, key, Timestamp::now()).map_err(refused)?;
        match pair.facts.names.iter().find(|name| !only.contains(name)) {
            Some(name) => Err(foreign(name)),
            None => self.take(pair),
        }
    }

    /// Forgets a certificate that was brought, for one name of it.
    pub fn remove(&self, name: &CertificateName) -> Result<(), Failure> {
        let source = CertificateSource::Imported;
        self.disk.remove(source, name)?;
        if !self.book().forget(name, source) {
            let message = format!("cannot remove the certificate of `{name}`: none was imported for it");
            return Err(Failure::new(Kind::NotFound, message)
                .hint("`hostkit cert list` shows every certificate with where it comes from"));
        }
        self.show();
        self.changed.notify_one();
        Ok(())
    }

    fn take(&self, pair: Pair) -> Result<Vec<CertificateName>, Failure> {
        let pair = Arc::new(pair);
        for name in &pair.facts.names {
            self.disk
                .save(CertificateSource::Imported, name, &pair, &Record::default())?;
            self.book()
                .keep(name, CertificateSource::Imported, Arc::clone(&pair));
        }
        self.show();
        self.changed.notify_one();
        Ok(pair.facts.names.clone())
    }
}

fn read(chain: &[u8], key: &[u8], now: Timestamp) -> Result<Pair, (String, &'static str)> {
    let whole = "give the file with the whole chain, often called `fullchain.pem` or `bundle.crt`";
    let text = "certificates and keys are PEM files, which begin with `-----BEGIN`";
    let other = "give the key that the certificate was requested with";
    let parsed = private_key(key).map_err(|why| (why, "give the key as a PEM file without a password"))?;
    let found = certificates(chain).map_err(|why| (why, text))?;
    let kinds = "take a key of ECDSA P-256 or P-384, Ed25519, or RSA of 2048 to 8192 bits";
    let signing = rustls::crypto::ring::sign::any_supported_type(&parsed)
        .map_err(|_| ("a key of this kind cannot be used".to_owned(), kinds))?;
    let ordered = chain::in_order(&found, &signing).map_err(|why| {
        if why.contains("missing") {
            (why, whole)
        } else {
            (why, other)
        }
    })?;
    let key = std::str::from_utf8(key).map_err(|_| ("the key is no text".to_owned(), text))?;
    let pair = Pair::of(ordered, key, parsed).map_err(|why| (why, other))?;
    let facts = &pair.facts;
    if facts.not_after <= now {
        return Err((
            format!("it is over since {}", facts.not_after),
            "have it renewed by whoever issued it",
        ));
    }
    if facts.not_before > now {
        return Err((
            format!("it is valid from {} on", facts.not_before),
            "see that the clock is right, or wait",
        ));
    }
    if facts.names.is_empty() {
        let hint = "clients look at the names of `subjectAltName` alone; have one issued with them";
        return Err(("it is for no host name".to_owned(), hint));
    }
    Ok(pair)
}

fn refused((why, hint): (String, &'static str)) -> Failure {
    Failure::new(Kind::Invalid, format!("cannot import the certificate: {why}")).hint(hint)
}

fn foreign(name: &CertificateName) -> Failure {
    let message = format!("cannot import the certificate: it is for `{name}`, which is no host of yours");
    Failure::new(Kind::Denied, message)
        .hint("add it with `hostkit domain add` first, or ask an administrator")
}
