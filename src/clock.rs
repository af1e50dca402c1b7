//! Time as nanoseconds since an arbitrary origin.
//!
//! Below the facade time is an argument; only the facade asks a [`Clock`]. The system clock counts the time that a machine
//! spends suspended (`CLOCK_BOOTTIME` on Linux), so a ban of an hour ends an hour later even if the lid was shut.
//!
//! Two readings are offered. `now` is exact and costs a clock read (20–25 ns). `recent` may lie back by one tick of the
//! kernel's timer (1 to 10 ms) and costs 4–5 ns: it returns the last exact reading for as long as the kernel's coarse
//! clock has not moved since that reading. Scores and last-seen stamps, whose grain is a second, use it. Bytes use it where
//! it cannot admit more than the exact time would, with [`Clock::grain`] as the bound of its age, and fall back on `now`
//! before they refuse. Bans, probes and open times use `now`.
//!
//! # Memory ordering
//! The last exact reading is kept with its tick; see `Coarse`. The kernel's coarse clock never goes back; if it did, every
//! reading would be an exact one until it had passed the last tick: the exact clock is followed wherever it goes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::sync::{AtomicU64, Ordering};

/// Where a guard takes its time from.
///
/// Cheap to clone; clones read the same clock.
#[derive(Clone)]
pub struct Clock {
    source: Source,
}

#[derive(Clone)]
enum Source {
    System(Arc<Coarse>),
    Manual(Arc<AtomicU64>),
    Function(Arc<dyn Fn() -> u64 + Send + Sync>),
}

impl Clock {
    /// The system's clock, which never goes back and counts suspended time where the system can tell it.
    #[must_use]
    pub fn system() -> Self {
        Self { source: Source::System(Arc::new(Coarse::new())) }
    }

    /// A clock that stands still until its [`ManualClock`] moves it: for tests and simulations.
    ///
    /// `start` is in nanoseconds.
    #[must_use]
    pub fn manual(start: u64) -> (Self, ManualClock) {
        let nanos = Arc::new(AtomicU64::new(start));
        (Self { source: Source::Manual(nanos.clone()) }, ManualClock { nanos })
    }

    /// A clock that asks `read` for nanoseconds since an origin of its own.
    ///
    /// `read` is called on the hot paths: it must not block or panic, and it should not go back.
    #[must_use]
    pub fn from_fn(read: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { source: Source::Function(Arc::new(read)) }
    }

    /// The exact time in nanoseconds. One clock read.
    #[must_use]
    #[inline]
    pub fn now(&self) -> u64 {
        match &self.source {
            Source::System(_) => system::exact(),
            // Relaxed: the clock orders nothing but itself.
            Source::Manual(nanos) => nanos.load(Ordering::Relaxed),
            Source::Function(read) => read(),
        }
    }

    /// How old a recent time may be, in nanoseconds: twice the tick of the kernel's timer; 0 for clocks that are always
    /// read.
    #[inline]
    pub(crate) fn grain(&self) -> u64 {
        match &self.source {
            Source::System(coarse) => coarse.grain,
            _ => 0,
        }
    }

    /// The time, at most one tick of the kernel's timer old.
    #[inline(always)]
    pub(crate) fn recent(&self) -> u64 {
        match &self.source {
            Source::System(coarse) => coarse.read(),
            _ => self.foreign_now(),
        }
    }

    /// Out of the way of the system's clock.
    #[cold]
    #[inline(never)]
    fn foreign_now(&self) -> u64 {
        self.now()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::System(_) => "Clock::System",
            Source::Manual(_) => "Clock::Manual",
            Source::Function(_) => "Clock::Function",
        })
    }
}

/// Moves a clock made by [`Clock::manual`].
#[derive(Clone, Debug)]
pub struct ManualClock {
    nanos: Arc<AtomicU64>,
}

impl ManualClock {
    /// The clock's time in nanoseconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.nanos.load(Ordering::Relaxed)
    }

    /// Sets the clock to `nanos`, forward or back.
    pub fn set(&self, nanos: u64) {
        self.nanos.store(nanos, Ordering::Relaxed);
    }

    /// Moves the clock forward; it stops at the largest time.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.set(self.now().saturating_add(nanos));
    }

    /// Sets the clock back; it stops at zero.
    pub fn step_back(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.set(self.now().saturating_sub(nanos));
    }
}

