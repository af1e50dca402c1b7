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

#[derive(Clone)]
pub(super) struct Socket {
    stream: Arc<TcpStream>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream: Arc::new(stream) }
    }

    /// The half that the protocol reads and writes; an answer must move within `stall`.
    pub(super) fn io(&self, stall: Duration) -> SocketIo {
        SocketIo { stream: self.stream.clone(), stall, stalled: None, buffer: vec![0; 8 * 1024].into() }
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
    stalled: Option<Pin<Box<Sleep>>>,
    buffer: Box<[u8]>,
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
                let stalled = this.stalled.get_or_insert_with(|| Box::pin(sleep(this.stall)));
                ready!(stalled.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            match this.stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    this.stalled = None;
                    return Poll::Ready(result);
                }
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Left to [`Socket::close`].
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
