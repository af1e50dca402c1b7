//! The half-open breaker under two threads that meet in every phase of every round: exactly the configured probes are
//! admitted, none stays out, and results of earlier periods change nothing.
//!
//! A hundred thousand rounds; `PEERGUARD_ROUNDS` asks for another number.

mod meeting;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use meeting::{Meeting, Member};
use peerguard::{
    BreakerState, CircuitBreakerConfig, Clock, Config, ManualClock, Outcome, Peer, PeerGuard, PeerId, Permit, Reason,
    Recorded, Traffic, Weights,
};

const ID: PeerId = PeerId::new([7; 32]);
const OPEN_TIME: Duration = Duration::from_secs(30);
const PROBE_TIMEOUT: Duration = Duration::from_secs(20);

fn rounds() -> u64 {
    match std::env::var("PEERGUARD_ROUNDS") {
        Ok(text) => text.parse().expect("PEERGUARD_ROUNDS is a number"),
        Err(_) => 100_000,
    }
}

/// A probe slot.
enum Slot<'g> {
    Carried(Permit<'g>),
    /// Taken by `should_communicate`: nobody carries it.
    Called,
}

/// What becomes of the probes of a round.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Succeed,
    Fail,
    GiveBack,
    Forget,
}

struct Arena {
    guard: PeerGuard,
    hand: ManualClock,
    probes: u64,
    threshold: u64,
    /// Probes admitted, and probes that counted, since the start.
    admitted: AtomicU64,
    counted: AtomicU64,
}

/// What a stale report must not touch.
fn breaker(guard: &PeerGuard) -> impl PartialEq + std::fmt::Debug {
    let view = guard.view(&ID).expect("the record stays");
    let slots = (view.probes_out, view.probe_successes, view.failures_in_window);
    (view.state, view.generation, slots, view.backoff_level, view.open_remaining)
}

impl Arena {
    fn new(probes: u32, threshold: u32) -> Self {
        let (clock, hand) = Clock::manual(1 << 44);
        let mut config = Config { max_peers: 16, event_capacity: 1, ..Config::default() };
        config.circuit_breaker = CircuitBreakerConfig {
            recovery_timeout: OPEN_TIME,
            success_threshold: threshold,
            half_open_max_probes: Some(probes),
            probe_timeout: Some(PROBE_TIMEOUT),
            backoff: false,
            jitter: 0.0,
            ..CircuitBreakerConfig::default()
        };
        // Nobody gets banned: this is about the breaker.
        config.reputation.weights = Weights { sync_failure: 0.0, timeout: 0.0, ..Weights::default() };
        let guard = PeerGuard::with_clock(config, clock).unwrap();
        let _made = guard.record_success(&ID, None).unwrap();
        let (probes, threshold) = (probes.into(), threshold.into());
        let (admitted, counted) = Default::default();
        Self { guard, hand, probes, threshold, admitted, counted }
    }

    fn state(&self) -> BreakerState {
        self.guard.view(&ID).expect("the record stays").state
    }

    /// A result of an earlier period, while nobody else is at work.
    fn report_stale(&self, permit: Permit<'_>, success: bool) {
        let before = breaker(&self.guard);
        let recorded = if success { permit.success(None) } else { permit.failure() };
        assert_eq!((recorded, breaker(&self.guard)), (Recorded::Stale, before));
    }

