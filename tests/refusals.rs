//! A refusal changes nothing but its own counter: every word of every record, the buckets and the totals are the same
//! after it, and no record was made.

use std::time::Duration;

use fastrand::Rng;
use peerguard::{
    Clock, Config, Direction, Error, Limits, ManualClock, Newcomers, Outcome, Peer, PeerGuard, PeerId, PeerLimits,
    Permit, Reason, Rejection, Totals, Traffic,
};

const PEERS: usize = 8;
/// Refusals in all, and of each kind.
const REFUSALS: u64 = 1_000_000;
const OF_EACH: u64 = 20_000;

fn id(n: usize) -> PeerId {
    PeerId::new([n as u8 + 1; 32])
}

/// Everything but the counters of refusals.
#[derive(Debug, PartialEq)]
struct State {
    records: Vec<Option<Vec<u64>>>,
    global: Vec<u64>,
    counts: Vec<u64>,
    means: [f64; 2],
}

/// The state, and the refusals so far, which are not part of it.
type Look = (State, u64);

impl State {
    fn of(guard: &PeerGuard) -> Look {
        let totals = guard.get_summary();
        let state = Self {
            records: (0..=PEERS).map(|n| guard.dump_words(&id(n))).collect(),
            global: guard.dump_global_words(),
            counts: counts(&totals),
            means: [totals.avg_score, totals.avg_reliability],
        };
        (state, totals.denied_total())
    }
}

fn counts(totals: &Totals) -> Vec<u64> {
    vec![
        totals.total_peers,
        totals.closed,
        totals.open,
        totals.half_open,
        totals.banned,
        totals.uploaded,
        totals.downloaded,
        totals.upload_limit,
        totals.download_limit,
        totals.upload_available.unwrap_or(u64::MAX),
        totals.download_available.unwrap_or(u64::MAX),
        totals.trips,
        totals.probes_lost,
        totals.would_deny,
        totals.evictions,
        totals.evicted_bans,
        totals.untracked,
        totals.records_made,
        totals.events_lost,
    ]
}

/// A guard whose peers stand in every way that is refused, and in random others.
struct Scene {
    guard: PeerGuard,
    clock: ManualClock,
    handles: Vec<Peer>,
    rng: Rng,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut config = Config { max_peers: 64, event_capacity: 64, ..Config::default() };
        config.circuit_breaker.failure_threshold = rng.u32(1..6);
        config.circuit_breaker.success_threshold = rng.u32(1..4);
        config.circuit_breaker.failure_rate = rng.bool().then(Default::default);
        // Either scope may be the narrower one.
        config.bandwidth.upload_limit_bps = rng.u64(1_000..1 << 20);
        config.bandwidth.download_limit_bps = rng.u64(0..1 << 20);
        let top = 1 << rng.u32(12..28);
        config.bandwidth.per_peer_upload_bps = if rng.bool() { 0 } else { rng.u64(1_000..top) };
        config.bandwidth.per_peer_download_bps = rng.u64(1_000..top);
        let (clock, hand) = Clock::manual(rng.u64(1 << 40..1 << 62));
        let guard = PeerGuard::with_clock(config, clock).unwrap();
        let mut scene = Self { guard, clock: hand, handles: Vec::new(), rng };
        scene.set();
        scene
    }

    fn set(&mut self) {
        for _ in 0..self.rng.usize(..40) {
            self.disturb();
        }
        let guard = &self.guard;
        guard.force_open(&id(1)).unwrap();
        for peer in [id(2), id(3)] {
            let _ = guard.reset(&peer);
            for _ in 0..6 {
                let _ = guard.report(&peer, Outcome::MessageFailure, None, Traffic::default());
            }
        }
        self.clock.advance(Duration::from_secs(35));
        // 2 is half-open with its probes out; 3 opens again, for longer.
        while self.guard.should_communicate(&id(2)) {}
        if self.guard.should_communicate(&id(3)) {
            let _ = self.guard.record_failure(&id(3));
        }
        let length = Duration::from_secs(self.rng.u64(1..100_000));
        self.guard.ban(&id(0), self.rng.bool().then_some(length), 3).unwrap();
        self.handles = (0..PEERS - 1).map(|n| self.guard.peer(&id(n))).collect();
        let direction = if self.rng.bool() { Direction::Upload } else { Direction::Download };
        drop(self.guard.grant_up_to(&id(4), direction, u64::MAX >> self.rng.u32(30..64)));
    }

    /// Any call that changes something.
    fn disturb(&mut self) {
        let rng = &mut self.rng;
        let guard = &self.guard;
        let peer = id(rng.usize(..PEERS - 1));
        let bytes = rng.u64(1..1_000_000);
        match rng.u32(..12) {
            0..=3 => {
                let outcome = Outcome::ALL[rng.usize(..10)];
                let _ = guard.report(&peer, outcome, Some(Duration::from_millis(3)), Traffic { sent: 4, received: 5 });
            }
            4 => drop(guard.grant_up_to(&peer, Direction::Upload, bytes)),
            5 => drop(guard.try_download(&peer, bytes)),
            6 => drop(guard.ban(&peer, Some(Duration::from_secs(rng.u64(1..50))), 1)),
            7 => drop(guard.unban(&peer)),
            8 => {
                let limits = PeerLimits { upload: Some(rng.u64(0..1_000_000)), download: None };
                guard.set_peer_limits(&peer, limits).unwrap();
            }
            9 => {
                let upload = rng.u64(1_000..10_000_000);
                guard.update_limits(Limits { upload, ..guard.limits() }).unwrap();
            }
            10 => self.clock.advance(Duration::from_nanos(1 << rng.u32(..38))),
            _ => self.clock.step_back(Duration::from_nanos(1 << rng.u32(..30))),
        }
    }

    /// One request through one of the faces: `None` = admitted; the reason is told by those faces that tell.
    fn ask(&mut self) -> Option<Option<Reason>> {
        let rng = &mut self.rng;
        let guard = &self.guard;
        // Also one that has no record.
        let n = rng.usize(..=PEERS);
        let peer = id(n);
        let direction = if rng.bool() { Direction::Upload } else { Direction::Download };
        let bytes = 1 << rng.u32(6..28);
        let told = |result: Result<Permit<'_>, Rejection>| result.err().map(|no| Some(no.reason));
        match (rng.u32(..10), self.handles.get(n)) {
            (0, Some(handle)) => told(handle.admit()),
            (1, Some(handle)) => told(handle.admit_bytes(direction, bytes)),
            (2, Some(handle)) => told(handle.grant_up_to(direction, bytes)),
            (3, Some(handle)) => handle.check().err().map(|no| Some(no.reason)),
            (0..=3, _) => told(guard.admit_bytes(&peer, direction, bytes)),
            (4, _) => told(guard.admit(&peer)),
            (5, _) => guard.admit_owned(&peer).err().map(|no| Some(no.reason)),
            (6, _) => told(guard.admit_bytes(&peer, direction, bytes)),
            (7, _) => told(guard.grant_up_to(&peer, direction, bytes)),
            (8, _) => (!guard.should_communicate(&peer)).then_some(None),
            _ => {
                let taken = match direction {
                    Direction::Upload => guard.try_upload(&peer, bytes),
                    Direction::Download => guard.try_download(&peer, bytes),
                };
                (!taken).then_some(None)
            }
        }
    }
}

