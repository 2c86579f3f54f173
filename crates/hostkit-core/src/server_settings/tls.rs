//! `[tls]` of `server.toml`: where certificates come from.

use std::path::PathBuf;

use crate::certificate::{AcmeSettings, ChallengeKind, ExternalAccount, LETS_ENCRYPT};
use crate::manifest::check::View;
use crate::manifest::keys::{FREE, Key, Shape, Text, keys};
use crate::manifest::problems::Collector;
use crate::manifest::rules::shown;
use crate::names::HostName;

use super::MAIL;

/// The longest of these texts that is taken.
const LONGEST: usize = 1000;

const DIRECTORY: Text = Text {
    pattern: Some("^https://"),
    check: directory,
};
const FILE: Text = Text {
    pattern: Some("^/"),
    check: file,
};

pub(super) const KEYS: &[Key] = keys! {
    "acme" Shape::Text(&DIRECTORY), , "The directory of the authority that certificates are ordered from: with `email` and without this key, Let's Encrypt. With either key you agree to the terms of the authority.";
    "email" Shape::Text(&MAIL), , "Who the authority writes to.";
    "ca_root" Shape::Text(&FILE), , "A file with what the authority's own server is trusted by: what the system trusts.";
    "dns_hook" Shape::List(&Shape::Text(&FREE)), , "A program, with its first arguments, that makes entries in the DNS: run with `set NAME VALUE` and `clear NAME VALUE`. With it, projects share one certificate for every name below `base_domain`.";
    "account_id" Shape::Text(&FREE), , "The account with the authority that orders are counted for, where it asks for one.";
    "account_key" Shape::Text(&FILE), , "A file with the key of that account, which the front door's account can read.";
};

/// The authority that is meant, if one is.
pub(super) fn build(tls: View<'_>, base: &HostName, problems: &mut Collector<'_>) -> Option<AcmeSettings> {
    let directory: Option<String> = tls.parsed("acme");
    let contact = tls.parsed("email");
    let dns_hook: Vec<String> = tls.list("dns_hook").into_iter().map(|(_, word)| word).collect();
    if let Some(program) = dns_hook.first()
        && let Err(why) = file(program)
    {
        problems.add(
            tls.place("dns_hook"),
            "tls.dns_hook",
            format!("`tls.dns_hook`: {why}"),
            None,
        );
    }
    let (id, key_file) = (
        tls.parsed::<String>("account_id"),
        tls.parsed::<PathBuf>("account_key"),
    );
    if id.is_some() != key_file.is_some() {
        let (there, missing) = match id {
            Some(_) => ("account_id", "account_key"),
            None => ("account_key", "account_id"),
        };
        let message = format!("`tls.{there}` needs `tls.{missing}` beside it");
        problems.add(tls.place(there), &format!("tls.{there}"), message, None);
    }
    if directory.is_none() && contact.is_none() {
        let alone = ["ca_root", "dns_hook", "account_id", "account_key"];
        if let Some(key) = alone
            .into_iter()
            .find(|key| tls.has(key) && !tls.has("acme") && !tls.has("email"))
        {
            let message = format!("`tls.{key}` needs `tls.acme` or `tls.email` beside it");
            problems.add(tls.place(key), &format!("tls.{key}"), message, None);
        }
        return None;
    }
    let mut acme = AcmeSettings {
        directory: directory.unwrap_or_else(|| LETS_ENCRYPT.to_owned()),
        ca_root: tls.parsed("ca_root"),
        contact,
        external_account: id
            .zip(key_file)
            .map(|(id, key_file)| ExternalAccount { id, key_file }),
        dns_hook,
        ..AcmeSettings::default()
    };
    if !acme.dns_hook.is_empty() {
        acme.challenges.push(ChallengeKind::Dns);
        acme.wildcards.push(base.clone());
    }
    Some(acme)
}

fn directory(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("https://").unwrap_or_default();
    let (host, _) = rest.split_once('/').unwrap_or((rest, ""));
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\^`{|}@".contains(&byte));
    match text.len() <= LONGEST && is_plain && !host.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "`{}` is not the address of a directory such as `{LETS_ENCRYPT}`",
            shown(text)
        )),
    }
}

fn file(text: &str) -> Result<(), String> {
    match text.starts_with('/') && text.len() <= LONGEST && !text.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(format!(
            "`{}` is not the whole path of a file such as `/etc/hostkit/ca.pem`",
            shown(text)
        )),
    }
}