    /// Opens the closed breaker, and waits until it may be probed.
    fn open(&self, stale: [Permit<'_>; 2]) {
        for n in 1..=5 {
            assert_eq!(self.state(), BreakerState::Closed, "before failure {n}");
            assert_eq!(self.guard.record_failure(&ID), Recorded::Counted);
        }
        assert_eq!(self.guard.admit(&ID).unwrap_err().reason, Reason::Open);
        let [success, failure] = stale;
        self.report_stale(success, true);
        self.report_stale(failure, false);
        self.hand.advance(OPEN_TIME + Duration::from_millis(2));
    }

    /// Asks for one probe more than there are; one thread by key, the other by its handle or by the original's call.
    fn ask<'g>(&'g self, peer: &'g Peer, by_call: bool, slots: &mut Vec<Slot<'g>>) {
        for _ in 0..=self.probes {
            if by_call {
                slots.extend(self.guard.should_communicate(&ID).then_some(Slot::Called));
                continue;
            }
            match if slots.len().is_multiple_of(2) { peer.admit() } else { self.guard.admit(&ID) } {
                Ok(permit) => {
                    assert!(permit.is_probe());
                    slots.push(Slot::Carried(permit));
                }
                Err(no) => assert_eq!(no.reason, Reason::ProbesOut),
            }
        }
        self.admitted.fetch_add(slots.len() as u64, Ordering::Relaxed);
    }

    /// After both have asked: exactly the configured number was let in, and nothing was counted yet.
    fn check_asked(&self) {
        assert_eq!(self.admitted.swap(0, Ordering::Relaxed), self.probes, "probes admitted");
        let view = self.guard.view(&ID).expect("the record stays");
        assert_eq!((view.state, u64::from(view.probes_out)), (BreakerState::HalfOpen, self.probes));
        assert_eq!(view.probe_successes, 0, "a stale success counted");
    }

    fn end(&self, slots: &mut Vec<Slot<'_>>, fate: Fate) {
        let outcome = match fate {
            Fate::Succeed => Outcome::SyncSuccess,
            Fate::Fail => Outcome::Timeout,
            Fate::GiveBack | Fate::Forget => Outcome::Cancelled,
        };
        for slot in slots.drain(..) {
            let recorded = match slot {
                Slot::Carried(permit) if outcome == Outcome::Cancelled => {
                    drop(permit);
                    continue;
                }
                Slot::Carried(permit) => permit.record(outcome, None, Traffic::NONE),
                Slot::Called => self.guard.report(&ID, outcome, None, Traffic::NONE),
            };
            self.counted.fetch_add(u64::from(recorded == Recorded::Counted), Ordering::Relaxed);
        }
    }

    /// Closes a breaker of which no probe is out; fails if one is stuck.
    fn close(&self) {
        if self.state() == BreakerState::Open {
            self.hand.advance(OPEN_TIME + Duration::from_millis(2));
        }
        for _ in 0..self.threshold {
            if self.state() == BreakerState::HalfOpen {
                let probe = self.guard.admit(&ID).expect("a probe is stuck");
                assert_eq!(probe.success(None), Recorded::Counted);
            }
        }
        let view = self.guard.view(&ID).expect("the record stays");
        assert_eq!((view.state, view.probes_out), (BreakerState::Closed, 0));
    }