#[test]
fn a_refusal_changes_nothing_but_its_counter() {
    let mut of_each = [0u64; 9];
    let mut refusals = 0;
    let mut seed = 0;
    while refusals < REFUSALS {
        let mut scene = Scene::new(seed);
        seed += 1;
        let (mut before, mut denied) = State::of(&scene.guard);
        let clock = scene.clock.now();
        for attempt in 0..400 {
            // The words are compared after each refusal, what is shown of them after some.
            let views = (attempt % 50 == 0).then(|| shown(&scene.guard));
            let told = scene.ask();
            let (after, denied_now) = State::of(&scene.guard);
            let counted = denied_now - std::mem::replace(&mut denied, denied_now);
            assert_eq!(scene.clock.now(), clock);
            let Some(reason) = told else {
                // Admitted; what it took is of no interest here.
                assert_eq!(counted, 0);
                before = after;
                continue;
            };
            assert_eq!(after, before, "seed {seed}, attempt {attempt}: refused by {reason:?}");
            // `check` asks without counting.
            assert!(counted <= 1);
            refusals += 1;
            if let Some(reason) = reason {
                of_each[reason as usize] += 1;
            }
            if let Some(views) = views {
                assert_eq!(shown(&scene.guard), views, "seed {seed}, attempt {attempt}");
            }
        }
    }
    for reason in Reason::ALL.into_iter().filter(|&reason| reason != Reason::TableFull) {
        assert!(of_each[reason as usize] >= OF_EACH, "{reason}: only {}", of_each[reason as usize]);
    }
}

/// All views, without the wall-clock times, which are told by the moment of the view.
fn shown(guard: &PeerGuard) -> String {
    let peers: Vec<_> = guard.snapshot().peers().collect();
    let views = peers.iter().map(|peer| {
        let text = format!("{peer:?}");
        let end = text.find("first_seen").expect("a view has a first_seen");
        let lapse = peer.last_seen.duration_since(peer.first_seen);
        format!("{} {lapse:?}", &text[..end])
    });
    views.collect()
}

#[test]
fn a_refusal_for_want_of_room_changes_nothing() {
    let mut config = Config { max_peers: PEERS, newcomers: Newcomers::Refuse, ..Config::default() };
    config.bandwidth.upload_limit_bps = 1_000_000;
    config.bandwidth.per_peer_upload_bps = 1_000_000;
    let guard = PeerGuard::with_clock(config, Clock::manual(1 << 50).0).unwrap();
    // Every record is pinned by a handle or holds an operator's setting.
    let handles: Vec<Peer> = (0..4).map(|n| guard.peer(&id(n))).collect();
    for n in 4..PEERS {
        guard.ban(&id(n), None, 0).unwrap();
    }
    assert!(handles.iter().all(Peer::is_tracked));
    let (before, _) = State::of(&guard);
    for n in 0..OF_EACH {
        let newcomer = id(100 + (n % 100) as usize);
        let no = guard.admit_bytes(&newcomer, Direction::Upload, 10).unwrap_err();
        assert_eq!((no.reason, no.retry_after), (Reason::TableFull, None));
        assert!(!guard.try_upload(&newcomer, 10));
        assert!(!guard.should_communicate(&newcomer));
        assert_eq!(guard.ban(&newcomer, None, 0), Err(Error::TableFull));
        assert!(guard.view(&newcomer).is_none());
        // These ask without counting.
        assert_eq!(guard.explain(&newcomer).verdict, Err(no));
        let handle = guard.peer(&newcomer);
        assert!(!handle.is_tracked());
        assert_eq!(handle.check(), Err(no));
    }
    assert_eq!(guard.get_summary().denied(Reason::TableFull), 3 * OF_EACH);
    let (mut after, _) = State::of(&guard);
    // The newcomers are counted as such, and that is all.
    let untracked = counts(&guard.get_summary()).len() - 3;
    after.counts[untracked] = before.counts[untracked];
    assert_eq!(after, before);
}
