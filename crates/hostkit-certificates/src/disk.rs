//! Certificates on disk: a folder per name and source with `chain.pem`, `key.pem` and `meta.json`. A folder is changed as
//! a whole, so that no key is ever seen beside the chain of another.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hostkit_core::certificate::{CertificateName, CertificateSource, Reach};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::HostName;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::files::{UNFINISHED, make_folder, read_file, sync_folder, write_file, write_new};
use crate::pair::{LONGEST_CHAIN, LONGEST_KEY, Pair};
use crate::record::Record;

const CHAIN: &str = "chain.pem";
const KEY: &str = "key.pem";
const RECORD: &str = "meta.json";
const LONGEST_RECORD: usize = 64 << 10;
/// Before a name that is for those below it: no host name has an underscore.
const BELOW: &str = "_.";

/// What lies on disk for one name from one source.
pub(crate) struct Found {
    pub(crate) name: CertificateName,
    pub(crate) source: CertificateSource,
    /// None where there never was one; why it is of no use where it is not.
    pub(crate) pair: Option<Result<Pair, String>>,
    pub(crate) record: Record,
}

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Disk { folder }
    }

    /// A file of the folder's own.
    pub(crate) fn own(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Everything that lies there, one by one: what cannot be read says so and is in nobody's way.
    pub(crate) fn read(&self) -> Vec<Found> {
        let sources = [
            CertificateSource::Imported,
            CertificateSource::Acme,
            CertificateSource::Local,
        ];
        sources
            .into_iter()
            .flat_map(|source| self.read_source(source))
            .collect()
    }

    fn read_source(&self, source: CertificateSource) -> Vec<Found> {
        let folder = self.folder.join(source_folder(source));
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(why) if why.kind() == ErrorKind::NotFound => return Vec::new(),
            Err(why) => {
                tracing::warn!("cannot read the certificates in `{}`: {why}", folder.display());
                return Vec::new();
            }
        };
        let mut found = Vec::new();
        for entry in entries.flatten() {
            let (path, called) = (entry.path(), entry.file_name());
            let called = called.to_string_lossy();
            if called.starts_with(UNFINISHED) {
                drop(std::fs::remove_dir_all(&path));
                continue;
            }
            // The kind of the entry itself: a link is not followed.
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            match name_of(&called).filter(|_| is_folder) {
                Some(name) => found.push(read_one(&path, name, source)),
                None => tracing::warn!(
                    "`{}` is no folder of a certificate and left alone",
                    path.display()
                ),
            }
        }
        found
    }

    /// Writes a certificate with its key, in the place of the one before.
    pub(crate) fn save(
        &self,
        source: CertificateSource,
        name: &CertificateName,
        pair: &Pair,
        record: &Record,
    ) -> Result<(), Failure> {
        let record = pair.described(record.clone());
        self.replace(
            source,
            name,
            &[(CHAIN, pair.chain.as_bytes()), (KEY, pair.key.as_bytes())],
            &record,
        )
        .map_err(|why| cannot("keep the certificate of", name, &why))
    }

    fn replace(
        &self,
        source: CertificateSource,
        name: &CertificateName,
        files: &[(&str, &[u8])],
        record: &Record,
    ) -> std::io::Result<()> {
        let folder = self.folder.join(source_folder(source));
        make_folder(&folder)?;
        let new = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&folder)?;
        for (name, content) in files {
            write_new(&new.path().join(name), content)?;
        }
        write_new(&new.path().join(RECORD), &as_json(record)?)?;
        sync_folder(new.path())?;
        let place = folder.join(folder_name(name));
        match renameat_with(CWD, new.path(), CWD, &place, RenameFlags::NOREPLACE) {
            // What was there before goes with the temporary folder.
            Err(rustix::io::Errno::EXIST) => {
                renameat_with(CWD, new.path(), CWD, &place, RenameFlags::EXCHANGE)?
            }
            Err(why) => return Err(why.into()),
            Ok(()) => drop(new.keep()),
        }
        sync_folder(&folder)
    }

    /// Writes what is known of a name, beside its certificate or without one.
    pub(crate) fn save_record(
        &self,
        source: CertificateSource,
        name: &CertificateName,
        record: &Record,
    ) -> Result<(), Failure> {
        let folder = self.folder.join(source_folder(source)).join(folder_name(name));
        let write = || {
            make_folder(&folder)?;
            write_file(&folder.join(RECORD), &as_json(record)?)
        };
        write().map_err(|why| cannot("keep what is known of the certificate of", name, &why))
    }

    /// Removes a certificate and what is known of it.
    pub(crate) fn remove(&self, source: CertificateSource, name: &CertificateName) -> Result<(), Failure> {
        let place = self.folder.join(source_folder(source)).join(folder_name(name));
        match std::fs::remove_dir_all(&place) {
            Err(why) if why.kind() != ErrorKind::NotFound => {
                Err(cannot("remove the certificate of", name, &why))
            }
            _ => Ok(()),
        }
    }
}

fn read_one(path: &Path, name: CertificateName, source: CertificateSource) -> Found {
    let record = read_file(&path.join(RECORD), LONGEST_RECORD)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    let file = |file: &str, longest| match read_file(&path.join(file), longest) {
        Ok(content) => Ok(Some(content)),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(why) => Err(format!("cannot read `{}`: {why}", path.join(file).display())),
    };
    let pair = || {
        let (chain, key) = match (file(CHAIN, LONGEST_CHAIN)?, file(KEY, LONGEST_KEY)?) {
            (None, None) => return Ok(None),
            (Some(chain), Some(key)) => (chain, key),
            _ => return Err(format!("one of two files is missing in `{}`", path.display())),
        };
        let pair = Pair::parse(&chain, &key)
            .map_err(|why| format!("what lies in `{}` is of no use: {why}", path.display()))?;
        match pair.facts.is_for(&name) {
            true => Ok(Some(pair)),
            false => Err(format!(
                "the certificate in `{}` is for other names",
                path.display()
            )),
        }
    };
    let pair = pair().transpose();
    Found {
        pair,
        record,
        name,
        source,
    }
}

fn source_folder(source: CertificateSource) -> &'static str {
    match source {
        CertificateSource::Imported => "imported",
        CertificateSource::Acme => "acme",
        CertificateSource::Local => "local",
    }
}

fn folder_name(name: &CertificateName) -> String {
    match name.reach() {
        Reach::Host => name.host().to_string(),
        Reach::Below => format!("{BELOW}{}", name.host()),
    }
}

fn name_of(folder: &str) -> Option<CertificateName> {
    match folder.strip_prefix(BELOW) {
        Some(rest) => HostName::parse(rest).ok().map(CertificateName::below),
        None => HostName::parse(folder).ok().map(CertificateName::from),
    }
}

fn as_json(record: &Record) -> std::io::Result<Vec<u8>> {
    serde_json::to_vec_pretty(record).map_err(std::io::Error::other)
}

fn cannot(what: &str, name: &CertificateName, why: &std::io::Error) -> Failure {
    Failure::new(Kind::Internal, format!("cannot {what} `{name}`: {why}"))
        .hint("see that the disk is not full and the front door may write into its folder")
}
