//! A call that goes on for long (a stream, a one-off command) ends when its token is revoked, or goes with its project.

use std::sync::Arc;
use std::time::Duration;

use hostkit_core::access::Caller;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProjectName;
use hostkit_core::secret::Secret;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::shared::Shared;

/// So often a token is looked up again in any case: a deletion that was cut short and taken up later tells nobody.
const AGAIN: Duration = Duration::from_secs(15);

/// Says that tokens went away.
pub(crate) struct Revocations(watch::Sender<()>);

impl Default for Revocations {
    fn default() -> Self {
        Revocations(watch::Sender::new(()))
    }
}

impl Revocations {
    /// To be called after tokens went away; everything that goes on looks whether its own is still there.
    pub(crate) fn tell(&self) {
        self.0.send_replace(());
    }
}

/// What holds a call back when its token goes.
pub(crate) struct Leash {
    shared: Arc<Shared>,
    held: Option<Held>,
    news: watch::Receiver<()>,
    again: Interval,
}

/// What a call goes by.
#[derive(Clone)]
enum Held {
    /// A token, which may be revoked.
    Token(Secret, Caller),
    /// An account, which has its rights for as long as its project is there.
    Account(ProjectName),
}

impl Clone for Leash {
    fn clone(&self) -> Self {
        Leash {
            shared: self.shared.clone(),
            held: self.held.clone(),
            news: self.news.clone(),
            again: clock(),
        }
    }
}

fn clock() -> Interval {
    let mut clock = interval_at(Instant::now() + AGAIN, AGAIN);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock
}

impl Leash {
    /// To be made before the token is looked up: what is revoked in between is then noticed.
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Leash {
            shared: shared.clone(),
            held: None,
            news: shared.revocations.0.subscribe(),
            again: clock(),
        }
    }

    /// Goes by this token from now on.
    pub(super) fn hold(&mut self, token: &str, caller: &Caller) {
        self.held = Some(Held::Token(Secret::new(token), caller.clone()));
    }

    /// Goes by the rights of an account from now on. What root may, it may for good.
    pub(super) fn hold_account(&mut self, caller: &Caller) {
        self.held = caller.project.clone().map(Held::Account);
    }

    /// Returns when the token is no longer what it was, with what its bearer is told. May be dropped and called again.
    pub(crate) async fn cut(&mut self) -> Failure {
        let Some(held) = &self.held else {
            return std::future::pending().await;
        };
        loop {
            tokio::select! {
                // The sender lives as long as what is shared.
                Ok(()) = self.news.changed() => {}
                _ = self.again.tick() => {}
            }
            // A state that cannot be read just now says nothing.
            match held {
                Held::Token(token, caller) => {
                    let now = self.shared.store().caller(token.reveal());
                    if now.is_ok_and(|now| now.as_ref() != Some(caller)) {
                        return Failure::new(Kind::Unauthenticated, "cannot go on: the token was revoked");
                    }
                }
                Held::Account(project) => {
                    let gone = self.shared.store().project(project).err();
                    if gone.is_some_and(|failure| failure.kind == Kind::NotFound) {
                        return Failure::new(
                            Kind::NotFound,
                            format!("cannot go on: project `{project}` was deleted"),
                        );
                    }
                }
            }
        }
    }
}
