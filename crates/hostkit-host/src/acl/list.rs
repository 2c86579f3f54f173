//! An access list as a value, and the form the kernel keeps it in (`linux/posix_acl_xattr.h`): a version, then
//! entries of eight bytes, each a tag, rights and an id, all little-endian.

use std::collections::BTreeMap;

const VERSION: u32 = 2;
const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP: u16 = 0x04;
const NAMED_GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHERS: u16 = 0x20;
const NO_ID: u32 = u32::MAX;

/// What one further account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The account.
    pub uid: u32,
    /// Its rights as in a mode: 4 read, 2 write, 1 execute or enter.
    pub rights: u16,
}

/// Who may do what. Rights are as in a mode: 4 read, 2 write, 1 execute or enter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessList {
    /// The owner's.
    pub owner: u16,
    /// The group's, before the mask.
    pub group: u16,
    /// Everybody else's.
    pub others: u16,
    /// Those of further accounts, before the mask.
    pub users: BTreeMap<u32, u16>,
    /// Those of further groups, before the mask.
    pub groups: BTreeMap<u32, u16>,
    /// The most that the group and all further ones get.
    pub mask: u16,
}

impl AccessList {
    /// What a mode says, and these accounts beside.
    pub fn of_mode(mode: u32, grants: &[Grant]) -> Self {
        let bits = |shift: u32| (mode >> shift & 7) as u16;
        let mut list = AccessList {
            owner: bits(6),
            group: bits(3),
            others: bits(0),
            users: grants.iter().map(|grant| (grant.uid, grant.rights & 7)).collect(),
            ..AccessList::default()
        };
        list.widen_mask();
        list
    }

    /// Lets the mask take nothing away.
    pub fn widen_mask(&mut self) {
        let named = self.users.values().chain(self.groups.values());
        self.mask = named.fold(self.group, |all, rights| all | rights);
    }

    /// The permission bits a file with this list shows: in the place of the group's stands the mask.
    pub fn mode(&self) -> u32 {
        u32::from(self.owner) << 6 | u32::from(self.mask) << 3 | u32::from(self.others)
    }

    /// The form the kernel takes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        let mut entry = |tag: u16, rights: u16, id: u32| {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(rights.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        };
        entry(OWNER, self.owner, NO_ID);
        self.users
            .iter()
            .for_each(|(id, rights)| entry(USER, *rights, *id));
        entry(GROUP, self.group, NO_ID);
        self.groups
            .iter()
            .for_each(|(id, rights)| entry(NAMED_GROUP, *rights, *id));
        entry(MASK, self.mask, NO_ID);
        entry(OTHERS, self.others, NO_ID);
        bytes
    }

    /// Reads what the kernel gives; `None` where it is something else.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (version, entries) = bytes.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*version) != VERSION || entries.len() % 8 != 0 {
            return None;
        }
        let mut list = AccessList::default();
        let mut mask = None;
        for entry in entries.chunks_exact(8) {
            let tag = u16::from_le_bytes([entry[0], entry[1]]);
            let rights = u16::from_le_bytes([entry[2], entry[3]]);
            let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
            match tag {
                OWNER => list.owner = rights,
                GROUP => list.group = rights,
                OTHERS => list.others = rights,
                MASK => mask = Some(rights),
                USER => drop(list.users.insert(id, rights)),
                NAMED_GROUP => drop(list.groups.insert(id, rights)),
                _ => return None,
            }
        }
        list.mask = mask.unwrap_or(list.group);
        Some(list)
    }
}
