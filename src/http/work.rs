//! Answers that take milliseconds: made away from the thread that serves, few at once, and few of the large ones in memory.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::reply::{closing, error, reply};

/// Answers of one kind that are made at once.
const AT_ONCE: usize = 2;
/// An answer of this size keeps its turn until it has been sent, so that slow readers cannot fill the memory with them.
const LARGE: usize = 1 << 20;

/// Where answers of one kind wait for their turn. Each kind has its own, so that none holds up another.
#[derive(Clone)]
pub(super) struct Work {
    turns: Arc<Semaphore>,
    patience: Duration,
}

impl Work {
    /// Answers that wait for their turn longer than `patience` become 503.
    pub(super) fn new(patience: Duration) -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), patience }
    }

    /// What `make` makes; nothing stands for a failure.
    pub(super) async fn answer(
        &self,
        content_type: &'static str,
        make: impl FnOnce() -> Vec<u8> + Send + 'static,
    ) -> Response {
        let Ok(Ok(turn)) = timeout(self.patience, self.turns.clone().acquire_owned()).await else {
            let busy = error(StatusCode::SERVICE_UNAVAILABLE, "BUSY", "too many answers of this kind are under way");
            return closing(busy);
        };
        // The turn goes with the work: who asked may be gone before it is done.
        let made = tokio::task::spawn_blocking(move || (make(), turn));
        match made.await {
            Ok((body, turn)) if body.len() >= LARGE => {
                reply(StatusCode::OK, content_type, Body::new(Held { left: body.into(), _turn: turn }))
            }
            Ok((body, _)) if !body.is_empty() => reply(StatusCode::OK, content_type, body),
            _ => error(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "the answer could not be written"),
        }
    }
}

/// A body that keeps its turn until the connection has taken all of it.
struct Held {
    left: Bytes,
    _turn: OwnedSemaphorePermit,
}

/// What is handed over at once: small enough for the connection to ask for the next part only when it has sent this one.
const PART: usize = 256 * 1024;

impl HttpBody for Held {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let part = self.left.len().min(PART);
        Poll::Ready((part != 0).then(|| Ok(Frame::data(self.left.split_to(part)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
