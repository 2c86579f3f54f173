//! What addresses mean.

use super::*;
use crate::domain::AddressesFrom;

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn own(texts: &[&str]) -> OwnAddresses {
    OwnAddresses {
        addresses: addresses(texts),
        from: AddressesFrom::Interfaces,
    }
}

fn shown(records: &[DnsRecord]) -> Vec<String> {
    let lines = records.iter();
    lines
        .map(|r| format!("{} {} {}", r.kind, r.name, r.value))
        .collect()
}

#[test]
fn the_records_to_set_are_named_exactly() {
    let host: DomainName = "www.example.org".parse().unwrap();
    let both = ["9.9.9.9", "2620:fe::9"];
    for (own_addresses, found, state, set, remove) in [
        (&both[..], &both[..], DnsState::Here, &[][..], &[][..]),
        // One kind of address is enough.
        (&both, &["9.9.9.9"], DnsState::Here, &[], &[]),
        (
            &both,
            &[],
            DnsState::Missing,
            &["A www.example.org 9.9.9.9", "AAAA www.example.org 2620:fe::9"],
            &[],
        ),
        (
            &["9.9.9.9"],
            &["8.8.8.8"],
            DnsState::Elsewhere,
            &["A www.example.org 9.9.9.9"],
            &["A www.example.org 8.8.8.8"],
        ),
        (
            &["9.9.9.9"],
            &both,
            DnsState::Partly,
            &[],
            &["AAAA www.example.org 2620:fe::9"],
        ),
        (&[], &["9.9.9.9"], DnsState::Unknown, &[], &[]),
    ] {
        let report = compare(&host, Ok(addresses(found)), &own(own_addresses));
        assert_eq!(report.dns, state, "{found:?}");
        assert_eq!(shown(&report.set), set);
        assert_eq!(shown(&report.remove), remove);
        assert!(!report.ok);
    }
    let silent = compare(&host, Err("no answer within 5s".into()), &own(&both));
    assert_eq!(silent.dns, DnsState::Unknown);
    assert_eq!(
        silent.problems,
        ["the DNS did not answer for `www.example.org`: no answer within 5s"]
    );
}

#[test]
fn nobody_sends_hostkit_to_what_only_this_machine_reaches() {
    for public in [
        "9.9.9.9",
        "8.8.8.8",
        "2620:fe::9",
        "2a00:1450:4001::1",
        "2002:909:909::1",
    ] {
        assert!(is_public(public.parse().unwrap()), "{public}");
    }
    for special in [
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "198.18.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "203.0.113.7",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "fe80::1",
        "fd00::1",
        "fc00::1",
        "ff02::1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:db8::1",
    ] {
        let special: IpAddr = special.parse().unwrap();
        assert!(!is_public(special), "{special}");
        assert!(!may_be_asked(special, &own(&["9.9.9.9"])), "{special}");
        let mine = OwnAddresses {
            addresses: vec![special],
            from: AddressesFrom::Loopback,
        };
        assert!(may_be_asked(special, &mine));
    }
}
