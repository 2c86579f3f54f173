//! Roads to a server on this machine: who takes one is counted, and it can be closed. And servers at its end that speak
//! something else than was expected.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A road, open at first. It is there for as long as the test's tasks are.
#[derive(Debug)]
pub struct Road {
    /// Where it begins, on 127.0.0.1.
    pub port: u16,
    open: watch::Sender<bool>,
    taken: Arc<AtomicUsize>,
}

impl Road {
    /// One to what listens on a port of 127.0.0.1.
    pub async fn to(server: u16) -> Self {
        let (listener, port) = listen().await;
        let (open, is_open) = watch::channel(true);
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = taken.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(lead(client, server, is_open.clone()));
            }
        });
        Road { port, open, taken }
    }

    /// How many connections came so far.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Opens or closes it. Connections on one that is closed are cut, and new ones end at once.
    pub fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("it has an address").port();
    (listener, port)
}

async fn lead(mut client: TcpStream, server: u16, mut is_open: watch::Receiver<bool>) {
    let passed = async {
        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await?;
        copy_bidirectional(&mut client, &mut server).await
    };
    tokio::select! {
        biased;
        // Also where it is closed already.
        _ = is_open.wait_for(|open| !open) => {}
        _ = passed => {}
    }
}

/// What a server answers that is none of those that are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// What it is told.
    Echo,
    /// A page of the web.
    Page,
    /// What a server of SSH says first.
    Greeting,
    /// Nothing: it hangs up.
    Silence,
}

impl Stranger {
    /// All of them.
    pub const ALL: [Stranger; 4] = [
        Stranger::Echo,
        Stranger::Page,
        Stranger::Greeting,
        Stranger::Silence,
    ];

    /// One of each, serving: `127.0.0.1:PORT`.
    pub async fn all_places() -> Vec<String> {
        let mut places = Vec::new();
        for stranger in Stranger::ALL {
            places.push(format!("127.0.0.1:{}", stranger.start().await));
        }
        places
    }

    /// Begins to serve; the port on 127.0.0.1.
    pub async fn start(self) -> u16 {
        let (listener, port) = listen().await;
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(self.answer(client));
            }
        });
        port
    }

    async fn answer(self, mut client: TcpStream) {
        let said: &[u8] = match self {
            Stranger::Silence => return,
            Stranger::Echo => {
                let (mut from, mut to) = client.split();
                // Ends when the other side has enough.
                let _ = tokio::io::copy(&mut from, &mut to).await;
                return;
            }
            Stranger::Page => b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nhello\n",
            Stranger::Greeting => b"SSH-2.0-stranger\r\n",
        };
        if self == Stranger::Page {
            let _ = client.read(&mut [0; 1024]).await;
        }
        // The other side may be gone already.
        let _ = client.write_all(said).await;
        let _ = client.shutdown().await;
        let _ = client.read_to_end(&mut Vec::new()).await;
    }
}
