//! Records histories: three threads, each on its list of calls, held together so that their calls overlap.

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;
use peerguard::{Clock, Config, ManualClock, Outcome, PeerGuard, Permit, Totals, Traffic};

use crate::linear::calls::{CALLS, Call, Plan, THREADS, Topic};
use crate::linear::fact::{Events, Fact};
use crate::linear::faults::{Fault, Subject};
use crate::linear::history::{Entry, History, KEYS, Move};
use crate::reference::breaker::{Slot, Source};
use crate::reference::bucket::Terms;
use crate::threads::{AtomicU64, DRIVEN, yield_now};

/// The buckets' terms of a configuration: a peer's, and the shared one's.
pub fn terms(config: &Config) -> Option<[Terms; 2]> {
    let refill = config.bandwidth.refill_interval.as_nanos() as i128;
    let own = Terms::new(config.bandwidth.per_peer_upload_bps, refill)?;
    let all = Terms::new(config.bandwidth.upload_limit_bps, refill)?;
    Some([own, all])
}

/// What one thread wrote down, with its number.
type Written = (usize, Vec<Entry>, Vec<Move>);

/// A guard with its calls, ready to be made.
pub struct Stage {
    seed: u64,
    plan: Plan,
    subject: Subject,
    hand: ManualClock,
    terms: Option<[Terms; 2]>,
    /// Stamps: one counter, so that they tell which call ended before which began.
    stamp: AtomicU64,
    /// Threads that have arrived; calls that each has begun, and calls whose meeting it has come to.
    arrived: AtomicU64,
    begun: [AtomicU64; THREADS],
    met: [AtomicU64; THREADS],
    /// A thread has failed.
    broken: AtomicU64,
    recorded: Mutex<Vec<Written>>,
}

/// A permit that is out.
struct Held<'g> {
    permit: Permit<'g>,
    key: usize,
    source: Source,
    /// What the buckets were charged for the bytes that are left.
    charges: [i128; 2],
}

/// One thread of one history.
struct Caller<'g> {
    stage: &'g Stage,
    number: usize,
    rng: Rng,
    /// The meeting before which its next call has begun.
    meeting: Option<u64>,
    held: Vec<Held<'g>>,
    entries: Vec<Entry>,
    moves: Vec<Move>,
}

impl Stage {
    pub fn new(seed: u64, topic: Topic, fault: Fault) -> Self {
        let plan = Plan::new(seed, topic);
        let (clock, hand) = Clock::manual(plan.start);
        let guard = PeerGuard::with_clock(plan.config.clone(), clock).expect("a valid configuration");
        let subject = Subject::new(guard, plan.handles, fault);
        let terms = terms(&plan.config);
        let zero = || AtomicU64::new(0);
        let [begun, met] = [(); 2].map(|()| std::array::from_fn(|_| zero()));
        let (stamp, arrived, broken) = (zero(), zero(), zero());
        Self { seed, plan, subject, hand, terms, stamp, arrived, begun, met, broken, recorded: Mutex::default() }
    }

    fn stamp(&self) -> u64 {
        // AcqRel: a call that is stamped after another's end comes after it.
        self.stamp.fetch_add(1, Ordering::AcqRel)
    }

    /// One thread's calls.
    pub fn play(&self, number: usize) {
        let rng = Rng::with_seed(self.seed.wrapping_mul(3) + number as u64);
        let mut caller = Caller {
            stage: self,
            number,
            rng,
            meeting: None,
            held: Vec::new(),
            entries: Vec::new(),
            moves: Vec::new(),
        };
        self.await_all();
        for (n, call) in (0..).zip(&self.plan.calls[number]) {
            self.keep_pace(number, n);
            // A third of the calls overlap those of the others whatever the scheduler does; not of takes, which have so many ways
            // of taking effect that the search would not end.
            let meets = self.terms.is_none() && n % 3 == self.seed % 3;
            caller.meeting = (meets && !DRIVEN).then_some(n + 1);
            caller.call(*call);
            // One that came to nothing.
            caller.come_to_meeting();
        }
        self.begun[number].store(CALLS as u64 + 1, Ordering::Release);
        while !caller.held.is_empty() {
            caller.finish(None);
        }
        let (entries, moves) = (std::mem::take(&mut caller.entries), std::mem::take(&mut caller.moves));
        self.recorded.lock().unwrap().push((number, entries, moves));
    }

