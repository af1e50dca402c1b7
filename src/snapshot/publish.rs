//! The latest snapshot, for everyone who reads.
//!
//! A [`Publisher`] keeps one snapshot that all exporters read: with one load, however many ask and however often. It is
//! replaced as a whole by [`Publisher::publish_now`], or at an interval by a thread that [`Publisher::start`] starts.
//!
//! Publications come one after the other, so that an older snapshot never replaces a newer one and no counter falls from
//! one to the next.

use std::io;
use std::ops::Deref;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Snapshot;
use crate::clock::Clock;
use crate::event::Event;
use crate::guard::PeerGuard;
use crate::sync::{Mutex, Swap};

/// Events that a publication carries.
const EVENTS: usize = 256;

/// A snapshot as it was published.
#[derive(Debug)]
pub struct Published {
    snapshot: Snapshot,
    events: Vec<Event>,
    number: u64,
    taken: u64,
    clock: Clock,
}

impl Published {
    fn take(guard: &PeerGuard, before: Option<&Self>) -> Self {
        let clock = guard.clock().clone();
        let taken = clock.now();
        let mut snapshot = guard.snapshot();
        if let Some(before) = before {
            snapshot.counted.never_below(&before.snapshot.counted);
        }
        let events = guard.newest_events(EVENTS);
        Self { snapshot, events, number: before.map_or(0, |before| before.number + 1), taken, clock }
    }

    /// How long ago the snapshot was taken, by the guard's clock.
    #[must_use]
    pub fn age(&self) -> Duration {
        Duration::from_nanos(self.clock.now().saturating_sub(self.taken))
    }

    /// Number of the publication, from 0.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The newest events, at most 256, oldest first.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }
}

impl Deref for Published {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}

/// Publishes a guard's snapshots. Cheap to clone; all clones publish to the same readers.
#[derive(Clone)]
pub struct Publisher {
    desk: Arc<Desk>,
}

struct Desk {
    guard: PeerGuard,
    board: Board<Published>,
}

/// The latest of what is published, each of which follows from the one before.
pub(crate) struct Board<T> {
    latest: Swap<T>,
    /// Held while the next one is made and published.
    turn: Mutex<()>,
}

impl<T> Board<T> {
    pub(crate) fn new(first: T) -> Self {
        Self { latest: Swap::new(Arc::new(first)), turn: Mutex::new(()) }
    }

    pub(crate) fn latest(&self) -> Arc<T> {
        self.latest.load()
    }

    pub(crate) fn publish(&self, next: impl FnOnce(&T) -> T) -> Arc<T> {
        // A panic under the lock leaves nothing half-done: what is published is replaced as a whole.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let published = Arc::new(next(&self.latest()));
        self.latest.store(published.clone());
        published
    }
}

impl Publisher {
    /// Takes and publishes a first snapshot.
    #[must_use]
    pub fn new(guard: &PeerGuard) -> Self {
        let board = Board::new(Published::take(guard, None));
        Self { desk: Arc::new(Desk { guard: guard.clone(), board }) }
    }

    /// The guard whose snapshots are published.
    #[must_use]
    pub fn guard(&self) -> &PeerGuard {
        &self.desk.guard
    }

    /// The latest snapshot: one load and a reference count, whatever the number of peers.
    #[must_use]
    pub fn latest(&self) -> Arc<Published> {
        self.desk.board.latest()
    }

    /// Takes a snapshot and publishes it. Waits for a publication that is under way on another thread.
    pub fn publish_now(&self) -> Arc<Published> {
        self.desk.board.publish(|before| Published::take(&self.desk.guard, Some(before)))
    }

    /// Starts a thread that publishes every `interval`, until what is returned is dropped.
    ///
    /// # Errors
    /// An interval of zero; a thread that the system does not give.
    pub fn start(&self, interval: Duration) -> io::Result<Publishing> {
        if interval.is_zero() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the interval of publication must not be zero"));
        }
        let (stop, stopped) = mpsc::channel::<()>();
        let publisher = self.clone();
        let publish = move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                publisher.publish_now();
            }
        };
        let thread = thread::Builder::new().name("peerguard-snap".into()).spawn(publish)?;
        Ok(Publishing { stop: Some(stop), thread: Some(thread) })
    }
}

/// Publication at an interval; stops when dropped, after a snapshot that is being taken.
#[must_use = "publication stops when this is dropped"]
#[derive(Debug)]
pub struct Publishing {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Publishing {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread's own panic was printed when it happened; it must not become one of a drop.
            let _ = thread.join();
        }
    }
}
