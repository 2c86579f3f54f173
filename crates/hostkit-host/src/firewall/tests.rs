use super::listing::Listing;
use super::script::{self, INBOUND, LOOPBACK};
use super::*;

fn inbound() -> Inbound {
    Inbound {
        tcp: [22, 80, 443].into(),
        udp: [].into(),
    }
}

fn loopback() -> Loopback {
    Loopback {
        front_door: 998,
        owners: [
            (6543, 30001),
            (8001, 1001),
            (9001, 1001),
            (15000, 30002),
            (20500, 1002),
        ]
        .into(),
        callers: [(15000, 1001), (15000, 30001)].into(),
        open: [6543].into(),
    }
}

#[test]
fn the_network_reaches_what_is_declared_and_nothing_else() {
    let text = inbound().script();
    assert!(text.contains("set open_tcp { type inet_service; elements = { 22, 80, 443 }; }"));
    assert!(text.contains("set open_udp { type inet_service; }"));
    assert!(text.contains("hook input priority filter - 10; policy drop;"));
    assert!(!text.contains("flush ruleset"));
}

#[test]
fn a_port_outside_of_the_ranges_is_guarded_with_its_owner() {
    let text = loopback().script();
    assert!(text.contains("elements = { 8001-8999, 15000-19999, 20000-31999, 9001 };"));
    let owners = "elements = { 6543 . 30001, 8001 . 1001, 9001 . 1001, 15000 . 30002, 20500 . 1002 };";
    assert!(text.contains(owners));
    assert!(text.contains("elements = { 15000 . 1001, 15000 . 30001 };"));
    assert!(text.contains("set open { type inet_service; elements = { 6543 }; }"));
    assert!(text.contains("set trusted { type uid; elements = { 0, 998 }; }"));
}

#[test]
fn nothing_but_our_own_table_is_named() {
    let texts = [
        inbound().script(),
        loopback().script(),
        script::remove(&INBOUND),
        script::remove_table(),
    ];
    for text in texts {
        for line in text.lines() {
            let acts = ["add ", "delete ", "flush ", "table "]
                .iter()
                .any(|verb| line.starts_with(verb));
            assert!(!acts || line.contains("inet hostkit"), "{line}");
        }
    }
}

const LISTED: &str = r#"{"nftables": [
    {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
    {"table": {"family": "inet", "name": "hostkit", "handle": 3}},
    {"set": {"family": "inet", "name": "trusted", "table": "hostkit", "type": "uid", "handle": 1, "elem": [0, 998]}},
    {"set": {"family": "inet", "name": "guarded", "table": "hostkit", "type": "inet_service", "handle": 2,
        "flags": ["interval"], "elem": [{"range": [8001, 8999]}, 9001, {"range": [20000, 31999]}]}},
    {"set": {"family": "inet", "name": "owners", "table": "hostkit", "type": ["inet_service", "uid"], "handle": 4,
        "elem": [{"concat": [8001, 1001]}, {"elem": {"val": {"concat": [9001, 1001]}, "comment": "x"}},
        {"concat": [20500, 1002]}, {"concat": [15000, 30002]}, {"concat": [6543, 30001]}]}},
    {"set": {"family": "inet", "name": "callers", "table": "hostkit", "type": ["inet_service", "uid"], "handle": 9,
        "elem": [{"concat": [15000, 1001]}, {"concat": [15000, 30001]}]}},
    {"set": {"family": "inet", "name": "open", "table": "hostkit", "type": "inet_service", "handle": 10,
        "elem": [6543]}},
    {"set": {"family": "inet", "name": "open_tcp", "table": "hostkit", "type": "inet_service", "handle": 5,
        "elem": [443, 22, 80]}},
    {"set": {"family": "inet", "name": "open_udp", "table": "hostkit", "type": "inet_service", "handle": 6}},
    {"chain": {"family": "inet", "table": "hostkit", "name": "inbound", "handle": 7, "policy": "drop"}},
    {"rule": {"family": "inet", "table": "hostkit", "chain": "inbound", "handle": 8, "expr": [{"accept": null}]}}
]}"#;

#[test]
fn a_listing_is_read() {
    let listing = Listing::parse(LISTED.as_bytes()).unwrap();
    assert_eq!(listing.inbound(), Some(inbound()));
    assert_eq!(listing.loopback(), Some(loopback()));
    assert_eq!(listing.part(&INBOUND).len(), 4);
    assert_eq!(listing.part(&LOOPBACK).len(), 5);
}

#[test]
fn handles_and_the_order_of_elements_make_no_difference_and_a_rule_does() {
    let part = |text: &str| Listing::parse(text.as_bytes()).unwrap().part(&INBOUND);
    let again = LISTED
        .replace("\"handle\": 8", "\"handle\": 19")
        .replace("443, 22, 80", "22, 80, 443");
    assert_eq!(part(LISTED), part(&again));
    assert_ne!(part(LISTED), part(&LISTED.replace("accept", "drop")));
    assert_ne!(part(LISTED), part(&LISTED.replace("443, 22, 80", "443, 22")));
}

#[test]
fn what_is_no_listing_is_not_taken_for_one() {
    for text in [
        "",
        "null",
        "{}",
        "[]",
        "{\"nftables\": 3}",
        "{\"nftables\": [3]}",
        "{\"nftables\": [",
    ] {
        assert_eq!(Listing::parse(text.as_bytes()), None, "{text}");
    }
    let odd = r#"{"nftables": [{"set": {"name": "open_tcp", "elem": [70000]}}, {"set": {"name": "open_udp"}},
        {"set": {"name": "trusted", "elem": ["root"]}}, {"set": {"name": "owners", "elem": [{"concat": [1]}]}}]}"#;
    let listing = Listing::parse(odd.as_bytes()).unwrap();
    assert_eq!(listing.inbound(), None);
    assert_eq!(listing.loopback(), None);
}
