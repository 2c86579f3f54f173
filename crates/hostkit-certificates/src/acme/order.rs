//! One order: one name, one way after the other to show that it is ours, and a certificate that is held to be for it.

use std::time::Duration;

use hostkit_core::certificate::{CertificateName, ChallengeKind, Reach};
use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier, KeyAuthorization,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use jiff::Timestamp;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::pki_types::Der;

use super::{Acme, Trouble};
use crate::challenges::Shown;
use crate::pair::{Facts, Pair};

/// Why one try failed.
enum Refusal {
    /// This way does not show it; another may.
    Challenge(String),
    /// No way would.
    Whole(Error),
    /// The authority does not know the account.
    Account,
}

impl From<Error> for Refusal {
    fn from(why: Error) -> Self {
        match &why {
            Error::Api(problem) if problem.r#type.as_deref() == Some(NO_ACCOUNT) => Refusal::Account,
            _ => Refusal::Whole(why),
        }
    }
}

const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// Entries of the DNS that were made for an order.
type Entries = Vec<(String, String)>;

/// Orders a certificate for a name.
pub(super) async fn run(
    acme: &Acme,
    name: &CertificateName,
    replaces: Option<&Facts>,
) -> Result<Pair, Trouble> {
    let kinds = ways(acme, name)?;
    let mut account = acme.accounts.get().await?;
    let mut refusals = Vec::new();
    for kind in kinds {
        let mut tried = with_time(acme, &account, name, kind, replaces).await;
        if matches!(tried, Err(Refusal::Account)) {
            account = acme.accounts.again(&account).await?;
            tried = with_time(acme, &account, name, kind, replaces).await;
        }
        match tried {
            Ok(pair) => return Ok(pair),
            Err(Refusal::Challenge(why)) => refusals.push(format!("{}: {why}", called(kind))),
            Err(Refusal::Whole(why)) => return Err(acme.accounts.trouble(why).await),
            Err(Refusal::Account) => {
                return Err(Trouble::Name("the authority forgets the account".to_owned()));
            }
        }
    }
    Err(Trouble::Name(refusals.join("; ")))
}

fn ways(acme: &Acme, name: &CertificateName) -> Result<Vec<ChallengeKind>, Trouble> {
    let by_dns = acme.dns_hook.is_some();
    let kinds: Vec<ChallengeKind> = match name.reach() {
        Reach::Below => vec![ChallengeKind::Dns],
        Reach::Host => acme.settings.challenges.clone(),
    };
    let kinds: Vec<_> = kinds
        .into_iter()
        .filter(|kind| *kind != ChallengeKind::Dns || by_dns)
        .collect();
    match kinds.is_empty() {
        true => Err(Trouble::Name(
            "there is no program that makes entries in the DNS; name one as `dns_hook`".to_owned(),
        )),
        false => Ok(kinds),
    }
}

/// One try, which ends in time; what it put into the DNS is removed however it ends.
async fn with_time(
    acme: &Acme,
    account: &Account,
    name: &CertificateName,
    kind: ChallengeKind,
    replaces: Option<&Facts>,
) -> Result<Pair, Refusal> {
    let mut entries = Entries::new();
    let limit = acme.pace.verdict * 3 + acme.pace.answer;
    let tried = tokio::time::timeout(limit, attempt(acme, account, name, kind, replaces, &mut entries)).await;
    if let Some(hook) = &acme.dns_hook {
        for (entry, value) in &entries {
            let cleared = tokio::time::timeout(acme.pace.verdict, hook.clear(entry, value)).await;
            let why = match cleared {
                Ok(Ok(())) => continue,
                Ok(Err(why)) => why.message,
                Err(_) => "the program does not end".to_owned(),
            };
            tracing::warn!("`{entry}` stays in the DNS and is of no use any more: {why}");
        }
    }
    tried.unwrap_or_else(|_| {
        Err(Refusal::Challenge(format!(
            "not done within {} s",
            limit.as_secs()
        )))
    })
}

async fn attempt(
    acme: &Acme,
    account: &Account,
    name: &CertificateName,
    kind: ChallengeKind,
    replaces: Option<&Facts>,
    entries: &mut Entries,
) -> Result<Pair, Refusal> {
    let mut order = begin(account, name, replaces).await?;
    let shown = show(acme, &mut order, name, kind, entries).await?;
    let verdict = order.poll_ready(&patience(acme.pace.verdict)).await;
    match verdict {
        Ok(OrderStatus::Ready | OrderStatus::Valid) => {}
        Err(why) if !matches!(why, Error::Api(_) | Error::Timeout(_)) => return Err(why.into()),
        seen => {
            let why = reason(&mut order).await;
            let other = match seen {
                Err(why) => why.to_string(),
                Ok(_) => "the authority does not say why".to_owned(),
            };
            return Err(Refusal::Challenge(why.unwrap_or(other)));
        }
    }
    drop(shown);
    let (request, key) = request(name).map_err(Refusal::Challenge)?;
    order.finalize_csr(&request).await?;
    let chain = order.poll_certificate(&patience(acme.pace.verdict)).await?;
    let pair = Pair::parse(chain.as_bytes(), key.as_bytes());
    let pair =
        pair.map_err(|why| Refusal::Challenge(format!("what the authority issued is of no use: {why}")))?;
    if !pair.facts.is_for(name) || pair.facts.not_after <= Timestamp::now() {
        let why = "what the authority issued is for another name or another time";
        return Err(Refusal::Challenge(why.to_owned()));
    }
    Ok(pair)
}

