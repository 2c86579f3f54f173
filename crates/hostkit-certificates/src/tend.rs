//! What is done by itself: certificates are issued, renewed, looked at over the wire, and removed when nobody wants them
//! any more and they are over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::certificate::{CertificateName, CertificateSource};
use jiff::Timestamp;
use tokio::task::JoinSet;

use crate::acme::{Acme, Trouble};
use crate::certificates::Certificates;
use crate::pair::{Facts, Pair};
use crate::record::Record;
use crate::{look, schedule};

/// How many connections are made at a time to see what is shown, and how many questions are asked about renewal.
const LOOKS_AT_ONCE: usize = 2;

/// Tends, for ever.
pub(crate) async fn run(certificates: Arc<Certificates>) {
    let mut orders = JoinSet::new();
    let mut looks = JoinSet::new();
    loop {
        let now = Timestamp::now();
        // The disk may be slow, and what else runs on these threads is not to wait for it.
        let here = Arc::clone(&certificates);
        report(
            tokio::task::spawn_blocking(move || {
                clear(&here, now);
                issue_own(&here, now);
            })
            .await,
        );
        let next = begin_orders(&certificates, &mut orders, now);
        let next_look = begin_looks(&certificates, &mut looks, now);
        certificates.show();
        let pause = [next, next_look]
            .into_iter()
            .flatten()
            .fold(certificates.settings.pace.round, |pause, at| {
                pause.min(Duration::try_from(at.duration_since(now)).unwrap_or_default())
            });
        tokio::select! {
            () = certificates.changed.notified() => {}
            // A moment longer than needed, so that what is due is due.
            () = tokio::time::sleep(pause + Duration::from_millis(5)) => {}
            Some(ended) = orders.join_next() => report(ended),
            Some(ended) = looks.join_next() => report(ended),
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(why) = ended {
        tracing::error!("tending a certificate ended by a fault of ours: {why}");
    }
}

/// Removes what is over and wanted by nobody.
fn clear(certificates: &Certificates, now: Timestamp) {
    let over = certificates.book().over(now);
    for (name, source) in over {
        match certificates.disk.remove(source, &name) {
            Ok(()) => drop(certificates.book().forget(&name, source)),
            Err(why) => tracing::warn!("{why}"),
        }
    }
}

/// Issues by the authority of our own, which takes no time.
fn issue_own(certificates: &Certificates, now: Timestamp) {
    let Some(own) = &certificates.own else { return };
    let due = {
        let mut book = certificates.book();
        // What another authority of ours issued, before it was made anew, is trusted by nobody any more.
        for (_, entry) in book.entries() {
            let is_ours = |pair: &Arc<Pair>| own.has_issued(pair);
            if entry
                .pairs
                .get(&CertificateSource::Local)
                .is_some_and(|pair| !is_ours(pair))
            {
                entry.pairs.remove(&CertificateSource::Local);
            }
        }
        book.due(CertificateSource::Local, now).0
    };
    for name in due {
        let issued = own.issue(&name, now);
        keep(
            certificates,
            &name,
            CertificateSource::Local,
            issued.map_err(Trouble::Name),
        );
    }
}

/// Begins as many orders as may be under way; when the next is due.
fn begin_orders(
    certificates: &Arc<Certificates>,
    orders: &mut JoinSet<()>,
    now: Timestamp,
) -> Option<Timestamp> {
    let acme = certificates.acme.as_ref()?;
    if let Some((_, until)) = acme.held(now) {
        return Some(until);
    }
    let mut book = certificates.book();
    let (due, next) = book.due(CertificateSource::Acme, now);
    for name in due {
        if orders.len() >= acme.orders_at_once() {
            return next;
        }
        let Some(entry) = book.entry(&name) else { continue };
        entry.is_busy = true;
        let busy = Busy(Arc::clone(certificates), name.clone());
        let replaced = entry.replaced();
        orders.spawn(order(busy, Arc::clone(acme), name, replaced));
    }
    next
}

async fn order(busy: Busy, acme: Arc<Acme>, name: CertificateName, replaced: Option<Facts>) {
    tracing::info!("ordering a certificate for `{name}`");
    let ordered = acme.order(&name, replaced.as_ref()).await;
    if ordered.is_ok() {
        tracing::info!("obtained a certificate for `{name}`");
    }
    let kept = tokio::task::spawn_blocking(move || keep(&busy.0, &name, CertificateSource::Acme, ordered));
    report(kept.await);
}

/// Takes what was issued, or notes why nothing was.
fn keep(
    certificates: &Certificates,
    name: &CertificateName,
    source: CertificateSource,
    issued: Result<Pair, Trouble>,
) {
    let disk = &certificates.disk;
    let trouble = match issued {
        Ok(pair) => {
            // What cannot be kept on disk is shown all the same.
            let saved = disk.save(source, name, &pair, &Record::default());
            certificates.book().keep(name, source, Arc::new(pair));
            certificates.show();
            if let Err(why) = saved {
                tracing::warn!("{why}");
            }
            return;
        }
        Err(trouble) => trouble,
    };
    let now = Timestamp::now();
    let record = {
        let mut book = certificates.book();
        match trouble {
            Trouble::Name(why) => {
                let failures = book.count(name);
                tracing::warn!("cannot obtain a certificate for `{name}`: {why}");
                book.fail(
                    name,
                    why,
                    schedule::retry(now, failures, &certificates.settings.pace),
                )
            }
            Trouble::Authority { why, .. } => {
                tracing::warn!("cannot obtain certificates: {why}");
                let held = certificates.acme.as_ref().and_then(|acme| acme.held(now));
                book.fail(name, why, held.map_or(now, |(_, until)| until))
            }
        }
    };
    if let Err(why) = disk.save_record(source, name, &record) {
        tracing::warn!("{why}");
    }
}

/// What is to be seen of a certificate that is there.
enum Question {
    /// Whether it is the one that is shown.
    Shown(SocketAddr),
    /// When the authority would like it renewed.
    Renewal(Arc<Acme>),
}

/// Begins to look at what is shown, and to ask when an authority would like certificates renewed; when the next is due.
fn begin_looks(
    certificates: &Arc<Certificates>,
    looks: &mut JoinSet<()>,
    now: Timestamp,
) -> Option<Timestamp> {
    let mut next: Option<Timestamp> = None;
    let mut book = certificates.book();
    for (name, entry) in book.entries().filter(|(_, entry)| !entry.is_busy) {
        let Some((source, pair)) = entry.shown(now).map(|(source, pair)| (source, Arc::clone(pair))) else {
            continue;
        };
        let asks = source == CertificateSource::Acme && entry.wanted == Some(source);
        let acme = certificates.acme.as_ref().filter(|_| asks);
        let questions = [
            acme.map(|acme| {
                (
                    entry.record.window_next.unwrap_or(now),
                    Question::Renewal(Arc::clone(acme)),
                )
            }),
            certificates
                .settings
                .looked_at
                .map(|place| (entry.look.unwrap_or(now), Question::Shown(place))),
        ];
        let Some((at, question)) = questions.into_iter().flatten().min_by_key(|(at, _)| *at) else {
            continue;
        };
        if at > now {
            next = Some(next.map_or(at, |next| next.min(at)));
        } else if looks.len() < LOOKS_AT_ONCE {
            // Those that wait for others to end are begun when those end.
            entry.is_busy = true;
            let busy = Busy(Arc::clone(certificates), name.clone());
            looks.spawn(answer(busy, pair, question));
        }
    }
    next
}

async fn answer(busy: Busy, pair: Arc<Pair>, question: Question) {
    let Busy(certificates, name) = &busy;
    let pace = &certificates.settings.pace;
    match question {
        Question::Shown(place) => {
            let seen = look::compare(place, name, &pair, pace.answer).await;
            if let Err(why) = &seen {
                tracing::warn!("`{name}` is not shown its certificate: {why}");
            }
            let mut book = certificates.book();
            let Some(entry) = book.entry(name) else { return };
            let pause = if seen.is_ok() {
                pace.look
            } else {
                pace.first_pause.min(pace.look)
            };
            entry.look = Some(schedule::after(Timestamp::now(), pause));
            entry.shown_instead = seen.err();
        }
        Question::Renewal(acme) => {
            let (window, next) = acme.window(&pair.facts).await;
            let record = {
                let mut book = certificates.book();
                let Some(entry) = book.entry(name) else { return };
                let record = &mut entry.record;
                // What it said before holds until it says something else.
                record.window = window.or(record.window.take());
                record.window_next = Some(next);
                record.clone()
            };
            let record = pair.described(record);
            let (disk, name) = (certificates.disk.clone(), name.clone());
            let saved = tokio::task::spawn_blocking(move || {
                if let Err(why) = disk.save_record(CertificateSource::Acme, &name, &record) {
                    tracing::warn!("{why}");
                }
            });
            report(saved.await);
        }
    }
}

/// A name that something is under way for, until this is dropped.
struct Busy(Arc<Certificates>, CertificateName);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.book().free(&self.1);
    }
}
