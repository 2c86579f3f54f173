//! A route table as it may lie on the disk: whatever it is, the front door starts, and no entry brings another one down.

#![no_main]

use hostkit_proxy::fuzzing::load_table;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((routes, _)) = load_table(bytes) else {
        return;
    };
    // One more entry that is fine is served beside whatever is in the table.
    let Ok(mut table) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        return;
    };
    let Some(list) = table.get_mut("routes").and_then(|routes| routes.as_array_mut()) else {
        return;
    };
    let before = load_table(bytes).map(|(_, aside)| aside);
    list.push(serde_json::json!({
        "id": "one-more-entry-that-is-fine", "environment": null, "process": null, "hosts": [], "path_prefix": "/",
        "ports": [], "target": {"type": "nothing", "reason": "stopped"}, "release": null,
        "hold": {"time": "1s", "requests": 5},
    }));
    let Ok(text) = serde_json::to_vec(&table) else {
        return;
    };
    let Some((more, aside)) = load_table(&text) else {
        return;
    };
    if more == routes + 1 && !String::from_utf8_lossy(bytes).contains("one-more-entry") {
        assert_eq!(Some(aside), before);
    }
});
