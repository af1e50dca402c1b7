//! Threads that go step by step together.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// Threads of a test that meets: as many as the smallest machine has cores.
pub const THREADS: u64 = 2;

/// A place where the threads wait for each other, without sleeping. When one panics the others do, instead of waiting.
#[derive(Default)]
pub struct Meeting {
    arrived: AtomicU64,
    broken: AtomicBool,
}

/// One thread's part in a meeting.
pub struct Member<'a> {
    meeting: &'a Meeting,
    met: u64,
}

impl Meeting {
    /// Runs `work` on each thread; it is told the thread's number and meets the others by its [`Member`].
    pub fn hold(&self, work: impl Fn(u64, &mut Member<'_>) + Sync) {
        thread::scope(|scope| {
            for number in 0..THREADS {
                let work = &work;
                scope.spawn(move || work(number, &mut Member { meeting: self, met: 0 }));
            }
        });
    }
}

impl Member<'_> {
    /// Waits for the others.
    pub fn meet(&mut self) {
        self.met += 1;
        // AcqRel and Acquire: what each thread did before the meeting is seen by the others after it.
        self.meeting.arrived.fetch_add(1, Ordering::AcqRel);
        let mut spins = 0u32;
        while self.meeting.arrived.load(Ordering::Acquire) < THREADS * self.met {
            assert!(!self.meeting.broken.load(Ordering::Relaxed), "another thread has failed");
            spins += 1;
            if spins.is_multiple_of(100) { thread::yield_now() } else { std::hint::spin_loop() }
        }
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.meeting.broken.store(true, Ordering::Relaxed);
        }
    }
}
