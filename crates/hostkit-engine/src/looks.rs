//! Looks at something that may not answer, asked by callers who get an answer at once. A look that takes long on a busy
//! machine is no trouble yet: what was found last counts while it goes on, up to a limit.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::context::locked;

/// The longest a caller waits for a look.
const PATIENCE: Duration = Duration::from_millis(80);
/// What has not answered for so long does not work.
const LIMIT: Duration = Duration::from_secs(5);
/// A look is given up then, and the next one begins.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// What is known of one thing. At most one look at it is under way.
pub(crate) struct Looks {
    limit: Duration,
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Default)]
struct State {
    /// When the first of the looks began that have not answered since.
    silent_since: Option<Instant>,
    under_way: bool,
    last: Option<Found>,
}

/// The outcome of a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Why it is not well; nothing where it is.
    pub(crate) problem: Option<String>,
    /// How long the look took.
    pub(crate) took: Duration,
}

impl Default for Looks {
    fn default() -> Self {
        Looks::new(LIMIT)
    }
}

impl Looks {
    fn new(limit: Duration) -> Self {
        Looks {
            limit,
            state: Mutex::default(),
            ended: Notify::new(),
        }
    }

    /// Looks, or joins the look under way, and says what is known after a short while at most.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        look: impl Future<Output = Result<(), String>> + Send + 'static,
    ) -> Found {
        let ended = self.ended.notified();
        tokio::pin!(ended);
        // From here on: a look that ends before it is waited for is not missed.
        ended.as_mut().enable();
        self.begin(look);
        // What is known is read either way.
        let _ = tokio::time::timeout(PATIENCE, ended).await;
        self.known()
    }

    fn begin(self: &Arc<Self>, look: impl Future<Output = Result<(), String>> + Send + 'static) {
        let began = Instant::now();
        {
            let mut state = locked(&self.state);
            if state.under_way {
                return;
            }
            state.under_way = true;
            state.silent_since.get_or_insert(began);
        }
        let own = self.clone();
        tokio::spawn(async move {
            let outcome = tokio::time::timeout(GIVEN_UP, look).await;
            let mut state = locked(&own.state);
            state.under_way = false;
            if let Ok(outcome) = outcome {
                state.silent_since = None;
                state.last = Some(Found {
                    problem: outcome.err(),
                    took: began.elapsed(),
                });
            }
            drop(state);
            own.ended.notify_waiters();
        });
    }

    fn known(&self) -> Found {
        let state = locked(&self.state);
        let silent = state.silent_since.map(|since| since.elapsed());
        match (silent, &state.last) {
            (None, Some(found)) => found.clone(),
            (Some(took), _) if took >= self.limit => Found {
                problem: Some(format!("no answer within {} s", self.limit.as_secs())),
                took,
            },
            (silent, last) => Found {
                problem: last.as_ref().and_then(|found| found.problem.clone()),
                took: silent.unwrap_or_default(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), String>;

    /// Asks for what is there at once, until it is known: on a busy machine that may take more than one call.
    async fn until(looks: &Arc<Looks>, outcome: Outcome) {
        let wanted = outcome.clone().err();
        let begun = Instant::now();
        loop {
            let found = looks.ask(std::future::ready(outcome.clone())).await;
            if found.problem == wanted {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{found:?}, not {wanted:?}"
            );
        }
    }

    #[tokio::test]
    async fn while_a_look_goes_on_what_was_found_last_counts() {
        let looks = Arc::new(Looks::new(Duration::from_secs(3600)));
        for outcome in [Ok(()), Err("broken".to_owned()), Ok(())] {
            until(&looks, outcome.clone()).await;
            let (answer, answered) = tokio::sync::oneshot::channel::<Outcome>();
            let slow = async move { answered.await.unwrap_or(Ok(())) };
            assert_eq!(looks.ask(slow).await.problem, outcome.clone().err());
            // Who asks meanwhile joins the look under way.
            let another = async { Err("asked twice".to_owned()) };
            assert_eq!(looks.ask(another).await.problem, outcome.err());
            answer.send(Err("late".into())).unwrap();
            let begun = Instant::now();
            while locked(&looks.state).under_way {
                assert!(begun.elapsed() < Duration::from_secs(30));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(looks.known().problem.as_deref(), Some("late"));
        }
    }

    #[tokio::test]
    async fn what_is_silent_for_too_long_is_not_well() {
        let looks = Arc::new(Looks::new(Duration::ZERO));
        let (answer, answered) = tokio::sync::oneshot::channel::<Outcome>();
        let slow = async move { answered.await.unwrap_or(Ok(())) };
        let found = looks.ask(slow).await;
        assert_eq!(found.problem.as_deref(), Some("no answer within 0 s"));
        answer.send(Ok(())).unwrap();
        until(&looks, Ok(())).await;
    }
}
