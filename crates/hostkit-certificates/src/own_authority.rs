//! The authority that an installation is for itself, for names that no public one issues for. Trusted by whoever trusts
//! its `ca.pem`, and bound to those names: whoever gets hold of its key can pretend to be nothing else.

use std::path::PathBuf;

use hostkit_core::certificate::CertificateName;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::HostName;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::disk::Disk;
use crate::files::{read_file, write_file};
use crate::pair::{LONGEST_CHAIN, LONGEST_KEY, Pair};

/// Its certificate, below the folder of all.
pub(crate) const CERTIFICATE: &str = "authority/ca.pem";
const KEY: &str = "authority/key.pem";
const LIFETIME: SignedDuration = SignedDuration::from_hours(3650 * 24);
const LIFETIME_OF_A_CERTIFICATE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Clocks differ.
const EARLIER: SignedDuration = SignedDuration::from_hours(1);

/// The authority.
pub(crate) struct OwnAuthority {
    issuer: Issuer<'static, KeyPair>,
    key_id: Vec<u8>,
    domains: Vec<HostName>,
}

impl OwnAuthority {
    /// The one that lies on disk; a new one where there is none, where it ends soon, or where it is bound to other names.
    pub(crate) fn open(disk: &Disk, domains: &[HostName], now: Timestamp) -> Result<OwnAuthority, Failure> {
        match Self::load(disk, domains, now) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(why) => tracing::warn!("the local authority is made anew, and has to be trusted anew: {why}"),
        }
        Self::make(disk, domains, now).map_err(|why| {
            Failure::new(Kind::Internal, format!("cannot make a local authority: {why}"))
                .hint("see that the disk is not full and the front door may write into its folder")
        })
    }

    /// Where its certificate lies.
    pub(crate) fn certificate(disk: &Disk) -> PathBuf {
        disk.own(CERTIFICATE)
    }

    /// Whether it issues for a name.
    pub(crate) fn is_for(&self, name: &CertificateName) -> bool {
        self.domains.iter().any(|domain| is_below(name.host(), domain))
    }

    /// Whether it issued a certificate.
    pub(crate) fn has_issued(&self, pair: &Pair) -> bool {
        pair.facts.authority_key.as_ref() == Some(&self.key_id)
    }

    /// A new certificate.
    pub(crate) fn issue(&self, name: &CertificateName, now: Timestamp) -> Result<Pair, String> {
        let failed = |why: rcgen::Error| format!("cannot make a certificate for `{name}`: {why}");
        let mut params = CertificateParams::new([name.to_string()]).map_err(failed)?;
        params.distinguished_name = DistinguishedName::new();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = validity(now, LIFETIME_OF_A_CERTIFICATE)?;
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Pair::parse(certificate.pem().as_bytes(), key.serialize_pem().as_bytes())
    }

    fn load(disk: &Disk, domains: &[HostName], now: Timestamp) -> Result<Option<OwnAuthority>, String> {
        let read = |file: &str, longest| match read_file(&disk.own(file), longest) {
            Ok(content) => Ok(Some(content)),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(format!("cannot read `{}`: {why}", disk.own(file).display())),
        };
        let (chain, key) = match (read(CERTIFICATE, LONGEST_CHAIN)?, read(KEY, LONGEST_KEY)?) {
            (None, None) => return Ok(None),
            (Some(chain), Some(key)) => (chain, key),
            _ => return Err("one of its two files is missing".to_owned()),
        };
        let pair = Pair::parse(&chain, &key)?;
        let certificate = CertificateDer::from_pem_slice(&chain).map_err(|why| why.to_string())?;
        if now
            .checked_add(LIFETIME_OF_A_CERTIFICATE)
            .is_ok_and(|end| end > pair.facts.not_after)
        {
            return Err(format!("it ends on {}", pair.facts.not_after));
        }
        let bound = bound_to(&certificate)?;
        if let Some(other) = domains
            .iter()
            .find(|domain| !bound.iter().any(|own| own == domain.as_str()))
        {
            return Err(format!("it may not issue for `{other}`"));
        }
        let key = std::str::from_utf8(&key).map_err(|why| why.to_string())?;
        let key = KeyPair::from_pem(key).map_err(|why| why.to_string())?;
        Ok(Some(Self::of(key, domains)))
    }

    fn make(disk: &Disk, domains: &[HostName], now: Timestamp) -> Result<OwnAuthority, String> {
        let key = KeyPair::generate().map_err(|why| why.to_string())?;
        let mut params = params(&key, domains);
        (params.not_before, params.not_after) = validity(now, LIFETIME)?;
        let certificate = params.self_signed(&key).map_err(|why| why.to_string())?;
        for (file, content) in [(KEY, key.serialize_pem()), (CERTIFICATE, certificate.pem())] {
            write_file(&disk.own(file), content.as_bytes())
                .map_err(|why| format!("cannot write `{}`: {why}", disk.own(file).display()))?;
        }
        Ok(Self::of(key, domains))
    }

    fn of(key: KeyPair, domains: &[HostName]) -> OwnAuthority {
        let params = params(&key, domains);
        OwnAuthority {
            key_id: params.key_identifier(&key),
            issuer: Issuer::new(params, key),
            domains: domains.to_vec(),
        }
    }
}

