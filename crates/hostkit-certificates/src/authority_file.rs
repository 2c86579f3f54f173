//! The certificate of an installation's own authority, read by whoever is about to trust it. One that could vouch for
//! the sites of the internet is refused: a file that somebody else put there must not become an authority for all.

use std::path::{Path, PathBuf};

use hostkit_core::certificate::AuthorityCertificate;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::HostName;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::extensions::{GeneralName, GeneralSubtree};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::files::read_file;
use crate::own_authority::{CERTIFICATE, is_below};
use crate::pair::{LONGEST_CHAIN, as_text, called, certificates};
use crate::settings::not_public;

/// Where it lies below a folder of certificates.
pub fn authority_file(folder: &Path) -> PathBuf {
    folder.join(CERTIFICATE)
}

/// Reads it. Nothing where there is none.
pub fn read_authority(folder: &Path) -> Result<Option<AuthorityCertificate>, Failure> {
    let file = authority_file(folder);
    let failed = |kind, why: &dyn std::fmt::Display| {
        Failure::new(
            kind,
            format!("cannot use the authority in `{}`: {why}", file.display()),
        )
    };
    let text = match read_file(&file, LONGEST_CHAIN) {
        Ok(text) => text,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(why) if why.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(
                failed(Kind::Denied, &"it is another account's").hint("run this as who runs `hostkit up`")
            );
        }
        Err(why) => return Err(failed(Kind::Invalid, &why)),
    };
    let parsed = parse(&text).map_err(|why| {
        failed(Kind::Invalid, &why)
            .hint("move the folder `authority` away: the next `hostkit up --tls` makes a new one")
    })?;
    Ok(Some(AuthorityCertificate { file, ..parsed }))
}

fn parse(text: &[u8]) -> Result<AuthorityCertificate, String> {
    let found = certificates(text)?;
    let [certificate] = found.as_slice() else {
        return Err("there is more than one certificate in it".to_owned());
    };
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|why| why.to_string())?;
    if !parsed.is_ca() {
        return Err("it is not the certificate of an authority".to_owned());
    }
    if !is_bound(&parsed)? {
        return Err("it could vouch for sites of the internet, which ours cannot".to_owned());
    }
    Ok(AuthorityCertificate {
        file: PathBuf::new(),
        name: called(parsed.subject()),
        mark: mark(certificate),
        // As we write it, not as it was found: what else stands in a file is nothing to trust.
        pem: as_text(certificate),
    })
}

/// Whether it is for names alone that no public authority issues for, and for no addresses.
fn is_bound(certificate: &X509Certificate<'_>) -> Result<bool, String> {
    let constraints = certificate.name_constraints().map_err(|why| why.to_string())?;
    let Some(constraints) = constraints
        .filter(|found| found.critical)
        .map(|found| found.value)
    else {
        return Ok(false);
    };
    let own = not_public();
    let is_own = |tree: &GeneralSubtree<'_>| match tree.base {
        GeneralName::DNSName(name) => {
            HostName::parse(name).is_ok_and(|name| own.iter().any(|domain| is_below(&name, domain)))
        }
        _ => false,
    };
    let permitted = constraints.permitted_subtrees.as_deref().unwrap_or_default();
    let excluded = constraints.excluded_subtrees.as_deref().unwrap_or_default();
    let excludes_all = |length: usize| {
        let all = vec![0; length];
        excluded
            .iter()
            .any(|tree| matches!(tree.base, GeneralName::IPAddress(found) if found == all))
    };
    Ok(!permitted.is_empty() && permitted.iter().all(is_own) && excludes_all(8) && excludes_all(32))
}

/// What tells one from another in names of files: the beginning of its fingerprint.
fn mark(certificate: &CertificateDer<'_>) -> String {
    let fingerprint = Sha256::digest(certificate);
    fingerprint
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use hostkit_core::certificate::CertificateName;
    use jiff::Timestamp;

    use super::*;
    use crate::disk::Disk;
    use crate::own_authority::OwnAuthority;

    fn authority(domains: &[&str]) -> (tempfile::TempDir, OwnAuthority) {
        let folder = tempfile::tempdir().unwrap();
        let domains: Vec<_> = domains.iter().map(|name| name.parse().unwrap()).collect();
        let disk = Disk::new(folder.path().to_owned());
        let made = OwnAuthority::open(&disk, &domains, Timestamp::now()).unwrap();
        (folder, made)
    }

    fn refused(content: &[u8]) -> String {
        let (folder, _) = authority(&["localhost"]);
        std::fs::write(authority_file(folder.path()), content).unwrap();
        read_authority(folder.path()).unwrap_err().message
    }

    #[test]
    fn ours_is_read_and_has_a_name_of_its_own() {
        let (folder, _) = authority(&["localhost"]);
        let found = read_authority(folder.path()).unwrap().unwrap();
        assert!(found.name.starts_with("HostKit local authority "), "{found:?}");
        assert_eq!(found.mark.len(), 8);
        let (other, _) = authority(&["localhost", "internal"]);
        assert_ne!(read_authority(other.path()).unwrap().unwrap().mark, found.mark);
        // What else stands in the file is not handed on.
        let text = format!("# hello\n{}", std::fs::read_to_string(&found.file).unwrap());
        std::fs::write(&found.file, text).unwrap();
        assert_eq!(read_authority(folder.path()).unwrap().unwrap().pem, found.pem);
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(read_authority(empty.path()).unwrap(), None);
    }

    #[test]
    fn one_that_could_vouch_for_the_internet_is_refused() {
        for domains in [&["example.com"][..], &["localhost", "com"]] {
            let (folder, _) = authority(domains);
            let why = read_authority(folder.path()).unwrap_err().message;
            assert!(why.contains("could vouch for sites of the internet"), "{why}");
        }
        let mut free = rcgen::CertificateParams::default();
        free.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let made = free.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let why = refused(made.pem().as_bytes());
        assert!(why.contains("could vouch for sites of the internet"), "{why}");
    }

    #[test]
    fn anything_else_is_refused() {
        let (folder, own) = authority(&["localhost"]);
        let name: CertificateName = "a.localhost".parse().unwrap();
        let issued = own.issue(&name, Timestamp::now()).unwrap().chain;
        assert!(refused(issued.as_bytes()).contains("not the certificate of an authority"));
        let ours = std::fs::read(authority_file(folder.path())).unwrap();
        assert!(refused(&ours.repeat(2)).contains("more than one certificate"));
        assert!(refused(b"garbage").contains("there is no certificate in it"));
        assert!(refused(&vec![b'a'; LONGEST_CHAIN + 1]).contains("longer than"));
        let file = authority_file(folder.path());
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/etc/ssl/certs/ca-certificates.crt", &file).unwrap();
        assert!(read_authority(folder.path()).is_err());
    }
}
