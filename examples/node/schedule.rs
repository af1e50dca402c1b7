//! Who is due when: a queue of peers by time, shared by the workers that announce.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

pub struct Schedule(Mutex<BinaryHeap<Reverse<(Instant, usize)>>>);

impl Schedule {
    /// Peers `0..count`, due one after another within `round`.
    pub fn new(count: usize, round: Duration) -> Self {
        let now = Instant::now();
        let due = |index| Reverse((now + round * index as u32 / count as u32, index));
        Self(Mutex::new((0..count).map(due).collect()))
    }

    /// Does `work` with the peer that is due, which says how long until it is due again; or sleeps a
    /// little when none is. A peer that is being worked with is nobody else's.
    pub fn next(&self, work: impl FnOnce(usize) -> Duration) {
        const NAP: Duration = Duration::from_millis(50);
        let mut queue = self.queue();
        let now = Instant::now();
        match queue.peek() {
            Some(Reverse((due, _))) if *due <= now => {}
            first => {
                let wait = first.map_or(NAP, |Reverse((due, _))| *due - now);
                drop(queue);
                return thread::sleep(wait.min(NAP));
            }
        }
        let Some(Reverse((_, index))) = queue.pop() else {
            return;
        };
        drop(queue);
        let pause = work(index).max(Duration::from_millis(1));
        self.queue().push(Reverse((Instant::now() + pause, index)));
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, BinaryHeap<Reverse<(Instant, usize)>>> {
        self.0.lock().expect("nobody panics with it")
    }
}
