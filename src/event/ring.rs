//! The newest events, in a ring of fixed size that any number of readers follow.
//!
//! A writer takes the next number (one `fetch_add`) and with it a place. It claims the place by CAS on the place's stamp,
//! writes the words and publishes the stamp. Writers never wait: one that finds its place still being written, by a writer
//! that the ring has lapped, drops its event. Readers hold a cursor of their own. They stop before an event that its writer has
//! not published yet, until some later ones have begun: then they go on without it. Such an event, one that was dropped, and
//! one that was overwritten before a reader came to it are lost to that reader, which is told how many.
//!
//! A stamp is `2 · number + 2` for a published event, odd while it is written, 0 before the first. A reader takes the words
//! between two equal reads of the stamp, so it never returns a mixture of two events.

use crossbeam_utils::CachePadded;

use super::EventKind;
use crate::id::PeerId;
use crate::sync::{Ordering, Word, fence};

/// An event as the ring keeps it; `at` in nanoseconds of the guard's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) at: u64,
    pub(crate) peer: PeerId,
    pub(crate) kind: EventKind,
}

struct Place {
    stamp: Word<u64>,
    at: Word<u64>,
    kind: Word<u64>,
    peer: [Word<u64>; 4],
}

pub(crate) struct Ring {
    places: Box<[Place]>,
    /// Events so far.
    head: CachePadded<Word<u64>>,
}

/// For so many events a reader waits for one whose writer is slow.
const PATIENCE: u64 = 16;

/// What a reader finds at a number.
enum Found {
    Event(Entry),
    Overwritten,
    NotYet,
}

impl Ring {
    /// `capacity` is rounded up to a power of two.
    pub(crate) fn new(capacity: usize) -> Self {
        let place = |_| Place {
            stamp: Word::new(0),
            at: Word::new(0),
            kind: Word::new(0),
            peer: std::array::from_fn(|_| Word::new(0)),
        };
        Self { places: (0..capacity.next_power_of_two()).map(place).collect(), head: CachePadded::new(Word::new(0)) }
    }

    fn place(&self, number: u64) -> &Place {
        &self.places[number as usize & (self.places.len() - 1)]
    }

    pub(crate) fn push(&self, at: u64, peer: PeerId, kind: EventKind) {
        // Relaxed: the number only has to be one's own; the stamp publishes.
        let number = self.head.add(1, Ordering::Relaxed);
        let place = self.place(number);
        let published = number * 2 + 2;
        // Relaxed: the CAS below decides.
        let before = place.stamp.load(Ordering::Relaxed);
        let free = before & 1 == 0 && before < published;
        // Acquire: pairs with the Release store of the writer before; its words come first.
        if !free || !place.stamp.swap_if_strong(before, published - 1, Ordering::Acquire, Ordering::Relaxed) {
            return;
        }
        // Release: pairs with the Acquire fence in `read`. A reader that sees any word below sees the odd stamp too.
        fence(Ordering::Release);
        place.at.store(at, Ordering::Relaxed);
        place.kind.store(kind.code(), Ordering::Relaxed);
        for (word, value) in place.peer.iter().zip(peer.words()) {
            word.store(value, Ordering::Relaxed);
        }
        // Release: pairs with the Acquire load in `read`; publishes the words.
        place.stamp.store(published, Ordering::Release);
    }

    fn read(&self, number: u64) -> Found {
        let place = self.place(number);
        let published = number * 2 + 2;
        // Acquire: pairs with the Release store in `push`.
        let stamp = place.stamp.load(Ordering::Acquire);
        if stamp != published {
            return if stamp > published { Found::Overwritten } else { Found::NotYet };
        }
        let at = place.at.load(Ordering::Relaxed);
        let kind = EventKind::from_code(place.kind.load(Ordering::Relaxed));
        let peer = PeerId::from_words(std::array::from_fn(|i| place.peer[i].load(Ordering::Relaxed)));
        // Acquire: pairs with the Release fence in `push`; a word of a later event makes its stamp visible here.
        fence(Ordering::Acquire);
        if place.stamp.load(Ordering::Relaxed) != published {
            return Found::Overwritten;
        }
        Found::Event(Entry { number, at, peer, kind })
    }

    /// Events so far.
    pub(crate) fn head(&self) -> u64 {
        // Relaxed: the stamps publish the events; a reader that comes too early finds `NotYet`.
        self.head.load(Ordering::Relaxed)
    }

    /// The oldest number that may still be there.
    fn oldest(&self, head: u64) -> u64 {
        head.saturating_sub(self.places.len() as u64)
    }