/// Whether a host is a name or one below it.
pub(crate) fn is_below(host: &HostName, domain: &HostName) -> bool {
    let rest = host.as_str().strip_suffix(domain.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// What its certificate says, which follows from its key: two installations are told apart by a reader.
fn params(key: &KeyPair, domains: &[HostName]) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mark: String = params
        .key_identifier(key)
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("HostKit local authority {mark}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let names = domains
        .iter()
        .map(|domain| GeneralSubtree::DnsName(domain.to_string()));
    // What is not bound is free: addresses have to be taken away.
    let addresses = [
        CidrSubnet::from_v4_prefix([0; 4], 0),
        CidrSubnet::from_v6_prefix([0; 16], 0),
    ];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: names.collect(),
        excluded_subtrees: addresses.map(GeneralSubtree::IpAddress).to_vec(),
    });
    params
}

fn bound_to(certificate: &CertificateDer<'_>) -> Result<Vec<String>, String> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|why| why.to_string())?;
    let constraints = parsed.name_constraints().map_err(|why| why.to_string())?;
    let permitted = constraints.and_then(|found| found.value.permitted_subtrees.clone());
    Ok(permitted
        .unwrap_or_default()
        .into_iter()
        .filter_map(|tree| match tree.base {
            GeneralName::DNSName(name) => Some(name.to_owned()),
            _ => None,
        })
        .collect())
}

type Moments = (time::OffsetDateTime, time::OffsetDateTime);

fn validity(now: Timestamp, lifetime: SignedDuration) -> Result<Moments, String> {
    let moment = |time: Result<Timestamp, jiff::Error>| {
        let seconds = time.map_err(|why| why.to_string())?.as_second();
        time::OffsetDateTime::from_unix_timestamp(seconds).map_err(|why| why.to_string())
    };
    Ok((
        moment(now.checked_sub(EARLIER))?,
        moment(now.checked_add(lifetime))?,
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;

    fn names(names: &[&str]) -> Vec<HostName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn is_trusted(disk: &Disk, pair: &Pair, name: &str) -> bool {
        let mut roots = rustls::RootCertStore::empty();
        let root = CertificateDer::from_pem_file(OwnAuthority::certificate(disk)).unwrap();
        roots.add(root).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.into())
            .build()
            .unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier
            .verify_server_cert(&pair.shown.cert[0], &[], &name, &[], UnixTime::now())
            .is_ok()
    }

    #[test]
    fn it_is_made_once_and_its_certificates_are_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path().to_owned());
        let now = Timestamp::now();
        let domains = names(&["localhost", "internal"]);
        let first = OwnAuthority::open(&disk, &domains, now).unwrap();
        let pair = first.issue(&"shop.localhost".parse().unwrap(), now).unwrap();
        assert!(is_trusted(&disk, &pair, "shop.localhost"));
        assert!(!is_trusted(&disk, &pair, "blog.localhost"));
        let mode = std::fs::metadata(disk.own(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let again = OwnAuthority::open(&disk, &domains, now).unwrap();
        assert!(again.has_issued(&pair));
        let pair = again.issue(&"a.internal".parse().unwrap(), now).unwrap();
        assert!(is_trusted(&disk, &pair, "a.internal"));
        assert!(first.has_issued(&pair));
    }

    #[test]
    fn what_it_signs_for_others_is_trusted_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path().to_owned());
        let now = Timestamp::now();
        let authority = OwnAuthority::open(&disk, &names(&["localhost"]), now).unwrap();
        for (name, is_ours) in [
            ("localhost", true),
            ("a.localhost", true),
            ("example.com", false),
            ("notlocalhost", false),
        ] {
            let name: CertificateName = name.parse().unwrap();
            assert_eq!(authority.is_for(&name), is_ours, "{name}");
            let pair = authority.issue(&name, now).unwrap();
            assert_eq!(is_trusted(&disk, &pair, &name.to_string()), is_ours, "{name}");
        }
    }

    #[test]
    fn one_that_is_of_no_use_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path().to_owned());
        let now = Timestamp::now();
        let localhost = names(&["localhost"]);
        let mut last = OwnAuthority::open(&disk, &localhost, now).unwrap().key_id;
        let is_new = |domains: &[HostName], now| {
            let next = OwnAuthority::open(&disk, domains, now).unwrap().key_id;
            let is_new = next != last;
            last = next;
            is_new
        };
        let mut is_new = is_new;
        assert!(!is_new(&localhost, now));
        assert!(is_new(&names(&["localhost", "internal"]), now));
        assert!(!is_new(&localhost, now));
        let nearly_over = now.checked_add(LIFETIME - SignedDuration::from_hours(1)).unwrap();
        assert!(is_new(&localhost, nearly_over));
        std::fs::write(disk.own(CERTIFICATE), "garbage").unwrap();
        assert!(is_new(&localhost, now));
        std::fs::remove_file(disk.own(KEY)).unwrap();
        assert!(is_new(&localhost, now));
    }
}
