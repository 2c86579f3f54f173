//! Bytes between a thread that reads or writes and a task that passes them on: piece by piece, few of them waiting.

use std::io::{self, Cursor, Read, Write};

use tokio::sync::mpsc;

/// Bytes that travel at once.
const PIECE: usize = 64 * 1024;
/// Pieces that wait for whoever reads more slowly.
const WAITING: usize = 4;

/// What a thread writes, as it goes to whoever takes it. The last bytes go when it is flushed.
pub struct PieceWriter {
    to: mpsc::Sender<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
}

/// Pieces that arrive, as a thread reads them.
pub struct PieceReader<T> {
    pieces: mpsc::Receiver<io::Result<T>>,
    piece: Option<Cursor<T>>,
}

impl PieceWriter {
    /// A writer, and where its pieces come out. Where nobody takes them any more, writing fails.
    pub fn new() -> (Self, mpsc::Receiver<io::Result<Vec<u8>>>) {
        let (to, pieces) = mpsc::channel(WAITING);
        let writer = PieceWriter {
            to,
            piece: Vec::with_capacity(PIECE),
        };
        (writer, pieces)
    }

    /// Ends the pieces with an error. Where nobody takes them any more, nobody is told.
    pub fn fail(&mut self, why: io::Error) {
        drop(self.to.blocking_send(Err(why)));
    }
}

impl Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.to
            .blocking_send(Ok(piece))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl<T> PieceReader<T> {
    /// A reader, and where its pieces are put. They have ended when nobody can put any more.
    pub fn new() -> (mpsc::Sender<io::Result<T>>, Self) {
        let (to, pieces) = mpsc::channel(WAITING);
        (to, PieceReader { pieces, piece: None })
    }
}

impl<T: AsRef<[u8]>> Read for PieceReader<T> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(piece) = &mut self.piece {
                let read = piece.read(out)?;
                if read > 0 || out.is_empty() {
                    return Ok(read);
                }
            }
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = Some(Cursor::new(piece?)),
                None => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_and_an_error_is_no_end() {
        let (mut writer, mut pieces) = PieceWriter::new();
        let (to, mut reader) = PieceReader::new();
        let bytes: Vec<u8> = (0..300_000_u32).map(|at| at as u8).collect();
        let sent = bytes.clone();
        let writing = tokio::task::spawn_blocking(move || {
            writer.write_all(&sent).unwrap();
            writer.flush().unwrap();
            writer.fail(io::ErrorKind::ConnectionReset.into());
        });
        let reading = tokio::task::spawn_blocking(move || {
            let mut read = vec![0; 300_000];
            reader.read_exact(&mut read).unwrap();
            (read, reader.read(&mut [0]).unwrap_err().kind())
        });
        while let Some(piece) = pieces.recv().await {
            to.send(piece).await.unwrap();
        }
        drop(to);
        writing.await.unwrap();
        assert_eq!(reading.await.unwrap(), (bytes, io::ErrorKind::ConnectionReset));
    }

    #[tokio::test]
    async fn nobody_writes_for_nobody() {
        let (mut writer, pieces) = PieceWriter::new();
        drop(pieces);
        let written = tokio::task::spawn_blocking(move || writer.write_all(&[0; 2 * PIECE]));
        assert_eq!(
            written.await.unwrap().unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }
}
