//! What the start of the command line costs. The bound is far above what it takes, and holds on a busy machine.

use std::time::{Duration, Instant};

use crate::api::Api;

#[test]
fn starting_costs_next_to_nothing() {
    let api = Api::start();
    let best = (0..10)
        .map(|_| {
            let began = Instant::now();
            api.run(&["version"]).ok();
            began.elapsed()
        })
        .min()
        .unwrap();
    assert!(best < Duration::from_millis(150), "{best:?}");
}
