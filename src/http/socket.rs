//! A connection that can still be spoken to when the protocol has given up on it, and that gives up on a client that does
//! not read.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// Most that is read and thrown away of what a client sends after its last answer.
const DRAINED: usize = 16 << 20;

/// A reader that takes less than this within the time for an answer to move is too slow: it would hold the answer for ever.
const LEAST: usize = 256 * 1024;
/// What the system holds of an answer, about. With the megabytes that it would take by itself, a slow but honest reader would
/// seem to stand still while it empties them, and a thousand of them would cost gigabytes.
const SEND_BUFFER: usize = 128 * 1024;

#[derive(Clone)]
pub(super) struct Socket {
    stream: Arc<TcpStream>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        // Without them answers are only later, or buffers larger.
        let _ = stream.set_nodelay(true);
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER);
        Self { stream: Arc::new(stream) }
    }

    /// The half that the protocol reads and writes; while an answer waits for its reader, [`LEAST`] bytes must go in each
    /// `stall`.
    pub(super) fn io(&self, stall: Duration) -> SocketIo {
        SocketIo { stream: self.stream.clone(), stall, stalled: None, moved: 0, buffer: vec![0; 8 * 1024].into() }
    }

    /// Says a last word, as far as it goes without waiting.
    pub(super) fn say(&self, text: &str) {
        // A client that does not read does not get it.
        let _ = self.stream.try_write(text.as_bytes());
    }

    /// Ends the answer and reads on for a while: closing a socket with unread bytes resets it, and the client may lose the
    /// answer that tells it what was wrong.
    pub(super) async fn close(self, patience: Duration) {
        // A socket that is gone is closed.
        let _ = rustix::net::shutdown(&*self.stream, rustix::net::Shutdown::Write);
        let drain = async {
            let (mut buffer, mut left) = ([0; 4096], DRAINED);
            while self.stream.readable().await.is_ok() {
                match self.stream.try_read(&mut buffer) {
                    Ok(0) => return,
                    Ok(n) => left = left.saturating_sub(n),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
                if left == 0 {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(patience, drain).await;
    }
}

pub(super) struct SocketIo {
    stream: Arc<TcpStream>,
    stall: Duration,
    /// Runs since an answer had to wait for its reader.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Bytes that went since then.
    moved: usize,
    buffer: Box<[u8]>,
}

impl SocketIo {
    fn clear(&mut self) {
        self.stalled = None;
        self.moved = 0;
    }
}

impl Read for SocketIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut out: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let room = out.remaining().min(this.buffer.len());
        loop {
            ready!(this.stream.poll_read_ready(cx))?;
            match this.stream.try_read(&mut this.buffer[..room]) {
                Ok(n) => {
                    out.put_slice(&this.buffer[..n]);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Write for SocketIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        loop {
            if this.stream.poll_write_ready(cx)?.is_pending() {
                let stalled = this.stalled.get_or_insert_with(|| {
                    this.moved = 0;
                    Box::pin(sleep(this.stall))
                });
                ready!(stalled.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            match this.stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    this.moved += *result.as_ref().unwrap_or(&0);
                    if this.moved >= LEAST {
                        this.clear();
                    }
                    return Poll::Ready(result);
                }
            }
        }
    }

    /// All that there was to write has been written.
    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.clear();
        Poll::Ready(Ok(()))
    }

    /// Left to [`Socket::close`].
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