/// Places the order. That it replaces a certificate is said where the authority knows that one.
async fn begin(
    account: &Account,
    name: &CertificateName,
    replaces: Option<&Facts>,
) -> Result<Order, Refusal> {
    let identifiers = [Identifier::Dns(name.to_string())];
    if let Some((facts, key)) = replaces.and_then(|facts| Some((facts, facts.authority_key.as_deref()?))) {
        let id = CertificateIdentifier::new(Der::from_slice(key), Der::from_slice(&facts.serial));
        match account.new_order(&NewOrder::new(&identifiers).replaces(id)).await {
            Ok(order) => return Ok(order),
            Err(why) => match Refusal::from(why) {
                Refusal::Account => return Err(Refusal::Account),
                // Whatever is wrong with saying so, it can be ordered without.
                _ => tracing::debug!("cannot say which certificate an order replaces"),
            },
        }
    }
    Ok(account.new_order(&NewOrder::new(&identifiers)).await?)
}

/// Shows what the authority looks at, and tells it to look.
async fn show(
    acme: &Acme,
    order: &mut Order,
    name: &CertificateName,
    kind: ChallengeKind,
    entries: &mut Entries,
) -> Result<Vec<Shown>, Refusal> {
    let mut shown = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            other => return Err(Refusal::Challenge(format!("the authority says {other:?}"))),
        }
        let Some(mut challenge) = authorization.challenge(of_library(kind)) else {
            return Err(Refusal::Challenge("the authority does not offer it".to_owned()));
        };
        let answer = challenge.key_authorization();
        shown.extend(put(acme, name, kind, &challenge.token, &answer, entries).await?);
        match challenge.set_ready().await {
            Err(Error::Api(problem)) if problem.r#type.as_deref() != Some(NO_ACCOUNT) => {
                let detail = problem.detail.clone().unwrap_or_else(|| problem.to_string());
                return Err(Refusal::Challenge(detail));
            }
            told => told?,
        }
    }
    Ok(shown)
}

async fn put(
    acme: &Acme,
    name: &CertificateName,
    kind: ChallengeKind,
    token: &str,
    answer: &KeyAuthorization,
    entries: &mut Entries,
) -> Result<Option<Shown>, Refusal> {
    let host = name.host().as_str();
    match kind {
        ChallengeKind::Http => Ok(Some(acme.challenges.answer_with(token, answer.as_str()))),
        ChallengeKind::TlsAlpn => {
            let shown = acme.challenges.show(host, answer.digest().as_ref());
            shown.map(Some).map_err(Refusal::Challenge)
        }
        ChallengeKind::Dns => {
            let Some(hook) = &acme.dns_hook else {
                return Ok(None);
            };
            let (entry, value) = (format!("_acme-challenge.{host}"), answer.dns_value());
            entries.push((entry.clone(), value.clone()));
            let made = hook.set(&entry, &value).await;
            made.map(|()| None).map_err(|why| Refusal::Challenge(why.message))
        }
    }
}

/// Why the authority was not content, in its words.
async fn reason(order: &mut Order) -> Option<String> {
    order.refresh().await.ok()?;
    let mut authorizations = order.authorizations();
    while let Some(Ok(authorization)) = authorizations.next().await {
        let problem = authorization
            .challenges
            .iter()
            .find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = problem {
            return Some(problem.detail.clone().unwrap_or_else(|| problem.to_string()));
        }
    }
    None
}

/// What is sent to be signed, and the key it is for: a new one for each certificate.
fn request(name: &CertificateName) -> Result<(Vec<u8>, String), String> {
    let make = || {
        let mut params = CertificateParams::new([name.to_string()])?;
        params.distinguished_name = DistinguishedName::new();
        let key = KeyPair::generate()?;
        let request = params.serialize_request(&key)?;
        Ok((request.der().to_vec(), key.serialize_pem()))
    };
    make().map_err(|why: rcgen::Error| format!("cannot make a request for a certificate: {why}"))
}

fn patience(whole: Duration) -> RetryPolicy {
    RetryPolicy::new().backoff(1.5).timeout(whole)
}

fn of_library(kind: ChallengeKind) -> ChallengeType {
    match kind {
        ChallengeKind::Http => ChallengeType::Http01,
        ChallengeKind::TlsAlpn => ChallengeType::TlsAlpn01,
        ChallengeKind::Dns => ChallengeType::Dns01,
    }
}

fn called(kind: ChallengeKind) -> &'static str {
    match kind {
        ChallengeKind::Http => "http-01",
        ChallengeKind::TlsAlpn => "tls-alpn-01",
        ChallengeKind::Dns => "dns-01",
    }
}
