use serde_json::json;

use super::text::Exposition;
use super::*;

fn route(id: &str, process: Option<&str>) -> Route {
    serde_json::from_value(json!({
        "id": id, "environment": null, "process": process, "hosts": [], "path_prefix": "/", "ports": [],
        "target": {"type": "nothing", "reason": "stopped"}, "release": null, "hold": {"time": "1s", "requests": 5},
    }))
    .unwrap()
}

fn finished(status: u16, millis: u64) -> Finished {
    Finished {
        status,
        received: 10,
        sent: 100,
        duration: Some(Duration::from_millis(millis)),
        upstream: None,
    }
}

fn text(all: &AllSeries) -> String {
    let mut exposition = Exposition::default();
    exposition.routes(all);
    exposition.finish()
}

#[test]
fn threads_count_apart_and_are_read_together() {
    let all = AllSeries::new(2);
    let series = all.of(&route("a", None));
    series.count(0, &finished(200, 1));
    series.count(1, &finished(204, 3));
    series.count(1, &finished(999, 60_000));
    series.count(1, &finished(0, 2));
    let text = text(&all);
    let labels = "route=\"a\",project=\"\",environment=\"\",process=\"\"";
    for line in [
        format!("hostkit_proxy_requests_total{{{labels},code=\"2xx\"}} 2"),
        format!("hostkit_proxy_requests_total{{{labels},code=\"5xx\"}} 1"),
        format!("hostkit_proxy_requests_total{{{labels},code=\"1xx\"}} 1"),
        format!("hostkit_proxy_received_bytes_total{{{labels}}} 40"),
        format!("hostkit_proxy_sent_bytes_total{{{labels}}} 400"),
        format!("hostkit_proxy_request_duration_seconds_bucket{{{labels},le=\"0.001\"}} 1"),
        format!("hostkit_proxy_request_duration_seconds_bucket{{{labels},le=\"0.002\"}} 2"),
        format!("hostkit_proxy_request_duration_seconds_bucket{{{labels},le=\"0.005\"}} 3"),
        format!("hostkit_proxy_request_duration_seconds_bucket{{{labels},le=\"30\"}} 3"),
        format!("hostkit_proxy_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 4"),
        format!("hostkit_proxy_request_duration_seconds_sum{{{labels}}} 60.006000"),
        format!("hostkit_proxy_request_duration_seconds_count{{{labels}}} 4"),
        format!("hostkit_proxy_upstream_duration_seconds_count{{{labels}}} 0"),
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
}

#[test]
fn a_route_keeps_its_series_until_it_leaves_or_changes_its_labels() {
    let all = AllSeries::new(1);
    let first = all.of(&route("a", None));
    assert!(Arc::ptr_eq(&first, &all.of(&route("a", None))));
    assert!(!Arc::ptr_eq(&first, &all.of(&route("a", Some("web")))));
    all.of(&route("b", None)).count(0, &finished(200, 1));
    all.keep(|id| id == "a");
    assert!(!text(&all).contains("\"b\""));
}

#[test]
fn a_name_cannot_end_its_label() {
    let all = AllSeries::new(1);
    all.of(&route("a\"} 1\nb\\", None)).count(0, &finished(200, 1));
    let text = text(&all);
    assert!(text.contains(r#"{route="a\"} 1\nb\\",project"#), "{text}");
    assert!(
        text.lines()
            .all(|line| line.starts_with("# ") || line.starts_with("hostkit_proxy_"))
    );
}
