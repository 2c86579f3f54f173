//! A WebSocket that is used now and then, from another thread.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hostkit_testkit::tls;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;

/// One that goes on until it is told to stop, or does not any more.
pub(crate) struct Socket {
    stop: oneshot::Sender<()>,
    echoes: Arc<AtomicU32>,
    thread: std::thread::JoinHandle<Result<(), String>>,
}

impl Socket {
    pub(crate) fn open(port: u16, host: &str) -> Self {
        Self::begin(port, host, false)
    }

    /// The same over TLS.
    pub(crate) fn open_tls(port: u16, host: &str) -> Self {
        Self::begin(port, host, true)
    }

    fn begin(port: u16, host: &str, is_tls: bool) -> Self {
        let (stop, stopped) = oneshot::channel();
        let echoes = Arc::new(AtomicU32::new(0));
        let (counted, host) = (Arc::clone(&echoes), host.to_owned());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                    .await
                    .map_err(|e| e.to_string())?;
                let url = format!("://{host}:{port}/ws");
                if !is_tls {
                    return talk(format!("ws{url}"), stream, &counted, stopped).await;
                }
                let connector = TlsConnector::from(Arc::new(tls::client(&["http/1.1"])));
                let name = ServerName::try_from(host).map_err(|e| e.to_string())?;
                let stream = connector.connect(name, stream).await;
                talk(
                    format!("wss{url}"),
                    stream.map_err(|e| e.to_string())?,
                    &counted,
                    stopped,
                )
                .await
            })
        });
        Socket { stop, echoes, thread }
    }

    /// Waits for so many further echoes.
    #[track_caller]
    pub(crate) fn echoes(&self, more: u32) {
        let before = self.echoes.load(Ordering::Relaxed);
        super::wait_until("the socket echoes", || {
            let is_over = self.thread.is_finished();
            assert!(!is_over, "the socket ended");
            self.echoes.load(Ordering::Relaxed) >= before + more
        });
    }

    /// Ends it, which nobody did before.
    #[track_caller]
    pub(crate) fn finish(self) {
        self.stop.send(()).ok();
        self.thread.join().unwrap().unwrap();
        let echoes = self.echoes.load(Ordering::Relaxed);
        assert!(echoes > 5, "the socket hardly ran");
    }

    /// Waits until the other side ends it, and says how.
    #[track_caller]
    pub(crate) fn lost(self) -> String {
        super::wait_until("the socket is ended", || self.thread.is_finished());
        self.thread.join().unwrap().unwrap_err()
    }
}

async fn talk(
    url: String,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    echoes: &AtomicU32,
    mut stopped: oneshot::Receiver<()>,
) -> Result<(), String> {
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream)
        .await
        .map_err(|e| e.to_string())?;
    loop {
        let seen = echoes.load(Ordering::Relaxed);
        let text = format!("ping {seen}");
        socket
            .send(Message::text(text.clone()))
            .await
            .map_err(|e| e.to_string())?;
        match tokio::time::timeout(Duration::from_secs(30), socket.next()).await {
            Ok(Some(Ok(Message::Text(echo)))) if echo.as_str() == text => {
                echoes.store(seen + 1, Ordering::Relaxed);
            }
            other => return Err(format!("after {seen} echoes: {other:?}")),
        }
        tokio::select! {
            _ = &mut stopped => return Ok(()),
            () = tokio::time::sleep(Duration::from_millis(50)) => (),
        }
    }
}
