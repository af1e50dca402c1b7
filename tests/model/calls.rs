//! The calls of a sequence, as plain data, and how they are drawn.

use std::time::Duration;

use fastrand::Rng;
use peerguard::{Config, Direction, Forced, Limits, Outcome, PeerLimits, Traffic};

/// Peers of a sequence.
pub const PEERS: usize = 3;

/// Through which face a gate call goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Face {
    Key,
    Owned,
    Handle,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ask {
    Nothing,
    Bytes(Direction, u64),
    UpTo(Direction, u64),
}

/// How a permit ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Finish {
    Success(Option<Duration>),
    Failure,
    Record(Outcome, Option<Duration>, Traffic),
    Drop,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Call {
    Advance(u64),
    StepBack(u64),
    /// On by the last refusal's wait and so many nanoseconds more or less.
    Wait(i64),
    Admit {
        peer: usize,
        face: Face,
        ask: Ask,
    },
    /// Permits are picked by number, the newest first, modulo those that are out.
    Finish {
        permit: usize,
        how: Finish,
    },
    Refund {
        permit: usize,
        bytes: u64,
    },
    Report {
        peer: usize,
        handle: bool,
        outcome: Outcome,
        latency: Option<Duration>,
        traffic: Traffic,
    },
    RecordSuccess {
        peer: usize,
        latency_ms: Option<f64>,
    },
    RecordFailure {
        peer: usize,
    },
    ShouldCommunicate {
        peer: usize,
    },
    Try {
        peer: usize,
        direction: Direction,
        bytes: u64,
    },
    Pin {
        peer: usize,
    },
    Check {
        peer: usize,
    },
    Ban {
        peer: usize,
        length: Option<Duration>,
        code: u8,
    },
    Unban {
        peer: usize,
    },
    Reset {
        peer: usize,
    },
    Force {
        peer: usize,
        forced: Forced,
    },
    SetPeerLimits {
        peer: usize,
        limits: PeerLimits,
    },
    UpdateLimits(Limits),
    TopPeers(usize),
    SyncCandidates(usize),
}

/// What a sequence tends to: fixed per sequence, so that deep states are reached.
pub struct Mood {
    rng: Rng,
    first_peer: u32,
    /// Share of failing outcomes, by turns.
    failing: [f64; 2],
    turn: u32,
    drawn: u32,
    sane_clock: bool,
    bytes: bool,
    operator: bool,
    observe: bool,
    step: u64,
    slice_ns: u64,
    rates: [u64; 3],
    burst_ns: u64,
}

const NS_PER_DAY: u64 = 86_400_000_000_000;

