//! Events.

use hostkit_api::endpoints::{ListEnvironmentEvents, ListEvents};
use hostkit_api::event::EventsQuery;
use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;
use hostkit_engine::Events;
use hostkit_store::EventQuery;

use crate::auth::Admitted;

/// The most events of one answer, and how many there are where nothing is said.
const MOST: u32 = 1000;
const USUAL: u32 = 50;

fn query(asked: &EventsQuery, environment: Option<&EnvironmentId>) -> EventQuery {
    let last = match (asked.last, asked.after) {
        (Some(last), _) => last.min(MOST),
        (None, Some(_)) => MOST,
        (None, None) => USUAL,
    };
    EventQuery {
        environment: environment.cloned(),
        after: asked.after,
        last: Some(last as usize),
        ..EventQuery::default()
    }
}

pub(crate) async fn of_installation(call: Admitted<ListEvents>) -> Result<Events, Failure> {
    let asked = call.query();
    call.shared().engine.events(&query(asked, None), asked.follow)
}

pub(crate) async fn of_environment(call: Admitted<ListEnvironmentEvents>) -> Result<Events, Failure> {
    let (shared, asked) = (call.shared(), call.query());
    shared.store().environment(call.target())?;
    shared
        .engine
        .events(&query(asked, Some(call.target())), asked.follow)
}
