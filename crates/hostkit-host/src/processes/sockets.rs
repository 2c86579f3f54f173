//! Where processes listen: `/proc/net/tcp` says which sockets listen, `/proc/PID/fd` whose they are.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// TCP addresses on which any of these processes listens, sorted.
pub fn listening(pids: &[u32]) -> Vec<SocketAddr> {
    let own: HashSet<u64> = pids.iter().flat_map(|pid| sockets_of(*pid)).collect();
    if own.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<SocketAddr> = ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/net/{table}")).ok())
        .flat_map(|text| text.lines().filter_map(listener).collect::<Vec<_>>())
        .filter(|(_, inode)| own.contains(inode))
        .map(|(address, _)| address)
        .collect();
    found.sort();
    found.dedup();
    found
}

fn sockets_of(pid: u32) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?;
            target
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')?
                .parse()
                .ok()
        })
        .collect()
}

/// One line of the table, if its socket listens: `0: 0100007F:1F90 00000000:0000 0A … inode …`.
fn listener(line: &str) -> Option<(SocketAddr, u64)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if *fields.get(3)? != "0A" {
        return None;
    }
    let (address, port) = fields[1].split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((
        SocketAddr::new(parse_address(address)?, port),
        fields.get(9)?.parse().ok()?,
    ))
}

/// Addresses stand there as words of 32 bits in the machine's byte order.
fn parse_address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for part in 0..4 {
                bytes[part * 4..part * 4 + 4].copy_from_slice(&word(part * 8)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}