    fn await_all(&self) {
        self.arrived.fetch_add(1, Ordering::AcqRel);
        if !DRIVEN {
            self.wait_until(|| self.arrived.load(Ordering::Acquire) >= THREADS as u64);
        }
    }

    /// Waits without a bound, but not for a thread that has failed.
    fn wait_until(&self, come: impl Fn() -> bool) {
        let mut spins = 0u32;
        while !come() {
            assert_eq!(self.broken.load(Ordering::Relaxed), 0, "another thread has failed");
            spins += 1;
            if spins.is_multiple_of(64) { yield_now() } else { std::hint::spin_loop() }
        }
    }

    /// Waits a while for the others to come as far.
    fn keep_pace(&self, number: usize, call: u64) {
        if DRIVEN {
            return;
        }
        self.begun[number].store(call + 1, Ordering::Release);
        for round in 0..3 {
            if self.begun.iter().all(|begun| begun.load(Ordering::Acquire) >= call) {
                return;
            }
            if round > 0 {
                yield_now();
            }
            (0..50).for_each(|_| std::hint::spin_loop());
        }
    }

    /// When all threads have ended.
    pub fn end(self) -> (History, Totals) {
        let mut events = [Events::default(); KEYS];
        assert_eq!(self.subject.guard.events_lost(), 0, "the ring holds all events of a history");
        for event in self.subject.guard.drain_events(usize::MAX) {
            let key = self.subject.ids.iter().position(|id| *id == event.peer).expect("one of the keys");
            events[key].count(event.kind);
        }
        let totals = self.subject.guard.get_summary();
        let last = (0..KEYS).map(|key| {
            let called = self.stamp();
            let view = self.subject.guard.view(&self.subject.ids[key]).map(Box::new);
            let fact = Fact::Quiet { view, events: events[key], all_left: totals.upload_available };
            Entry { called, returned: self.stamp(), key, fact }
        });
        let last = last.collect();
        let mut recorded = self.recorded.into_inner().unwrap();
        recorded.sort_by_key(|(number, ..)| *number);
        let moves = recorded.iter().flat_map(|(_, _, moves)| moves.clone()).collect();
        let mut threads: Vec<_> = recorded.into_iter().map(|(_, entries, _)| entries).collect();
        threads.push(last);
        (History { seed: self.seed, config: self.plan.config, start: self.plan.start, threads, moves }, totals)
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.stage.broken.store(1, Ordering::Relaxed);
        }
    }
}

impl<'g> Caller<'g> {
    /// Tells the others that it is there, if there is a meeting.
    fn come_to_meeting(&mut self) -> Option<u64> {
        let meeting = self.meeting.take();
        meeting.inspect(|&meeting| self.stage.met[self.number].store(meeting, Ordering::Release))
    }

    /// Between the stamp and the call, or the call and the stamp.
    fn dawdle(&mut self) {
        if DRIVEN {
            return;
        }
        match self.rng.u32(..16) {
            0..=1 => yield_now(),
            2..=8 => (0..self.rng.u32(1..100)).for_each(|_| std::hint::spin_loop()),
            _ => {}
        }
    }

