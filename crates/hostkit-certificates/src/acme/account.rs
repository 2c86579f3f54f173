//! The account with an authority: its key is kept, and it is registered again where the authority forgot it.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hostkit_core::certificate::AcmeSettings;
use instant_acme::{Account, AccountCredentials, Error, ExternalAccountKey, Key, NewAccount};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::client::Client;
use super::trouble::{Trouble, trouble};
use crate::disk::Disk;
use crate::files::{read_file, write_file};

const LONGEST: usize = 64 << 10;

/// The accounts with one authority: there is one, unless it forgets it.
pub(super) struct Accounts {
    settings: AcmeSettings,
    disk: Disk,
    patience: Duration,
    current: Mutex<Option<(Account, Client)>>,
}

/// What is kept of one.
#[derive(Serialize, Deserialize)]
struct Kept {
    directory: String,
    credentials: AccountCredentials,
}

impl Accounts {
    pub(super) fn new(settings: AcmeSettings, disk: Disk, patience: Duration) -> Self {
        Accounts {
            settings,
            disk,
            patience,
            current: Mutex::default(),
        }
    }

    /// Whether the authority knows us, and is there.
    pub(super) fn is_open(&self) -> bool {
        self.current.try_lock().is_ok_and(|current| current.is_some())
    }

    /// The account: as it is kept, or a new one. Who else asks meanwhile waits, so that one is made.
    pub(super) async fn get(&self) -> Result<Account, Trouble> {
        let mut current = self.current.lock().await;
        if let Some((account, _)) = &*current {
            return Ok(account.clone());
        }
        let client = self.client()?;
        let account = match self.load()? {
            Some(kept) => {
                let builder = Account::builder_with_http(Box::new(client.clone()));
                let opened = builder.from_credentials(kept.credentials).await;
                opened.map_err(|why| trouble(why, &client))?
            }
            None => self.register(&client, None).await?,
        };
        *current = Some((account.clone(), client));
        Ok(account)
    }

    /// Registers the key again, where the authority does not know the account.
    pub(super) async fn again(&self, lost: &Account) -> Result<Account, Trouble> {
        let mut current = self.current.lock().await;
        if let Some((account, _)) = &*current
            && account.id() != lost.id()
        {
            return Ok(account.clone());
        }
        let client = self.client()?;
        let account = self.register(&client, self.load()?).await?;
        tracing::info!(
            "registered again with `{}`, which did not know the account",
            self.settings.directory
        );
        *current = Some((account.clone(), client));
        Ok(account)
    }

    /// Until when the authority said it wants to be left alone.
    pub(super) async fn trouble(&self, why: Error) -> Trouble {
        let mut current = self.current.lock().await;
        let Some((_, client)) = &*current else {
            return Trouble::Name(why.to_string());
        };
        let found = trouble(why, client);
        if matches!(found, Trouble::Authority { .. }) {
            // The next try asks for its directory anew, which may be another by then.
            *current = None;
        }
        found
    }

    fn client(&self) -> Result<Client, Trouble> {
        let client = Client::new(self.settings.ca_root.as_deref(), self.patience);
        client.map_err(|why| Trouble::Authority { why, until: None })
    }

    async fn register(&self, client: &Client, kept: Option<Kept>) -> Result<Account, Trouble> {
        let directory = self.settings.directory.clone();
        let contact = self
            .settings
            .contact
            .as_ref()
            .map(|mail| format!("mailto:{}", mail.as_str()));
        let contacts: Vec<&str> = contact.as_deref().into_iter().collect();
        let bound = self.bound()?;
        let builder = || Account::builder_with_http(Box::new(client.clone()));
        let registered = match kept.filter(|_| bound.is_none()) {
            Some(kept) => {
                let der =
                    PrivatePkcs8KeyDer::from(kept.credentials.private_key().secret_pkcs8_der().to_vec());
                let key = Key::from_pkcs8_der(der.clone_key()).map_err(|why| trouble(why, client))?;
                let registered = builder()
                    .create_from_key((key, PrivateKeyDer::Pkcs8(der)), directory)
                    .await;
                if let (Ok((account, _)), false) = (&registered, contacts.is_empty()) {
                    account
                        .update_contacts(&contacts)
                        .await
                        .map_err(|why| trouble(why, client))?;
                }
                registered
            }
            None => {
                let account = NewAccount {
                    contact: &contacts,
                    terms_of_service_agreed: true,
                    only_return_existing: false,
                };
                builder().create(&account, directory, bound.as_ref()).await
            }
        };
        // Without an account there is no order for any name, whatever the reason.
        let (account, credentials) = registered.map_err(|why| match trouble(why, client) {
            Trouble::Name(why) => Trouble::Authority {
                why: format!("it does not register us: {why}"),
                until: None,
            },
            other => other,
        })?;
        self.save(credentials)?;
        Ok(account)
    }

    /// The key by which the authority knows its customer.
    fn bound(&self) -> Result<Option<ExternalAccountKey>, Trouble> {
        let Some(external) = &self.settings.external_account else {
            return Ok(None);
        };
        let path = &external.key_file;
        let key = read_file(path, LONGEST)
            .map_err(|why| why.to_string())
            .and_then(|text| {
                let text = text.trim_ascii().trim_ascii_end();
                let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'=').collect();
                URL_SAFE_NO_PAD
                    .decode(text)
                    .map_err(|_| "it is not in base64url".to_owned())
            })
            .map_err(|why| Trouble::Authority {
                why: format!(
                    "cannot read the key of the account from `{}`: {why}",
                    path.display()
                ),
                until: None,
            })?;
        Ok(Some(ExternalAccountKey::new(external.id.clone(), &key)))
    }

    fn path(&self) -> PathBuf {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name: String = self.settings.directory.chars().map(plain).take(120).collect();
        self.disk.own("accounts").join(format!("{name}.json"))
    }

    fn load(&self) -> Result<Option<Kept>, Trouble> {
        let path = self.path();
        let text = match read_file(&path, LONGEST) {
            Ok(text) => text,
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
            Err(why) => {
                return Err(Trouble::Authority {
                    why: format!("cannot read the account from `{}`: {why}", path.display()),
                    until: None,
                });
            }
        };
        match serde_json::from_slice::<Kept>(&text) {
            Ok(kept) => Ok(Some(kept).filter(|kept| kept.directory == self.settings.directory)),
            Err(why) => {
                tracing::warn!(
                    "the account in `{}` cannot be read, and a new one is made: {why}",
                    path.display()
                );
                Ok(None)
            }
        }
    }

    fn save(&self, credentials: AccountCredentials) -> Result<(), Trouble> {
        let kept = Kept {
            directory: self.settings.directory.clone(),
            credentials,
        };
        let path = self.path();
        serde_json::to_vec(&kept)
            .map_err(std::io::Error::other)
            .and_then(|text| write_file(&path, &text))
            .map_err(|why| Trouble::Authority {
                why: format!("cannot keep the account in `{}`: {why}", path.display()),
                until: None,
            })
    }
}
