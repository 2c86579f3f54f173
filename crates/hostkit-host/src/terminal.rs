//! Pseudo terminals for one-off commands.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::libc;
use nix::pty::{Winsize, openpty};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Our end of a pseudo terminal. Clones are not possible; share it in an `Arc`.
#[derive(Debug)]
pub struct Terminal {
    end: AsyncFd<OwnedFd>,
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

impl Terminal {
    /// Opens a terminal of this size: our end, and the end for the program.
    #[allow(unsafe_code)]
    pub fn open(rows: u16, columns: u16) -> std::io::Result<(Terminal, OwnedFd)> {
        let pair = openpty(Some(&size(rows, columns)), None)?;
        for end in [&pair.master, &pair.slave] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        }
        fcntl(&pair.master, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
        // SAFETY: the descriptor is owned, stays the same and is closed only with the registration.
        let end = unsafe { AsyncFd::register(pair.master) }?;
        Ok((Terminal { end }, pair.slave))
    }

    /// Reads what the program printed; 0 when nobody holds the other end any more.
    pub async fn read(&self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let read = self
            .end
            .async_io(Interest::READABLE, |end| Ok(nix::unistd::read(end, bytes)?))
            .await;
        match read {
            Err(e) if e.raw_os_error() == Some(libc::EIO) => Ok(0),
            read => read,
        }
    }

    /// Types all of `bytes`.
    pub async fn write_all(&self, mut bytes: &[u8]) -> std::io::Result<()> {
        while !bytes.is_empty() {
            let count = self
                .end
                .async_io(Interest::WRITABLE, |end| Ok(nix::unistd::write(end, bytes)?))
                .await?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Tells the program the terminal's new size.
    #[allow(unsafe_code)]
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = size(rows, columns);
        // SAFETY: the descriptor is open and the size lives through the call. A failure leaves the old size.
        unsafe { libc::ioctl(self.end.get_ref().as_raw_fd(), libc::TIOCSWINSZ, &size) };
    }
}