/// The last exact reading, and what the kernel's coarse clock said then.
///
/// A reader that finds the coarse clock where `tick` says takes `exact` without a clock read. A writer claims `tick`, and only
/// for a tick later than the one that stands there. So ticks and readings only ever grow: a writer that is held up costs the
/// others exact readings, and never lends its old time to a new tick.
pub(crate) struct Coarse {
    tick: AtomicU64,
    exact: AtomicU64,
    grain: u64,
}

/// `tick` while `exact` is written; no clock gets so far.
const BUSY: u64 = u64::MAX;

impl Coarse {
    pub(crate) fn new() -> Self {
        Self { tick: AtomicU64::new(0), exact: AtomicU64::new(0), grain: 2 * system::resolution() }
    }

    #[inline(always)]
    fn read(&self) -> u64 {
        self.read_by(system::coarse(), system::exact)
    }

    /// As `read`, where the coarse clock has just said `tick`, and `exact` reads the exact one.
    #[inline(always)]
    pub(crate) fn read_by(&self, tick: u64, exact: impl FnOnce() -> u64) -> u64 {
        // Acquire: pairs with the Release store of `publish`; `exact` is of this tick or later.
        if self.tick.load(Ordering::Acquire) == tick {
            // Relaxed: a reading that has come since is as good.
            return self.exact.load(Ordering::Relaxed);
        }
        self.publish(tick, exact())
    }

    #[cold]
    #[inline(never)]
    fn publish(&self, tick: u64, exact: u64) -> u64 {
        // Relaxed: the CAS decides.
        let before = self.tick.load(Ordering::Relaxed);
        // Acquire on success: pairs with the Release store of the last writer, whose `exact` comes first. BUSY is above every
        // tick.
        if before < tick && self.tick.compare_exchange(before, BUSY, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            // Relaxed: published by the store that follows.
            self.exact.store(exact, Ordering::Relaxed);
            // Release: pairs with the Acquire load of `read_by` and the Acquire CAS of the next writer.
            self.tick.store(tick, Ordering::Release);
        }
        exact
    }
}

#[cfg(target_os = "linux")]
mod system {
    use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

    /// Nanoseconds since boot, suspended time included.
    #[inline]
    pub(super) fn exact() -> u64 {
        nanos(clock_gettime(ClockId::Boottime))
    }

    /// The kernel's time of its last timer tick.
    #[inline]
    pub(super) fn coarse() -> u64 {
        nanos(clock_gettime(ClockId::MonotonicCoarse))
    }

    /// Nanoseconds between two ticks of the kernel's timer.
    pub(super) fn resolution() -> u64 {
        nanos(clock_getres(ClockId::MonotonicCoarse))
    }

    #[inline]
    fn nanos(t: Timespec) -> u64 {
        (t.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(t.tv_nsec as u64)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::sync::OnceLock;
    use std::time::Instant;

    /// Nanoseconds since the first call. `Instant` tells whether it counts suspended time; on macOS and Windows see its
    /// documentation.
    pub(super) fn exact() -> u64 {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }

    /// Where no coarse clock exists, each exact reading is its own tick.
    pub(super) fn coarse() -> u64 {
        exact()
    }

    pub(super) fn resolution() -> u64 {
        0
    }
}

/// Length of a tick: gate and ban times are kept in units of 2^20 ns (1.048576 ms).
pub(crate) const TICK_SHIFT: u32 = 20;

/// Stamps this far ahead of the clock (17.2 s) come from a thread that read its clock earlier; what lies further ahead
/// comes from a clock that was set back.
pub(crate) const SKEW: u64 = 1 << 34;

/// The tick that a time lies in.
#[inline]
pub(crate) const fn tick(now: u64) -> u64 {
    now >> TICK_SHIFT
}

/// The whole second that a time lies in.
#[inline]
pub(crate) const fn second(now: u64) -> u64 {
    now / 1_000_000_000
}

/// A duration in nanoseconds, at most 2^63.
pub(crate) fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX).min(1 << 63)
}

/// A duration in ticks, rounded up.
pub(crate) fn ticks(d: Duration) -> u64 {
    nanos(d).div_ceil(1 << TICK_SHIFT)
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_both_ways_and_saturates() {
        let (clock, hand) = Clock::manual(5);
        hand.advance(Duration::from_nanos(10));
        assert_eq!(clock.now(), 15);
        hand.step_back(Duration::from_secs(1));
        assert_eq!(clock.now(), 0);
        hand.advance(Duration::MAX);
        assert_eq!(clock.now(), u64::MAX);
    }

    #[test]
    fn the_recent_time_is_never_ahead_of_the_exact_one() {
        let clock = Clock::system();
        for _ in 0..10_000 {
            let recent = clock.recent();
            assert!(recent <= clock.now());
        }
    }
}
