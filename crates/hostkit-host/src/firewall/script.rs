//! The two parts as text for `nft -f`. Nothing but numbers of ours goes into it. Each text is one transaction that puts
//! its part in the place of whatever is there under its names, and touches nothing else; it also works on a machine
//! without the table, so that it may be kept as a file for the next start.

use std::fmt::{Display, Write};
use std::ops::RangeInclusive;

use hostkit_core::project::{ADDON_PORTS, INSTANCE_PORTS, STABLE_PORTS};

use super::{Inbound, Loopback, TABLE};

/// Before the chains of others: what is dropped need not be looked at any further.
const PRIORITY: &str = "filter - 10";

/// Names of one part of the table.
pub(super) struct Part {
    pub(super) chains: &'static [&'static str],
    /// Sets with their type.
    pub(super) sets: &'static [(&'static str, &'static str)],
}

pub(super) const INBOUND: Part = Part {
    chains: &["inbound"],
    sets: &[
        ("open_tcp", "type inet_service;"),
        ("open_udp", "type inet_service;"),
    ],
};

pub(super) const LOOPBACK: Part = Part {
    chains: &["loopback", "loopback_alone"],
    sets: &[
        ("trusted", "type uid;"),
        ("guarded", "type inet_service; flags interval;"),
        ("owned", "type inet_service;"),
        ("owners", "type inet_service . uid;"),
        ("callers", "type inet_service . uid;"),
        ("open", "type inet_service;"),
    ],
};

/// Messages without which IPv4 and IPv6 do not find their way: neighbours, packet sizes, unreachable places.
const INBOUND_RULES: &str = r#"
        iifname "lo" accept
        ct state established,related accept
        ct state invalid drop
        icmp type { destination-unreachable, time-exceeded, parameter-problem, echo-request } accept
        icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request } accept
        icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect } ip6 hoplimit 255 accept
        icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } ip6 saddr fe80::/10 accept
        udp sport 67 udp dport 68 accept
        ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
        tcp dport @open_tcp accept
        udp dport @open_udp accept
"#;

/// The hot path first: only the packets that open a connection are looked at, so that data costs two comparisons.
/// A packet without a known sender matches no `skuid` rule and meets the refusal below it.
/// Of the packets that open one, `syn` is the client's (its destination is judged) and `syn,ack` the answering
/// program's (its source is). UDP has no such packets: answers are told apart by the connection table.
const LOOPBACK_RULES: &str = r#"
        oifname != "lo" accept
        tcp flags & syn == 0 accept
        meta skuid @trusted accept
        tcp flags & (syn | ack) == syn tcp dport . meta skuid @owners accept
        tcp flags & (syn | ack) == syn tcp dport . meta skuid @callers accept
        tcp flags & (syn | ack) == syn tcp dport @open accept
        tcp flags & (syn | ack) == syn tcp dport @guarded reject with tcp reset
        tcp flags & (syn | ack) == (syn | ack) tcp sport . meta skuid @owners accept
        tcp flags & (syn | ack) == (syn | ack) tcp sport @owned drop
        udp sport @owned udp sport . meta skuid != @owners drop
        udp dport . meta skuid @owners accept
        udp dport @guarded ct state established accept
        udp dport @guarded reject
"#;

/// From the network no guarded port is reached, also where no `inbound` part is.
const LOOPBACK_ALONE_RULES: &str = r#"
        iifname "lo" accept
        tcp flags & (syn | ack) == syn tcp dport @guarded drop
"#;

impl Inbound {
    /// The text that puts this in place, by `nft -f`.
    pub fn script(&self) -> String {
        let mut text = replace(&INBOUND);
        open(&mut text, &INBOUND, &[list(&self.tcp), list(&self.udp)]);
        chain(&mut text, "inbound", "input", "drop", INBOUND_RULES);
        text.push_str("}\n");
        text
    }
}

impl Loopback {
    /// The text that puts this in place, by `nft -f`.
    pub fn script(&self) -> String {
        let mut text = replace(&LOOPBACK);
        let ranges = [STABLE_PORTS, ADDON_PORTS, INSTANCE_PORTS];
        let guarded = ranges
            .iter()
            .map(as_range)
            .chain(
                self.owners
                    .keys()
                    // One that is everybody's may have visitors from the network, too.
                    .filter(|port| {
                        !self.open.contains(port) && !ranges.iter().any(|range| range.contains(port))
                    })
                    .map(u16::to_string),
            )
            .collect::<Vec<_>>();
        let owners = self.owners.iter().map(|(port, uid)| format!("{port} . {uid}"));
        let callers = self.callers.iter().map(|(port, uid)| format!("{port} . {uid}"));
        let mut trusted = vec![0, self.front_door];
        trusted.dedup();
        open(
            &mut text,
            &LOOPBACK,
            &[
                list(&trusted),
                list(&guarded),
                list(self.owners.keys()),
                list(owners),
                list(callers),
                list(&self.open),
            ],
        );
        chain(&mut text, "loopback", "output", "accept", LOOPBACK_RULES);
        chain(
            &mut text,
            "loopback_alone",
            "input",
            "accept",
            LOOPBACK_ALONE_RULES,
        );
        text.push_str("}\n");
        text
    }
}

/// The text that takes a part away and leaves the other one.
pub(super) fn remove(part: &Part) -> String {
    replace(part)
}

/// The text that takes the whole table away, whether it is there or not.
pub(super) fn remove_table() -> String {
    format!("add table inet {TABLE}\ndelete table inet {TABLE}\n")
}

/// Takes away what is there under the part's names. Each is added first, which does nothing where it exists: `delete`
/// fails on what is not there, and with it the transaction.
fn replace(part: &Part) -> String {
    let mut text = format!("add table inet {TABLE}\n");
    for chain in part.chains {
        line(&mut text, format_args!("add chain inet {TABLE} {chain}"));
        line(&mut text, format_args!("flush chain inet {TABLE} {chain}"));
    }
    for chain in part.chains {
        line(&mut text, format_args!("delete chain inet {TABLE} {chain}"));
    }
    for (set, kind) in part.sets {
        line(&mut text, format_args!("add set inet {TABLE} {set} {{ {kind} }}"));
        line(&mut text, format_args!("delete set inet {TABLE} {set}"));
    }
    text
}

fn open(text: &mut String, part: &Part, elements: &[String]) {
    line(text, format_args!("table inet {TABLE} {{"));
    for ((set, kind), elements) in part.sets.iter().zip(elements) {
        let elements = match elements.as_str() {
            "" => String::new(),
            some => format!(" elements = {{ {some} }};"),
        };
        line(text, format_args!("    set {set} {{ {kind}{elements} }}"));
    }
}

fn chain(text: &mut String, name: &str, hook: &str, policy: &str, rules: &str) {
    line(text, format_args!("    chain {name} {{"));
    line(
        text,
        format_args!("        type filter hook {hook} priority {PRIORITY}; policy {policy};"),
    );
    text.push_str(rules.trim_start_matches('\n'));
    line(text, format_args!("    }}"));
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = text.write_fmt(what);
    text.push('\n');
}

fn list<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    values.join(", ")
}

fn as_range(range: &RangeInclusive<u16>) -> String {
    format!("{}-{}", range.start(), range.end())
}