    /// Whether a reader goes on without an event that has not been published.
    fn is_given_up(&self, number: u64, head: u64) -> bool {
        head - number > PATIENCE.min(self.places.len() as u64 / 2)
    }

    /// Events from `cursor` on, at most `max`, with the next cursor and how many were lost before or between them.
    pub(crate) fn read_from(&self, cursor: u64, max: usize) -> (Vec<Entry>, u64, u64) {
        let head = self.head();
        let mut next = cursor.max(self.oldest(head));
        let mut lost = next - cursor.min(next);
        let mut entries = Vec::new();
        let mut skipped = 0;
        let mut scan = next;
        while scan < head && entries.len() < max {
            match self.read(scan) {
                Found::Event(entry) => {
                    lost += skipped;
                    skipped = 0;
                    entries.push(entry);
                    next = scan + 1;
                }
                Found::NotYet if !self.is_given_up(scan, head) => break,
                Found::Overwritten | Found::NotYet => skipped += 1,
            }
            scan += 1;
        }
        (entries, next, lost)
    }

    /// The events that are there, newest first; none is waited for.
    pub(crate) fn newest(&self) -> impl Iterator<Item = Entry> {
        let head = self.head();
        (self.oldest(head)..head).rev().filter_map(|number| match self.read(number) {
            Found::Event(entry) => Some(entry),
            Found::Overwritten | Found::NotYet => None,
        })
    }

    /// Events that `cursor` has not read and cannot read any more.
    pub(crate) fn overwritten(&self, cursor: u64) -> u64 {
        self.oldest(self.head()).saturating_sub(cursor)
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;

    fn id(n: u64) -> PeerId {
        PeerId::from_words([n, 0, 0, 0])
    }

    #[test]
    fn a_reader_gets_the_newest_and_learns_what_it_lost() {
        let ring = Ring::new(8);
        for n in 0..20 {
            ring.push(n, id(n % 2), EventKind::Opened);
        }
        let (entries, cursor, lost) = ring.read_from(0, 5);
        assert_eq!((entries.len(), cursor, lost), (5, 17, 12));
        assert_eq!(entries[0].at, 12);
        let (rest, cursor, lost) = ring.read_from(cursor, 100);
        assert_eq!((rest.len(), cursor, lost), (3, 20, 0));
        assert_eq!(ring.newest().filter(|e| e.peer == id(1)).take(2).map(|e| e.at).collect::<Vec<_>>(), [19, 17]);
    }

    #[test]
    fn a_slow_writer_is_waited_for_and_one_that_has_stopped_is_given_up() {
        let ring = Ring::new(64);
        let push = |n| ring.push(n, id(n), EventKind::Opened);
        push(0);
        // A writer that has taken its number and does not come to write.
        ring.head.add(1, Ordering::Relaxed);
        (2..1 + PATIENCE).for_each(push);
        let (entries, cursor, lost) = ring.read_from(0, 100);
        assert_eq!((entries.len(), cursor, lost), (1, 1, 0));
        assert_eq!(ring.read_from(cursor, 100), (Vec::new(), 1, 0));
        assert_eq!(ring.newest().count() as u64, PATIENCE);
        push(1 + PATIENCE);
        let (entries, cursor, lost) = ring.read_from(cursor, 100);
        assert_eq!((entries.len() as u64, cursor, lost), (PATIENCE, 2 + PATIENCE, 1));
    }

    #[test]
    fn readers_never_see_a_mixture() {
        let ring = Ring::new(4);
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for writer in 0..2u64 {
                let (ring, over) = (&ring, &over);
                scope.spawn(move || {
                    let numbers = (writer..).step_by(2).take_while(|_| !over.load(Ordering::Relaxed));
                    numbers.for_each(|n| {
                        ring.push(n, PeerId::from_words([n; 4]), EventKind::ProbesLost(n as u8));
                        // Where there is one core, the reader is to have it as well.
                        if n % 64 < 2 {
                            std::thread::yield_now();
                        }
                    });
                });
            }
            let (mut cursor, mut whole) = (0, 0);
            while whole < 100_000 {
                let (entries, next, _) = ring.read_from(cursor, 100);
                if entries.is_empty() {
                    std::thread::yield_now();
                }
                let is_whole = |entry: &Entry| {
                    let (peer, kind) = (PeerId::from_words([entry.at; 4]), EventKind::ProbesLost(entry.at as u8));
                    (entry.peer, entry.kind) == (peer, kind)
                };
                // Ends the writers before it fails.
                whole = if entries.iter().all(is_whole) { whole + entries.len() } else { usize::MAX };
                cursor = next;
            }
            over.store(true, Ordering::Relaxed);
            assert!(whole != usize::MAX, "a mixture of two events");
        });
    }
}