    /// Makes a call between two stamps.
    fn stamped<T>(&mut self, call: impl FnOnce(&'g Stage) -> T) -> (u64, T, u64) {
        let called = self.stage.stamp();
        if let Some(meeting) = self.come_to_meeting() {
            self.stage.wait_until(|| self.stage.met.iter().all(|met| met.load(Ordering::Acquire) >= meeting));
        }
        self.dawdle();
        let answer = call(self.stage);
        self.dawdle();
        (called, answer, self.stage.stamp())
    }

    fn log(&mut self, key: usize, call: impl FnOnce(&'g Stage) -> Fact) {
        let (called, fact, returned) = self.stamped(call);
        self.entries.push(Entry { called, returned, key, fact });
    }

    fn call(&mut self, call: Call) {
        let by_handle = self.rng.bool();
        match call {
            Call::Advance(ns) => {
                assert_eq!(self.number, 0, "one thread moves the clock");
                let (called, to, returned) = self.stamped(|stage| {
                    stage.hand.advance(Duration::from_nanos(ns));
                    stage.hand.now()
                });
                self.moves.push(Move { called, returned, to });
            }
            Call::Admit { key } => self.admit(key, by_handle),
            Call::Ask { key } => {
                self.log(key, |stage| Fact::Asked(stage.subject.guard.should_communicate(&stage.subject.ids[key])));
            }
            Call::Finish(outcome) => self.finish(outcome),
            Call::Report { key, outcome } => self.log(key, |stage| {
                let recorded = stage.subject.report(key, by_handle, outcome);
                Fact::Report { source: Source::Plain, outcome, recorded: Some(recorded) }
            }),
            Call::Check { key } => match &self.stage.subject.handles {
                Some(handles) => self.log(key, |_| Fact::Check(handles[key].check().err())),
                None => self.admit(key, false),
            },
            Call::IsBanned { key } => self.log(key, |stage| Fact::IsBanned(stage.subject.is_banned(key))),
            Call::View { key } => self.log(key, |stage| Fact::View(stage.subject.view(key))),
            Call::Ban { key, length, code } => self.log(key, |stage| {
                stage.subject.guard.ban(&stage.subject.ids[key], length, code).expect("there is room");
                Fact::Ban { length, code }
            }),
            Call::Unban { key } => {
                self.log(key, |stage| Fact::Unban(stage.subject.guard.unban(&stage.subject.ids[key])));
            }
            Call::Reset { key } => {
                self.log(key, |stage| Fact::Reset(stage.subject.guard.reset(&stage.subject.ids[key])));
            }
            Call::Force { key, forced } => self.log(key, |stage| {
                let (guard, id) = (&stage.subject.guard, &stage.subject.ids[key]);
                let done = match forced {
                    peerguard::Forced::Open => guard.force_open(id),
                    peerguard::Forced::Closed => guard.force_closed(id),
                    _ => guard.observe(id),
                };
                done.expect("there is room");
                Fact::Force(forced)
            }),
            Call::Take { key, bytes } => self.take(key, by_handle, bytes),
            Call::Try { key, bytes } => self.log(key, |stage| {
                let taken = stage.subject.guard.try_upload(&stage.subject.ids[key], bytes);
                Fact::Try { bytes, taken }
            }),
            Call::Refund(bytes) => self.refund(bytes),
        }
    }

    fn admit(&mut self, key: usize, by_handle: bool) {
        let (called, (answer, permit), returned) = self.stamped(|stage| stage.subject.admit(key, by_handle));
        if let (Ok(shown), Some(permit)) = (answer, permit) {
            let source = Source::Permit { generation: shown.generation, probe: shown.probe };
            self.held.push(Held { permit, key, source, charges: [0; 2] });
        }
        self.entries.push(Entry { called, returned, key, fact: Fact::Admit { slot: Slot::Permit, answer } });
    }

    fn take(&mut self, key: usize, by_handle: bool, bytes: u64) {
        let (called, answer, returned) = self.stamped(|stage| stage.subject.take(key, by_handle, bytes));
        let fact = Fact::Take { bytes, answer: answer.as_ref().map(|_| ()).map_err(|no| *no) };
        self.entries.push(Entry { called, returned, key, fact });
        if let Ok(permit) = answer {
            let source = Source::Permit { generation: permit.generation(), probe: permit.is_probe() };
            let charges = self.stage.terms.as_ref().map_or([0; 2], |terms| [0, 1].map(|n| terms[n].cost(bytes)));
            self.held.push(Held { permit, key, source, charges });
        }
    }

    fn refund(&mut self, bytes: u64) {
        let Some(mut held) = self.held.pop() else { return };
        let key = held.key;
        let before = held.permit.bytes();
        let bytes = bytes.min(before);
        let left = i128::from(before - bytes);
        // The share of the bytes that are kept, rounded up, stays charged.
        let kept =
            held.charges.map(|charge| (charge * left + i128::from(before.max(1)) - 1) / i128::from(before.max(1)));
        let back = [0, 1].map(|n| held.charges[n] - kept[n]);
        held.charges = kept;
        let permit = &mut held.permit;
        self.log(key, |stage| {
            stage.subject.refund(permit, bytes);
            Fact::Refund { bytes, back }
        });
        self.held.push(held);
    }

    fn finish(&mut self, outcome: Option<Outcome>) {
        if self.held.is_empty() {
            return;
        }
        let Held { permit, key, source, .. } = self.held.remove(0);
        self.log(key, |_| match outcome {
            Some(outcome) => {
                let recorded = permit.record(outcome, None, Traffic::NONE);
                Fact::Report { source, outcome, recorded: Some(recorded) }
            }
            None => {
                drop(permit);
                Fact::Report { source, outcome: Outcome::Cancelled, recorded: None }
            }
        });
    }
}
