//! Taking answers out, so that no front door uses them, this one or the next.

use std::collections::HashSet;
use std::io;

use super::file;
use super::folder;
use super::index::{FileKey, ScopeId};
use super::keeper::Keeper;
use crate::cache::scope::is_for_path;

impl Keeper {
    /// Removes all answers of these scopes, or those of a path. Returns how many addresses they and those that are `known`
    /// are of.
    pub(super) fn purge(
        &mut self,
        scopes: &[ScopeId],
        path: Option<&str>,
        mut known: HashSet<FileKey>,
    ) -> io::Result<u64> {
        match path {
            Some(path) if self.root.is_some() => {
                for scope in scopes {
                    self.purge_path(*scope, path, &mut known)?;
                }
            }
            // Where nobody knows what there is, all of it goes.
            _ => {
                for scope in scopes {
                    known.extend(self.state.index.remove_scope(*scope));
                }
                self.forget(scopes)?;
            }
        }
        Ok(known.len() as u64)
    }

    /// Removes all answers of these scopes at once. What cannot be removed now is before anything of it is used.
    pub(super) fn forget(&mut self, scopes: &[ScopeId]) -> io::Result<()> {
        self.owed.extend(scopes);
        for scope in scopes {
            self.state.index.remove_scope(*scope);
            self.state.folders().remove(scope);
        }
        // The names are gone then, and that is what counts.
        self.to_sweep |= self.with_root(|root| {
            let mut some_went = false;
            for scope in scopes {
                some_went |= root.put_aside(*scope)?;
            }
            if some_went {
                root.sync()?;
            }
            Ok(some_went)
        })?;
        for scope in scopes {
            self.owed.remove(scope);
        }
        Ok(())
    }

    fn purge_path(&self, scope: ScopeId, path: &str, known: &mut HashSet<FileKey>) -> io::Result<()> {
        let Some(folder) = self.state.folder(scope) else {
            return Ok(());
        };
        let mut some_went = false;
        for file in self.state.index.of_scope(scope) {
            let Some(forms) = self.state.index.peek(&file) else {
                continue;
            };
            // All forms are of one address. What cannot be read is no answer.
            let goes = || -> io::Result<bool> {
                let opened = match forms.first() {
                    Some(form) => folder::open(&folder, &file, form.id)?,
                    None => None,
                };
                let key = opened.as_ref().map(file::key_in).transpose()?.flatten();
                Ok(key.is_none_or(|key| is_for_path(&key, path)))
            };
            if known.contains(&file) || goes()? {
                self.state.index.remove(&file);
                forms
                    .iter()
                    .try_for_each(|form| folder::remove(&folder, &file, form.id))?;
                known.insert(file);
                some_went = true;
            }
        }
        match some_went {
            true => folder::sync(&folder),
            false => Ok(()),
        }
    }
}
