//! A scan of every TCP port of an address.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A packet that is dropped has no answer; one that is answered is so within microseconds, here.
const ANSWER: Duration = Duration::from_secs(2);
const AT_ONCE: u64 = 8000;

/// Ports that take a connection, in order.
pub(super) fn open_ports(address: IpAddr) -> Vec<u16> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(scan(address))
}

async fn scan(address: IpAddr) -> Vec<u16> {
    let turns = Arc::new(tokio::sync::Semaphore::new(sockets() as usize));
    let mut attempts = tokio::task::JoinSet::new();
    for port in 1..=u16::MAX {
        let turn = turns.clone().acquire_owned().await;
        attempts.spawn(async move {
            let _turn = turn;
            let connecting = tokio::net::TcpStream::connect((address, port));
            match tokio::time::timeout(ANSWER, connecting).await {
                Ok(Ok(_)) => Some(port),
                Ok(Err(error)) if error.raw_os_error() == Some(nix::errno::Errno::EMFILE as i32) => {
                    panic!("cannot scan `{address}`: {error}")
                }
                _ => None,
            }
        });
    }
    let mut open: Vec<u16> = attempts.join_all().await.into_iter().flatten().collect();
    open.sort_unstable();
    open
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
