//! Looks accounts of the machine up by their user number.

use hostkit_core::access::Account;
use nix::unistd::{Uid, User};

/// The account with this number; nobody where there is none, or the list cannot be read: no account, no rights.
pub fn account_by_number(uid: u32) -> Option<Account> {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten()?;
    Some(Account {
        name: user.name,
        comment: user.gecos.to_string_lossy().into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::account_by_number;

    #[test]
    fn accounts_are_found_by_number_or_not_at_all() {
        assert_eq!(account_by_number(0).unwrap().name, "root");
        assert_eq!(account_by_number(0xffff_fff0), None);
    }
}
