//! The same file in another coding: a form that was made with the release (`app.js.br` beside `app.js`), or, for text
//! of which there is none, one that is made here once and kept.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::cache::{Content, Ready};
use super::open::Found;
use super::path::Wanted;
use super::{FileBody, Site};
use crate::compress::accept::Accepted;
use crate::compress::answer::is_text;
use crate::compress::kept::FormKey;
use crate::compress::{BY_SIZE, Coding};
use crate::exchange::Exchange;

/// Which files are compressed here. Smaller ones fit into one packet anyway; larger ones are to be compressed by the
/// build.
const LEAST: u64 = 1024;
const MOST: u64 = 4 << 20;

impl Site {
    /// The form of a file that the client likes best.
    pub(super) async fn form(&self, file: Rc<Ready>, wanted: &Wanted, exchange: &Exchange) -> Rc<Ready> {
        let off = |route: &Arc<crate::table::LiveRoute>| !route.compresses(Some(file.size));
        if exchange.codings.is_none()
            || exchange.route.as_ref().is_some_and(off)
            || !is_text(file.kind.as_bytes())
        {
            return file;
        }
        let name = if wanted.is_folder {
            wanted.below("index.html")
        } else {
            wanted.file.clone()
        };
        let siblings = self.siblings(&file, &name).await;
        let can_make = (LEAST..=MOST).contains(&file.size);
        let sibling = |coding: Coding| siblings[place(coding)].as_ref();
        if !can_make && siblings.iter().all(Option::is_none) {
            return file;
        }
        let accepted = Accepted::read(exchange.codings.as_ref());
        // What was made with the release is the best there is, and costs nothing now.
        let made_before = accepted.choose(BY_SIZE, |coding| sibling(coding).is_some());
        let chosen = made_before.or_else(|| accepted.choose(BY_SIZE, |_| can_make));
        let Some(coding) = chosen else {
            return Rc::new(varying(&file));
        };
        match sibling(coding) {
            Some(sibling) => Rc::clone(sibling),
            None => match self.make(&file, name, coding, exchange).await {
                Ok(made) => made,
                Err(error) => {
                    tracing::warn!("cannot compress a file of a release: {error}");
                    Rc::new(varying(&file))
                }
            },
        }
    }

    /// The forms made with the release. They lie in the folder the file was found in.
    async fn siblings<'a>(&self, file: &'a Ready, name: &[u8]) -> &'a [Option<Rc<Ready>>; 3] {
        if let Some(known) = file.forms.siblings.get() {
            return known;
        }
        let mut found = [const { None }; 3];
        for coding in BY_SIZE {
            let name = [name, coding.ending().as_bytes()].concat();
            if let Ok(Found::File(opened)) = self.roots[file.root].open(name.clone()).await {
                let sibling = self.ready(&name, opened, file.root);
                found[place(coding)] = Some(Rc::new(Ready {
                    validators: file.validators.in_coding(&sibling.validators.tag, coding),
                    kind: file.kind.clone(),
                    coding: Some(coding),
                    varies: true,
                    ..sibling
                }));
            }
        }
        file.forms.siblings.get_or_init(|| found)
    }

    async fn make(
        &self,
        file: &Rc<Ready>,
        name: Vec<u8>,
        coding: Coding,
        exchange: &Exchange,
    ) -> std::io::Result<Rc<Ready>> {
        let is_it = |made: &&Rc<Ready>| made.coding == Some(coding);
        let known = file.forms.made.borrow().iter().find(is_it).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let key = FormKey {
            site: self.number,
            name,
            tag: Bytes::copy_from_slice(file.validators.tag.as_bytes()),
            coding: coding.name(),
        };
        let (content, size) = (file.content.clone(), file.size);
        let read = move || match content {
            Content::Memory(bytes) => Ok(bytes),
            Content::Open(fd) => FileBody::new(fd, 0, size).read_all().map(Bytes::from),
        };
        let bytes = exchange.client.worker.shared.forms.get(key, coding, read).await?;
        let made = Rc::new(Ready {
            size: bytes.len() as u64,
            validators: file.validators.in_coding(&file.validators.tag, coding),
            kind: file.kind.clone(),
            content: Content::Memory(bytes),
            root: file.root,
            coding: Some(coding),
            varies: true,
            forms: Default::default(),
        });
        file.forms.made.borrow_mut().push(Rc::clone(&made));
        Ok(made)
    }
}

/// Its place in the list of siblings.
fn place(coding: Coding) -> usize {
    coding as usize
}

/// The file as it is, of which others get another form.
fn varying(file: &Ready) -> Ready {
    Ready {
        size: file.size,
        validators: file.validators.clone(),
        kind: file.kind.clone(),
        content: file.content.clone(),
        root: file.root,
        coding: None,
        varies: true,
        forms: Default::default(),
    }
}