impl Mood {
    pub fn new(seed: u64, config: &Config) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x6361_6c6c);
        let steps = [1, 1_000, 1_000_000, 100_000_000, 1_000_000_000, 10_000_000_000, 3_600_000_000_000, NS_PER_DAY];
        Self {
            first_peer: rng.u32(50..100),
            failing: [[0.1; 2], [0.5; 2], [0.7; 2], [0.9; 2], [1.0, 0.0], [0.95, 0.02]][rng.usize(..6)],
            turn: rng.u32(4..20),
            drawn: 0,
            sane_clock: rng.u8(..3) > 0,
            bytes: rng.bool(),
            operator: rng.u8(..3) == 0,
            observe: rng.u8(..4) == 0,
            step: steps[rng.usize(..steps.len())],
            slice_ns: slice_ns(config),
            burst_ns: config.bandwidth.refill_interval.as_nanos() as u64 * 10,
            rates: rates(&mut rng, config),
            rng,
        }
    }

    pub fn calls(&mut self) -> Vec<Call> {
        let length = self.rng.usize(30..=60);
        let mut calls = Vec::new();
        while calls.len() < length {
            if self.rng.u32(..40) == 0 {
                calls.extend(self.recovery());
            } else {
                calls.push(self.call());
            }
        }
        calls
    }

    /// What a node does that comes back to a peer it was refused: it waits, and asks until the breaker has closed.
    fn recovery(&mut self) -> Vec<Call> {
        let peer = self.peer();
        let mut calls = vec![Call::Admit { peer, face: Face::Key, ask: Ask::Nothing }, Call::Wait(0)];
        for _ in 0..self.rng.u32(1..4) {
            calls.push(Call::Admit { peer, face: self.face(), ask: self.ask() });
            let how = Finish::Record(Outcome::MessageSuccess, self.latency(), Traffic::default());
            calls.push(Call::Finish { permit: 0, how });
        }
        calls
    }

    fn failing(&self) -> f64 {
        self.failing[(self.drawn / self.turn % 2) as usize]
    }

    fn call(&mut self) -> Call {
        self.drawn += 1;
        match self.rng.u32(..100) {
            0..=17 => self.time(),
            18..=36 => Call::Admit { peer: self.peer(), face: self.face(), ask: self.ask() },
            37..=54 => Call::Finish { permit: self.rng.usize(..8), how: self.finish() },
            55..=57 => Call::Refund { permit: self.rng.usize(..8), bytes: self.amount() },
            58..=69 => self.report(),
            70..=74 => Call::ShouldCommunicate { peer: self.peer() },
            75..=78 => self.take(),
            79 => Call::Pin { peer: self.peer() },
            80..=81 => Call::Check { peer: self.peer() },
            82 => Call::TopPeers(self.rng.usize(..5)),
            83 => Call::SyncCandidates(self.rng.usize(..5)),
            84..=87 => self.limits(),
            _ if self.operator => self.operator(),
            _ => self.report(),
        }
    }

    fn peer(&mut self) -> usize {
        if self.rng.u32(..100) < self.first_peer { 0 } else { self.rng.usize(1..PEERS) }
    }

    fn face(&mut self) -> Face {
        [Face::Key, Face::Key, Face::Owned, Face::Handle][self.rng.usize(..4)]
    }

    fn time(&mut self) -> Call {
        if !self.sane_clock {
            match self.rng.u32(..10) {
                0 => return Call::StepBack(self.span()),
                1 => return Call::StepBack(1 << self.rng.u32(..45)),
                // A suspend that ends where a field of fewer bits has wrapped.
                2 => {
                    let unit = [1, 1 << 10, 1 << 20, self.slice_ns, 1_000_000_000][self.rng.usize(..5)];
                    let units = 1u64 << self.rng.u32(8..30);
                    let off = self.rng.u64(..3 * unit);
                    return Call::Advance(unit.saturating_mul(units).min(200 * NS_PER_DAY).saturating_add(off));
                }
                _ => {}
            }
        }
        if self.rng.u32(..3) == 0 { Call::Wait(self.rng.i64(-2..=2)) } else { Call::Advance(self.span()) }
    }

    fn span(&mut self) -> u64 {
        let step = match self.rng.u32(..12) {
            0 => self.slice_ns,
            1 => 30_000_000_000,
            2 => 1_000_000_000,
            3 => self.burst_ns,
            4 => 3_600_000_000_000,
            // In so much closed time a re-opening is forgotten.
            5 => 300_000_000_000 + [0, 0, 1 << 20, 500_000_000][self.rng.usize(..4)],
            _ => self.step,
        };
        match self.rng.u32(..3) {
            0 => step,
            1 => self.rng.u64(..=step),
            _ => step * self.rng.u64(1..4),
        }
    }

    fn ask(&mut self) -> Ask {
        if !self.bytes {
            return Ask::Nothing;
        }
        let direction = self.direction();
        match self.rng.u32(..4) {
            0 => Ask::Nothing,
            1 => Ask::UpTo(direction, self.amount()),
            _ => Ask::Bytes(direction, self.amount()),
        }
    }

    /// Mostly an amount that matters to one of the rates in use.
    fn amount(&mut self) -> u64 {
        let rate = u128::from(self.rates[self.rng.usize(..3)]);
        let burst = u64::try_from(rate * u128::from(self.burst_ns) / 1_000_000_000).unwrap_or(u64::MAX).max(1);
        match self.rng.u32(..40) {
            0 => 0,
            1 => 1,
            2 => u64::MAX >> self.rng.u32(..64),
            3 => burst,
            4 => burst.saturating_add(1),
            5..=18 => self.rng.u64(..=burst),
            _ => self.rng.u64(..=burst / 4 + 1),
        }
    }

    fn direction(&mut self) -> Direction {
        if self.rng.u8(..3) == 0 { Direction::Download } else { Direction::Upload }
    }

    fn latency(&mut self) -> Option<Duration> {
        match self.rng.u32(..8) {
            0 => Some(Duration::ZERO),
            1 => Some(Duration::from_nanos(self.rng.u64(..) >> self.rng.u32(8..64))),
            2..=4 => Some(Duration::from_micros(self.rng.u64(100..2_000_000))),
            _ => None,
        }
    }

    fn traffic(&mut self) -> Traffic {
        match self.rng.u32(..4) {
            0 => Traffic { sent: self.rng.u64(..1 << 40), received: self.rng.u64(..1000) },
            1 => Traffic { sent: 0, received: self.rng.u64(..1 << 20) },
            _ => Traffic::default(),
        }
    }

    fn outcome(&mut self) -> Outcome {
        use Outcome::*;
        if self.rng.u32(..12) == 0 {
            return [Cancelled, LocalError][self.rng.usize(..2)];
        }
        if self.rng.f64() >= self.failing() {
            return [SyncSuccess, MessageSuccess][self.rng.usize(..2)];
        }
        match self.rng.u32(..30) {
            0 => Fatal,
            1..=5 => ProtocolViolation,
            6..=17 => SyncFailure,
            18..=22 => MessageFailure,
            23..=26 => Timeout,
            _ => Unreachable,
        }
    }

    fn finish(&mut self) -> Finish {
        match self.rng.u32(..10) {
            0 => Finish::Drop,
            1..=3 if self.rng.f64() < self.failing() => Finish::Failure,
            1..=3 => Finish::Success(self.latency()),
            _ => Finish::Record(self.outcome(), self.latency(), self.traffic()),
        }
    }

    fn report(&mut self) -> Call {
        let peer = self.peer();
        match self.rng.u32(..6) {
            0 if self.rng.f64() >= self.failing() => {
                let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -0.0, 0.0, 1e-300, 1e300, f64::MAX];
                let latency_ms = match self.rng.u32(..4) {
                    0 => Some(odd[self.rng.usize(..odd.len())]),
                    1..=2 => Some(self.rng.f64() * 500.0),
                    _ => None,
                };
                Call::RecordSuccess { peer, latency_ms }
            }
            0 | 1 => Call::RecordFailure { peer },
            _ => Call::Report {
                peer,
                handle: self.rng.u8(..4) == 0,
                outcome: self.outcome(),
                latency: self.latency(),
                traffic: self.traffic(),
            },
        }
    }

    fn take(&mut self) -> Call {
        if self.bytes {
            Call::Try { peer: self.peer(), direction: self.direction(), bytes: self.amount() }
        } else {
            self.report()
        }
    }

    fn limits(&mut self) -> Call {
        if !self.bytes {
            return self.report();
        }
        let mut limit = || if self.rng.u8(..3) == 0 { 0 } else { self.rates[self.rng.usize(..3)] };
        if limit() % 2 == 0 {
            return Call::UpdateLimits(Limits {
                upload: limit(),
                download: limit(),
                per_peer_upload: limit(),
                per_peer_download: limit(),
            });
        }
        let mut own = [Some(limit()), Some(limit())];
        own[self.rng.usize(..2)] = None;
        let limits = PeerLimits { upload: own[0], download: own[1] };
        Call::SetPeerLimits { peer: self.peer(), limits }
    }

    fn operator(&mut self) -> Call {
        let peer = self.peer();
        match self.rng.u32(..10) {
            0..=2 => {
                let length = match self.rng.u32(..4) {
                    0 => None,
                    1 => Some(Duration::from_nanos(self.rng.u64(1 << 20..1 << 50))),
                    _ => Some(Duration::from_nanos(self.span() + (1 << 20))),
                };
                Call::Ban { peer, length, code: self.rng.u8(..) }
            }
            3..=4 => Call::Unban { peer },
            5..=6 => Call::Reset { peer },
            7 if !self.observe => Call::Force { peer, forced: Forced::Open },
            8 if !self.observe => Call::Force { peer, forced: Forced::Closed },
            _ => Call::Force { peer, forced: Forced::Observe },
        }
    }
}

/// Nanoseconds of a slice of the failure window.
pub fn slice_ns(config: &Config) -> u64 {
    (config.circuit_breaker.failure_window.as_nanos() as u64 / 8).max(1)
}

/// Rates to draw amounts and limits from: mostly those of the configuration.
fn rates(rng: &mut Rng, config: &Config) -> [u64; 3] {
    let bandwidth = &config.bandwidth;
    let mut own = vec![
        bandwidth.upload_limit_bps,
        bandwidth.download_limit_bps,
        bandwidth.per_peer_upload_bps,
        bandwidth.per_peer_download_bps,
    ];
    own.retain(|&rate| rate > 0);
    rng.shuffle(&mut own);
    std::array::from_fn(|n| match own.get(n) {
        Some(&rate) if n < 2 || rng.bool() => rate,
        _ => rate(rng),
    })
}

/// A rate from 1 B/s to 100 GB/s, each size as likely.
pub fn rate(rng: &mut Rng) -> u64 {
    let top = 1u64 << rng.u32(1..38);
    rng.u64(1..=top.min(100_000_000_000))
}
