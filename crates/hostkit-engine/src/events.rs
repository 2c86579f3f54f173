//! Following events: what happened from the state, then what happens as it is told.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream;
use hostkit_core::event::Event;
use hostkit_core::kind::Failure;
use hostkit_store::EventQuery;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::Events;
use crate::context::Context;

struct Follower {
    context: Arc<Context>,
    query: EventQuery,
    ready: VecDeque<Event>,
    news: Option<broadcast::Receiver<Event>>,
}

pub(crate) fn stream(context: &Arc<Context>, query: &EventQuery, follow: bool) -> Result<Events, Failure> {
    // Subscribed before the look into the state: nothing falls in between, and what comes twice is dropped.
    let news = follow.then(|| context.events.subscribe());
    let ready: VecDeque<Event> = context.parts.store.events(query)?.into();
    let mut query = query.clone();
    query.after = ready.back().map(|event| event.id).or(query.after);
    let follower = Follower {
        context: context.clone(),
        query,
        ready,
        news,
    };
    Ok(Box::pin(stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((event, follower))
    })))
}

impl Follower {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.query.after = Some(event.id);
                return Some(event);
            }
            match self.news.as_mut()?.recv().await {
                Ok(event) if self.query.matches(&event) => self.ready.push_back(event),
                Ok(_) => {}
                // Too slow: the state has what was missed.
                Err(RecvError::Lagged(_)) => {
                    let missed = EventQuery {
                        last: Some(usize::MAX),
                        ..self.query.clone()
                    };
                    self.ready = self.context.parts.store.events(&missed).ok()?.into();
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
