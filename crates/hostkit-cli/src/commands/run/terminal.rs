//! The terminal while a command has it: every key goes through, and afterwards everything is as before.

use hostkit_core::kind::Failure;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

/// The terminal in raw mode; as it was before when this is dropped.
pub(super) struct RawTerminal(Termios);

impl RawTerminal {
    pub(super) fn enter() -> Result<Self, Failure> {
        let stdin = std::io::stdin();
        let failed = |error: nix::errno::Errno| {
            Failure::new(
                hostkit_core::kind::Kind::Failed,
                format!("cannot hand over the terminal: {}", error.desc()),
            )
            .hint("run it without one: `--no-terminal`")
        };
        let before = tcgetattr(&stdin).map_err(failed)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&stdin, SetArg::TCSANOW, &raw).map_err(failed)?;
        Ok(RawTerminal(before))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSADRAIN, &self.0);
    }
}

/// Rows and columns.
pub(super) fn size() -> Option<(u16, u16)> {
    let (columns, rows) = terminal_size::terminal_size()?;
    Some((rows.0, columns.0))
}
