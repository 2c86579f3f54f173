//! A scan of every TCP port of an address.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A packet that is dropped has no answer; one that is answered is so within microseconds, unless whoever answers is busy.
const ANSWER: Duration = Duration::from_secs(2);
const AT_ONCE: u64 = 8000;
/// Where so few are silent, they are asked again a few at a time: too many questions at once may be why.
const FEW: usize = 8000;
const FEW_AT_ONCE: usize = 500;
/// Where more are silent and some are open, a firewall is why, which is silent for ever.
const NEARLY_ALL: usize = 64_000;
const ROUNDS: usize = 5;

/// What became of an attempt.
enum Heard {
    Open,
    Refused,
    Nothing,
}

/// Ports that take a connection, in order.
pub(super) fn open_ports(address: IpAddr) -> Vec<u16> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(scan(address))
}

/// Asks every port, and those that were silent again, as long as one of them answers after all.
async fn scan(address: IpAddr) -> Vec<u16> {
    let at_once = sockets() as usize;
    let mut open = Vec::new();
    let mut silent: Vec<u16> = (1..=u16::MAX).collect();
    for round in 0..ROUNDS {
        let asked = silent.len();
        let at_once = if asked <= FEW {
            at_once.min(FEW_AT_ONCE)
        } else {
            at_once
        };
        let heard = ask(address, std::mem::take(&mut silent), at_once).await;
        for (port, heard) in heard {
            match heard {
                Heard::Open => open.push(port),
                Heard::Refused => {}
                Heard::Nothing => silent.push(port),
            }
        }
        let none_more = round > 0 && silent.len() == asked;
        let is_firewall = silent.len() > NEARLY_ALL && !open.is_empty();
        if silent.is_empty() || none_more || is_firewall {
            break;
        }
    }
    open.sort_unstable();
    open
}

async fn ask(address: IpAddr, ports: Vec<u16>, at_once: usize) -> Vec<(u16, Heard)> {
    let turns = Arc::new(tokio::sync::Semaphore::new(at_once));
    let mut attempts = tokio::task::JoinSet::new();
    for port in ports {
        let turn = turns.clone().acquire_owned().await;
        attempts.spawn(async move {
            let _turn = turn;
            let connecting = tokio::net::TcpStream::connect((address, port));
            let heard = match tokio::time::timeout(ANSWER, connecting).await {
                Ok(Ok(_)) => Heard::Open,
                Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Heard::Refused,
                Ok(Err(error)) if error.raw_os_error() == Some(nix::errno::Errno::EMFILE as i32) => {
                    panic!("cannot scan `{address}`: {error}")
                }
                _ => Heard::Nothing,
            };
            (port, heard)
        });
    }
    attempts.join_all().await
}

/// How many sockets may be open at once, after the soft limit was raised.
fn sockets() -> u64 {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    let wanted = hard.min(AT_ONCE + 1000);
    let soft = if soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok() {
        wanted
    } else {
        soft
    };
    (soft / 2).clamp(100, AT_ONCE)
}
