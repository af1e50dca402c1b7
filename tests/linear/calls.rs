//! Which calls the threads of a history make, drawn from its seed.

use std::time::Duration;

use fastrand::Rng;
use peerguard::{Config, Forced, Outcome};

use crate::linear::history::KEYS;

pub const THREADS: usize = 3;
pub const CALLS: usize = 15;

#[derive(Clone, Copy, Debug)]
pub enum Call {
    Advance(u64),
    Admit {
        key: usize,
    },
    Ask {
        key: usize,
    },
    /// `None`: the permit is dropped. Permits are taken oldest first.
    Finish(Option<Outcome>),
    Report {
        key: usize,
        outcome: Outcome,
    },
    Check {
        key: usize,
    },
    IsBanned {
        key: usize,
    },
    View {
        key: usize,
    },
    Ban {
        key: usize,
        length: Option<Duration>,
        code: u8,
    },
    Unban {
        key: usize,
    },
    Reset {
        key: usize,
    },
    Force {
        key: usize,
        forced: Forced,
    },
    Take {
        key: usize,
        bytes: u64,
    },
    Try {
        key: usize,
        bytes: u64,
    },
    /// Of the permit that the thread took last.
    Refund(u64),
}

/// What a history is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Topic {
    /// Breakers and standings.
    Peers,
    /// Byte buckets, each peer's and the shared one.
    Bytes,
}

#[derive(Debug)]
pub struct Plan {
    pub config: Config,
    pub start: u64,
    /// Each peer has a record and a handle from the start, by which half of the calls go.
    pub handles: bool,
    pub calls: [Vec<Call>; THREADS],
}

/// What a history tends to.
struct Mood {
    rng: Rng,
    topic: Topic,
    first_key: f64,
    failing: f64,
    operator: bool,
    bans: bool,
    observe: bool,
    /// How often the clock moves: a peer comes out of Open only when it does.
    moves: f64,
    /// How often a take is small enough for a share of the bucket of all peers.
    small: f64,
}

impl Plan {
    pub fn new(seed: u64, topic: Topic) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x6869_7374);
        let config = config(&mut rng, topic);
        let handles = rng.bool();
        let start = 1 << rng.u32(36..60);
        let mut mood = Mood {
            topic,
            first_key: [0.5, 0.9, 1.0][rng.usize(..3)],
            failing: [0.3, 0.6, 0.9][rng.usize(..3)],
            operator: rng.u8(..3) == 0,
            bans: rng.bool(),
            observe: rng.u8(..6) == 0,
            moves: [0.1, 0.2, 0.4][rng.usize(..3)],
            small: [0.0, 0.7, 0.9][rng.usize(..3)],
            rng,
        };
        let calls = std::array::from_fn(|thread| (0..CALLS).map(|_| mood.call(thread)).collect());
        Self { config, start, handles, calls }
    }
}

fn config(rng: &mut Rng, topic: Topic) -> Config {
    let mut config = Config { max_peers: 16, event_capacity: 128, ..Config::default() };
    let breaker = &mut config.circuit_breaker;
    breaker.jitter = 0.0;
    breaker.failure_threshold = rng.u32(1..=3);
    breaker.success_threshold = rng.u32(1..=2);
    breaker.half_open_max_probes = [None, Some(1), Some(2), Some(3)][rng.usize(..4)];
    breaker.recovery_timeout = Duration::from_millis(1000);
    breaker.max_open_time = Duration::from_millis(4000);
    breaker.probe_timeout = [None, Some(Duration::from_millis(500))][rng.usize(..2)];
    let reputation = &mut config.reputation;
    // A few failures reach the bound; in half of the histories every score is exact.
    reputation.initial_score = [50.0, 20.0, 10.0][rng.usize(..3)];
    reputation.hourly_decay_factor = [1.0, 0.99][rng.usize(..2)];
    reputation.ban_duration = Some(Duration::from_millis(1500));
    if topic == Topic::Bytes {
        config.bandwidth.upload_limit_bps = rng.u64(500..2_500);
        config.bandwidth.per_peer_upload_bps = rng.u64(300..1_500);
    }
    config
}

impl Mood {
    fn call(&mut self, thread: usize) -> Call {
        if thread == 0 && self.rng.f64() < self.moves {
            let near = self.rng.u64(..2_000_000);
            return Call::Advance([100_000_000, 500_000_000, 1_000_000_000, 1_500_000_000][self.rng.usize(..4)] + near);
        }
        match self.topic {
            Topic::Peers => self.peers(),
            Topic::Bytes => self.bytes(),
        }
    }

    fn key(&mut self) -> usize {
        if self.rng.f64() < self.first_key { 0 } else { self.rng.usize(..KEYS) }
    }

    fn peers(&mut self) -> Call {
        let key = self.key();
        match self.rng.u32(..100) {
            0..=24 => Call::Admit { key },
            25..=49 => Call::Finish(self.ending()),
            50..=57 => Call::Ask { key },
            58..=74 => Call::Report { key, outcome: self.outcome() },
            75..=79 => Call::Check { key },
            80..=84 => Call::View { key },
            85..=89 if self.bans => Call::IsBanned { key },
            90..=99 if self.operator => self.operator(key),
            _ => Call::Admit { key },
        }
    }

    fn operator(&mut self, key: usize) -> Call {
        match self.rng.u32(..8) {
            0..=1 if self.bans => {
                let length =
                    [None, Some(Duration::from_millis(500)), Some(Duration::from_secs(3))][self.rng.usize(..3)];
                Call::Ban { key, length, code: self.rng.u8(..) }
            }
            2 if self.bans => Call::Unban { key },
            3 if self.observe => Call::Force { key, forced: Forced::Observe },
            4 => Call::Force { key, forced: Forced::Open },
            5 => Call::Force { key, forced: Forced::Closed },
            _ => Call::Reset { key },
        }
    }

    fn outcome(&mut self) -> Outcome {
        use Outcome::*;
        if self.rng.u32(..12) == 0 {
            return Cancelled;
        }
        if self.rng.f64() >= self.failing {
            return [SyncSuccess, MessageSuccess][self.rng.usize(..2)];
        }
        match self.rng.u32(..10) {
            0 if self.bans => Fatal,
            1..=2 if self.bans => ProtocolViolation,
            3..=4 if self.bans => SyncFailure,
            5..=6 => MessageFailure,
            7..=8 => Timeout,
            _ => Unreachable,
        }
    }

    fn ending(&mut self) -> Option<Outcome> {
        (self.rng.u32(..8) > 0).then(|| self.outcome())
    }

    fn bytes(&mut self) -> Call {
        let key = self.key();
        let bytes = match self.rng.u32(..30) {
            0 => self.rng.u64(1..3_000),
            _ if self.rng.f64() < self.small => self.rng.u64(1..40),
            _ => self.rng.u64(50..400),
        };
        match self.rng.u32(..10) {
            0..=4 => Call::Take { key, bytes },
            5..=6 => Call::Try { key, bytes },
            7..=8 => Call::Refund(bytes / 2),
            _ => Call::Finish([None, Some(Outcome::MessageSuccess)][self.rng.usize(..2)]),
        }
    }
}
