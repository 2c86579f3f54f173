//! What stands between a client and a server on the network, with the faults that networks and storages have.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is done to connections.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Each is cut after the client sent so many bytes.
    CutsSent(usize),
    /// Each is cut after the server sent so many bytes.
    CutsAnswers(usize),
    /// After the client sent so many bytes, nothing goes on.
    Stalls(usize),
    /// The first so many are cut at once.
    CutsFirst(usize),
    /// A text of the server's answers is replaced by another one of its length.
    Says(String, String),
}

/// Passes bytes on to a server. Ends with the runtime of its test.
#[derive(Clone)]
pub(crate) struct Between {
    fault: Arc<Mutex<Fault>>,
    seen: Arc<AtomicUsize>,
    address: SocketAddr,
}

impl Between {
    pub(crate) async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let between = Between {
            fault: Arc::new(Mutex::new(Fault::None)),
            seen: Arc::default(),
            address: listener.local_addr().unwrap(),
        };
        let all = between.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let one = all.clone();
                tokio::spawn(async move { one.pass(client, server).await });
            }
        });
        between
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From the next connection on.
    pub(crate) fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
        self.seen.store(0, Ordering::SeqCst);
    }

    /// How many connections there were since the last fault was set.
    pub(crate) fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    async fn pass(&self, client: TcpStream, server: SocketAddr) {
        let earlier = self.seen.fetch_add(1, Ordering::SeqCst);
        let fault = self.fault.lock().unwrap().clone();
        let (mut sent, mut answers) = (usize::MAX, usize::MAX);
        match fault {
            Fault::CutsFirst(first) if earlier < first => return,
            Fault::CutsSent(bytes) | Fault::Stalls(bytes) => sent = bytes,
            Fault::CutsAnswers(bytes) => answers = bytes,
            _ => {}
        }
        let Ok(server) = TcpStream::connect(server).await else {
            return;
        };
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let instead = match &fault {
            Fault::Says(truth, lie) => Some((truth.as_bytes(), lie.as_bytes())),
            _ => None,
        };
        let up = async {
            carry(&mut from_client, &mut to_server, sent, None).await;
            if matches!(fault, Fault::Stalls(_)) {
                std::future::pending::<()>().await;
            }
        };
        // The first to end cuts both.
        tokio::select! {
            () = up => {}
            () = carry(&mut from_server, &mut to_client, answers, instead) => {}
        }
    }
}

/// Carries so many bytes, or until one side ends. A text that two reads have half of is not replaced: heads of answers
/// come in one.
async fn carry(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut most: usize,
    instead: Option<(&[u8], &[u8])>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while most > 0 {
        let room = buffer.len().min(most);
        let Ok(read @ 1..) = from.read(&mut buffer[..room]).await else {
            return;
        };
        most -= read;
        if let Some((truth, lie)) = instead {
            assert_eq!(truth.len(), lie.len());
            if let Some(at) = buffer[..read].windows(truth.len()).position(|part| part == truth) {
                buffer[at..at + truth.len()].copy_from_slice(lie);
            }
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