    /// What one thread does in one round. Between two meetings both are at work, or the first alone.
    fn round<'g>(&'g self, peer: &'g Peer, first: bool, round: u64, member: &mut Member<'_>) {
        let fate = [Fate::Succeed, Fate::Fail, Fate::GiveBack, Fate::Forget][(round % 4) as usize];
        let by_call = !first && round / 4 % 3 == 2;
        let stale = |_| self.guard.admit(&ID).unwrap();
        let (before, after, [last]) = ([0, 1].map(stale), [0, 1].map(stale), [0].map(stale));
        let mut slots = Vec::new();
        member.meet();
        if first {
            self.open(before);
        } else {
            drop(before);
        }
        member.meet();
        // Both, with results from before the trip in between.
        let [one, other] = after;
        assert_eq!(one.success(None), Recorded::Stale);
        self.ask(peer, by_call, &mut slots);
        assert_eq!(other.failure(), Recorded::Stale);
        member.meet();
        if first {
            self.check_asked();
            self.report_stale(last, round % 8 < 4);
        } else {
            drop(last);
        }
        member.meet();
        match fate {
            Fate::Succeed | Fate::Fail => self.end(&mut slots, fate),
            Fate::GiveBack => self.give_back_and_ask_again(peer, first, by_call, &mut slots, member),
            Fate::Forget => self.forget_and_ask_again(peer, first, by_call, slots, member),
        }
        member.meet();
        if first {
            let counted = self.counted.swap(0, Ordering::Relaxed);
            self.check_end(fate, counted, round / 4 % 3 == 2);
            self.close();
        }
        member.meet();
    }

    fn check_end(&self, fate: Fate, counted: u64, called: bool) {
        match fate {
            Fate::Fail => {
                assert_eq!(
                    (self.state(), counted),
                    (BreakerState::Open, 1),
                    "one failure re-opens, the others are late"
                );
            }
            // A call's success counts in the closed period too, when it comes after those that closed the breaker.
            _ if called => assert!(counted >= self.probes.min(self.threshold)),
            _ => assert_eq!(counted, self.probes.min(self.threshold), "successes that counted"),
        }
        let closed = self.probes >= self.threshold && fate != Fate::Fail;
        assert!(!closed || self.state() == BreakerState::Closed, "{fate:?}: {counted} probes succeeded");
    }

    fn give_back_and_ask_again<'g>(
        &'g self,
        peer: &'g Peer,
        first: bool,
        by_call: bool,
        slots: &mut Vec<Slot<'g>>,
        member: &mut Member<'_>,
    ) {
        self.end(slots, Fate::GiveBack);
        member.meet();
        if first {
            assert_eq!(self.guard.view(&ID).map(|view| view.probes_out), Some(0), "a probe is stuck");
        }
        member.meet();
        self.ask(peer, by_call, slots);
        member.meet();
        if first {
            self.check_asked();
        }
        member.meet();
        self.end(slots, Fate::Succeed);
    }

    fn forget_and_ask_again<'g>(
        &'g self,
        peer: &'g Peer,
        first: bool,
        by_call: bool,
        forgotten: Vec<Slot<'g>>,
        member: &mut Member<'_>,
    ) {
        let mut slots = Vec::new();
        if first {
            assert_eq!(self.guard.admit(&ID).unwrap_err().reason, Reason::ProbesOut);
            self.hand.advance(PROBE_TIMEOUT + Duration::from_millis(2));
        }
        member.meet();
        self.ask(peer, by_call, &mut slots);
        member.meet();
        if first {
            self.check_asked();
        }
        member.meet();
        // Both at once: late results of the probes that were taken back.
        for (n, slot) in forgotten.into_iter().enumerate() {
            if let Slot::Carried(permit) = slot {
                let recorded = if n % 2 == 0 { permit.failure() } else { permit.success(None) };
                assert_eq!(recorded, Recorded::Stale);
            }
        }
        member.meet();
        if first {
            self.admitted.store(self.probes, Ordering::Relaxed);
            self.check_asked();
        }
        member.meet();
        self.end(&mut slots, Fate::Succeed);
    }
}

fn run(probes: u32, threshold: u32, rounds: u64) {
    let arena = Arena::new(probes, threshold);
    Meeting::default().hold(|thread, member| {
        let peer = arena.guard.peer(&ID);
        (0..rounds).for_each(|round| arena.round(&peer, thread == 0, round, member));
    });
    let totals = arena.guard.get_summary();
    let forgotten = rounds / 4 * u64::from(probes);
    assert_eq!((totals.half_open, totals.open, totals.closed), (0, 0, 1));
    assert_eq!(totals.probes_lost, forgotten, "probes that were taken back");
    assert_eq!(totals.trips, rounds + rounds.div_ceil(4).min(rounds), "trips and re-openings");
}

#[test]
fn half_open_admits_exactly_its_probes() {
    let each = rounds() / 5 / 4 * 4;
    for (probes, threshold) in [(1, 1), (2, 2), (3, 2), (2, 3), (15, 15)] {
        run(probes, threshold, each);
    }
}
