//! POSIX access lists of an open file or folder: the rights of further accounts beside owner, group and others.
//!
//! They are read and written as the kernel's own attribute, on what is already open: a name given to a program like
//! `setfacl` may mean something else by the time it looks.

mod list;

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;

pub use list::{AccessList, Grant};

const ACCESS: &str = "system.posix_acl_access";
const INHERITED: &str = "system.posix_acl_default";

/// The kernel's own limit of an attribute.
const LARGEST: usize = 64 * 1024;

/// The access list of what is open; none where the mode alone says who may do what.
pub fn observe(file: impl AsFd) -> io::Result<Option<AccessList>> {
    match read(&file, ACCESS)? {
        None => Ok(None),
        Some(bytes) => AccessList::parse(&bytes)
            .map(Some)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its access list cannot be read")),
    }
}

/// Gives what is open this access list. Its mode follows.
pub fn write(file: impl AsFd, list: &AccessList) -> io::Result<()> {
    Ok(fsetxattr(file, ACCESS, &list.bytes(), XattrFlags::empty())?)
}

/// Leaves the mode alone in force; whether there was a list.
pub fn remove(file: impl AsFd) -> io::Result<bool> {
    remove_attribute(file, ACCESS)
}

/// Takes away the list that new entries of a folder would get; whether there was one.
pub fn remove_inherited(folder: impl AsFd) -> io::Result<bool> {
    remove_attribute(folder, INHERITED)
}

fn read(file: impl AsFd, attribute: &str) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; 1024];
    loop {
        match fgetxattr(&file, attribute, &mut *bytes) {
            Ok(length) => {
                bytes.truncate(length);
                return Ok(Some(bytes));
            }
            Err(Errno::RANGE) if bytes.len() < LARGEST => bytes = vec![0; LARGEST],
            Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(None),
            Err(e) => return Err(e.into()),
        }
    }
}

fn remove_attribute(file: impl AsFd, attribute: &str) -> io::Result<bool> {
    match read(&file, attribute)? {
        None => Ok(false),
        Some(_) => {
            fremovexattr(file, attribute)?;
            Ok(true)
        }
    }
}

#[cfg(test)]
mod tests;
