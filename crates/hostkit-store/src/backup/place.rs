//! Where an installation's backups are kept, sealed; and which key's recovery kit somebody has.

use hostkit_core::backup::target::TargetSettings;
use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::secret::Secret;
use rusqlite::{OptionalExtension, params};

use crate::Store;

/// What the settings are bound to. No variable's place and no add-on's begins so: no project's name has a blank.
const PLACE: &str = "backup target";

impl Store {
    /// Where backups are kept; nothing where nobody has named a place yet.
    pub fn backup_target(&self) -> std::result::Result<Option<TargetSettings>, Failure> {
        let sealed: Option<Vec<u8>> = self.read("read where backups are kept", |sql| {
            let found = sql
                .prepare_cached("SELECT target FROM backup_place")?
                .query_row([], |row| row.get(0))
                .optional()?;
            Ok(found.flatten())
        })?;
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let text = self.sealer().unseal(PLACE, &sealed)?;
        TargetSettings::parse(&Secret::new(text.as_str())).map(Some)
    }

    /// Names the place where backups are kept from now on.
    pub fn set_backup_target(&self, target: &TargetSettings) -> std::result::Result<(), Failure> {
        let sealed = self.sealer().seal(PLACE, target.text().reveal())?;
        self.write("name where backups are kept", |write| {
            write
                .sql
                .prepare_cached(
                    "INSERT INTO backup_place (one, target) VALUES (1, ?1) ON CONFLICT DO UPDATE SET target = ?1",
                )?
                .execute(params![sealed])?;
            Ok(())
        })
    }

    /// What tells the key whose recovery kit somebody has shown to have; nothing where nobody has.
    pub fn confirmed_kit(&self) -> std::result::Result<Option<String>, Failure> {
        self.read("read whether there is a recovery kit", |sql| {
            let found = sql
                .prepare_cached("SELECT confirmed FROM backup_place")?
                .query_row([], |row| row.get(0))
                .optional()?;
            Ok(found.flatten())
        })
    }

    /// Notes what was done with the recovery kit, and of which key somebody has it.
    pub fn note_kit(
        &self,
        done: &str,
        confirmed: Option<&str>,
        by: &str,
    ) -> std::result::Result<(), Failure> {
        self.write("note what became of the recovery kit", |write| {
            if let Some(key) = confirmed {
                write
                    .sql
                    .prepare_cached(
                        "INSERT INTO backup_place (one, confirmed) VALUES (1, ?1)
                         ON CONFLICT DO UPDATE SET confirmed = ?1",
                    )?
                    .execute([key])?;
            }
            let what = What::RecoveryKit {
                done: done.to_owned(),
                by: by.to_owned(),
            };
            write.event_of(None, None, what)
        })
    }
}
