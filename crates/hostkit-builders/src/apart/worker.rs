//! The role `build`: a builder as the project's account.

use std::io::{Read, Write};
use std::sync::Mutex;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::log::LogStream;
use hostkit_core::release::Artifact;
use hostkit_core::traits::BuildLog;
use hostkit_host::roles::SelfProgram;

use super::words::{Order, Word};
use crate::BuilderSettings;

/// Reads an order from standard input, carries it out, and tells on standard output. The exit code only says whether
/// there was an order: how the build ended is the last word.
pub fn run() -> i32 {
    // Nothing of this process is for the build's own programs, which run as the same account.
    hostkit_host::processes::hide_memory();
    let mut text = Vec::new();
    if std::io::stdin().lock().read_to_end(&mut text).is_err() {
        return 74;
    }
    let Ok(order) = serde_json::from_slice::<Order>(&text) else {
        return 64;
    };
    let said = Said(Mutex::new(std::io::stdout()));
    let outcome = carry_out(&order, &said);
    said.word(&Word::Ended(Box::new(outcome)));
    0
}

fn carry_out(order: &Order, log: &Said) -> Result<Artifact, Failure> {
    let broken = |why: String| Failure::new(Kind::Internal, format!("cannot build: {why}"));
    let settings = BuilderSettings {
        own: SelfProgram::current(),
        operator_environment: order.operator_environment.clone(),
        min_free: order.min_free,
    };
    let builders = crate::catalogue(settings);
    let builder = builders
        .iter()
        .find(|builder| builder.name() == order.builder)
        .ok_or_else(|| broken(format!("there is no builder `{}`", order.builder)))?;
    let threads = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| broken(why.to_string()))?;
    threads.block_on(builder.build(&order.job(), log))
}

struct Said(Mutex<std::io::Stdout>);

impl Said {
    fn word(&self, word: &Word) {
        let Ok(mut text) = serde_json::to_vec(word) else {
            return;
        };
        text.push(b'\n');
        let mut output = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Whoever listened may be gone; then this unit is about to end as well.
        let _ = output.write_all(&text).and_then(|()| output.flush());
    }
}

impl BuildLog for Said {
    fn line(&self, stream: LogStream, text: &str) {
        self.word(&Word::Line {
            stream,
            text: text.to_owned(),
        });
    }
}
