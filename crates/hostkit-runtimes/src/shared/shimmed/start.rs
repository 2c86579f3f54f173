//! Starting of a shim.

use std::process::Stdio;
use std::time::Duration;

use hostkit_core::workload::InstanceState;
use hostkit_host::roles::SelfProgram;
use hostkit_host::shim::FirstWord;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep, timeout};

use super::{MARGIN, Shim, Shimmed};

/// How long a shim may take to say whether the program was started: a busy machine, not a slow program.
const FIRST_WORD: Duration = Duration::from_secs(30);

/// Why a program does not run.
pub(crate) enum NotStarted {
    /// It cannot be started; its shim is gone.
    Refused(String),
    /// The shim is at fault, and may be there.
    Broken(String),
}

impl Shimmed {
    /// Whether a shim looks after the program and means to go on with it. One that is about to end is waited for.
    pub(crate) async fn is_looked_after(&self, grace: Duration) -> bool {
        let deadline = Instant::now() + grace + MARGIN;
        loop {
            match self.shim() {
                Shim::Gone(_) => return false,
                Shim::Alive(state)
                    if !matches!(state.state, InstanceState::Stopping | InstanceState::Stopped) =>
                {
                    return true;
                }
                _ if Instant::now() > deadline => return true,
                _ => sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Starts a shim for the program as it is described, and waits for its first word.
    pub(crate) async fn start(&self, own: &SelfProgram, grace: Duration) -> Result<(), NotStarted> {
        let why = match self.first_word(own).await {
            Ok(Some(FirstWord::Started)) => return Ok(()),
            Ok(Some(FirstWord::Busy)) if self.is_looked_after(grace).await => return Ok(()),
            Ok(Some(FirstWord::Refused(why))) => return Err(NotStarted::Refused(why)),
            Ok(Some(FirstWord::Busy)) => "another one looked after it and ended".to_owned(),
            Ok(None) => "its shim ended without a word".to_owned(),
            Err(e) => e.to_string(),
        };
        Err(NotStarted::Broken(why))
    }

    async fn first_word(&self, own: &SelfProgram) -> std::io::Result<Option<FirstWord>> {
        let mut command = own.role("shim");
        command
            .arg(&self.path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = tokio::process::Command::from(command).spawn()?;
        let mut text = Vec::new();
        if let Some(mut output) = child.stdout.take() {
            // The shim closes its end after the first word.
            timeout(FIRST_WORD, output.read_to_end(&mut text)).await??;
        }
        // Dropped, not waited for: it lives on, and the runtime reaps it should it end before us.
        drop(child);
        Ok(FirstWord::parse(&String::from_utf8_lossy(&text)))
    }
}
