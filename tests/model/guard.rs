//! The guard: one gate over the peers' breakers, standings and buckets.

use std::collections::BTreeMap;
use std::time::Duration;

use peerguard::{
    BanOrigin, BanReason, Config, Direction, EventKind, Forced, Limits, Outcome, PeerId, PeerLimits, Reason, Recorded,
    Traffic, Weights,
};

use crate::reference::breaker::{self, Effect, Slot, Source};
use crate::reference::bucket::{Bucket, Fit, Terms};
use crate::reference::peer::ModelPeer;
use crate::reference::reputation::{self, Crossing};

/// A refusal, with the wait in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refusal {
    pub reason: Reason,
    pub wait: Option<i128>,
}

impl Refusal {
    fn of((reason, wait): (Reason, Option<i128>)) -> Self {
        Self { reason, wait }
    }
}

#[derive(Clone, Debug)]
pub struct ModelPermit {
    pub id: PeerId,
    pub generation: u16,
    pub probe: bool,
    pub bytes: u64,
    take: Option<Take>,
}

/// Bytes that a permit holds.
#[derive(Clone, Copy, Debug)]
struct Take {
    direction: Direction,
    /// What the peer's and the guard's bucket were charged for the bytes that are left.
    charges: [i128; 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// By `Reason as usize`.
    pub denials: [u64; 9],
    /// By direction, then peer, global.
    pub throttled: [[u64; 2]; 2],
    pub trips: u64,
    pub probes_lost: u64,
    pub would_deny: u64,
}

/// Bytes that are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub direction: Direction,
    pub bytes: u64,
}

pub struct Model {
    pub breaker: breaker::Rules,
    pub reputation: reputation::Rules,
    weights: Weights,
    pub latency_weight: f64,
    refill_ns: i128,
    pub limits: Limits,
    pub global: [Bucket; 2],
    pub peers: BTreeMap<PeerId, ModelPeer>,
    pub totals: Totals,
    pub events: Vec<(PeerId, EventKind)>,
}

impl Model {
    pub fn new(now: u64, config: &Config) -> Self {
        Self {
            breaker: breaker::Rules::new(&config.circuit_breaker),
            reputation: reputation::Rules::new(&config.reputation),
            weights: config.reputation.weights,
            latency_weight: config.reputation.latency_weight,
            refill_ns: config.bandwidth.refill_interval.as_nanos() as i128,
            limits: config.bandwidth.limits(),
            global: [Bucket::full(now); 2],
            peers: BTreeMap::new(),
            totals: Totals::default(),
            events: Vec::new(),
        }
    }

    pub fn record(&mut self, now: u64, id: PeerId) -> &mut ModelPeer {
        self.peers.entry(id).or_insert_with(|| ModelPeer::new(now, &self.reputation))
    }

    pub fn global_terms(&self, direction: Direction) -> Option<Terms> {
        let rate = match direction {
            Direction::Upload => self.limits.upload,
            Direction::Download => self.limits.download,
        };
        Terms::new(rate, self.refill_ns)
    }

    pub fn peer_terms(&self, id: &PeerId, direction: Direction) -> Option<Terms> {
        let own = self.peers.get(id).map(|peer| peer.own_limits).unwrap_or_default();
        let rate = match direction {
            Direction::Upload => own.upload.unwrap_or(self.limits.per_peer_upload),
            Direction::Download => own.download.unwrap_or(self.limits.per_peer_download),
        };
        Terms::new(rate, self.refill_ns)
    }

    /// The peer's bucket; a newcomer's is full.
    pub fn peer_bucket(&self, now: u64, id: &PeerId, direction: Direction) -> Bucket {
        self.peers.get(id).map_or(Bucket::full(now), |peer| peer.buckets[direction as usize])
    }

    fn observed(&self, id: &PeerId) -> bool {
        self.peers.get(id).is_some_and(|peer| peer.breaker.forced == Forced::Observe)
    }

    /// The rules up to the bytes: ban, forced open, breaker open, probes out.
    pub fn standing_refusal(&self, now: u64, id: &PeerId) -> Option<Refusal> {
        let peer = self.peers.get(id)?;
        if let Some(ban) = peer.standing.ban(now) {
            return Some(Refusal { reason: Reason::Banned, wait: ban.remaining(now) });
        }
        peer.breaker.refusal(now, &self.breaker).map(Refusal::of)
    }

    /// The byte rules: the peer's bucket, then the guard's.
    fn byte_refusal(&self, now: u64, id: &PeerId, request: Request) -> Option<Refusal> {
        if request.bytes == 0 {
            return None;
        }
        let Request { direction, bytes } = request;
        let own = self.peer_terms(id, direction);
        let all = self.global_terms(direction);
        let scopes = [
            (self.peer_bucket(now, id, direction), own, Reason::PeerBytes, Reason::PeerExceedsBurst),
            (self.global[direction as usize], all, Reason::GlobalBytes, Reason::GlobalExceedsBurst),
        ];
        for (bucket, terms, short, exceeds) in scopes {
            let Some(terms) = terms else { continue };
            match bucket.fit(now, bytes, &terms) {
                Fit::Fits => {}
                Fit::Later(units) => return Some(Refusal { reason: short, wait: Some((units + 1023) / 1024) }),
                Fit::Never => return Some(Refusal { reason: exceeds, wait: None }),
            }
        }
        None
    }

    /// The most bytes that both buckets would give now.
    fn room(&self, now: u64, id: &PeerId, direction: Direction) -> u64 {
        let own = self.peer_terms(id, direction).map(|terms| self.peer_bucket(now, id, direction).room(now, &terms));
        own.unwrap_or(u64::MAX).min(self.global_room(now, direction).unwrap_or(u64::MAX))
    }

    /// As `room`, of the guard's bucket alone; `None` = unlimited.
    pub fn global_room(&self, now: u64, direction: Direction) -> Option<u64> {
        self.global_terms(direction).map(|terms| self.global[direction as usize].room(now, &terms))
    }

    fn count_denial(&mut self, reason: Reason, direction: Option<Direction>) {
        self.totals.denials[reason as usize] += 1;
        let scope = match reason {
            Reason::PeerBytes | Reason::PeerExceedsBurst => 0,
            Reason::GlobalBytes | Reason::GlobalExceedsBurst => 1,
            _ => return,
        };
        if let Some(direction) = direction {
            self.totals.throttled[direction as usize][scope] += 1;
        }
    }

    /// Everything that an admission asks.
    pub fn refusal(&self, now: u64, id: &PeerId, request: Option<Request>) -> Option<Refusal> {
        self.standing_refusal(now, id).or_else(|| request.and_then(|request| self.byte_refusal(now, id, request)))
    }

    pub fn admit(
        &mut self,
        now: u64,
        id: PeerId,
        slot: Slot,
        request: Option<Request>,
    ) -> Result<ModelPermit, Refusal> {
        let observed = self.observed(&id);
        let refusal = self.refusal(now, &id, request);
        if let Some(refusal) = refusal {
            if !observed {
                self.count_denial(refusal.reason, request.map(|request| request.direction));
                return Err(refusal);
            }
            self.totals.would_deny += 1;
        }
        let request = request.filter(|request| request.bytes > 0);
        let take = request.map(|request| {
            let fits = self.byte_refusal(now, &id, request).is_none();
            self.take(now, id, request, fits)
        });
        let mut events = Vec::new();
        let mut permit =
            ModelPermit { id, generation: 0, probe: false, bytes: request.map_or(0, |request| request.bytes), take };
        if let Some(peer) = self.peers.get_mut(&id) {
            permit.probe = peer.breaker.admit(now, slot, &self.breaker, &mut events);
            if permit.probe {
                peer.last_seen = now;
            }
            permit.generation = peer.breaker.generation;
        }
        self.happened(id, events);
        Ok(permit)
    }

    /// Charges both buckets, or neither.
    fn take(&mut self, now: u64, id: PeerId, request: Request, fits: bool) -> Take {
        let Request { direction, bytes } = request;
        let index = direction as usize;
        let mut take = Take { direction, charges: [0; 2] };
        self.record(now, id).last_seen = now;
        if !fits {
            return take;
        }
        if let Some(terms) = self.peer_terms(&id, direction) {
            take.charges[0] = self.record(now, id).buckets[index].take(now, bytes, &terms);
        }
        if let Some(terms) = self.global_terms(direction) {
            take.charges[1] = self.global[index].take(now, bytes, &terms);
        }
        take
    }

    pub fn grant_up_to(&mut self, now: u64, id: PeerId, request: Request) -> Result<ModelPermit, Refusal> {
        if request.bytes == 0 {
            return self.admit(now, id, Slot::Permit, None);
        }
        let bytes = match self.room(now, &id, request.direction) {
            0 if self.observed(&id) => request.bytes,
            room => room.clamp(1, request.bytes),
        };
        self.admit(now, id, Slot::Permit, Some(Request { bytes, ..request }))
    }

    /// Bytes only: neither ban nor breaker is asked.
    pub fn try_bytes(&mut self, now: u64, id: PeerId, request: Request) -> bool {
        if request.bytes == 0 {
            return true;
        }
        let refusal = self.byte_refusal(now, &id, request);
        if let Some(refusal) = refusal {
            if !self.observed(&id) {
                self.count_denial(refusal.reason, Some(request.direction));
                return false;
            }
            self.totals.would_deny += 1;
        }
        self.take(now, id, request, refusal.is_none());
        self.moved(id, request.direction, request.bytes);
        true
    }

    fn moved(&mut self, id: PeerId, direction: Direction, bytes: u64) {
        if let Some(peer) = self.peers.get_mut(&id) {
            add(&mut peer.bytes[direction as usize], bytes);
        }
    }

    pub fn refund(&mut self, permit: &mut ModelPermit, bytes: u64) -> u64 {
        let bytes = bytes.min(permit.bytes);
        let Some(take) = permit.take.as_mut().filter(|_| bytes > 0) else {
            return 0;
        };
        let left = permit.bytes - bytes;
        let [own, all] = take.charges.map(|charge| {
            // The share of the bytes that are kept, rounded up, stays charged.
            (charge * i128::from(left) + i128::from(permit.bytes) - 1) / i128::from(permit.bytes)
        });
        let index = take.direction as usize;
        if let Some(peer) = self.peers.get_mut(&permit.id) {
            peer.buckets[index].give_back(take.charges[0] - own);
        }
        self.global[index].give_back(take.charges[1] - all);
        take.charges = [own, all];
        permit.bytes = left;
        bytes
    }

    /// Counts the bytes of a permit that ends.
    fn settle_bytes(&mut self, now: u64, permit: &ModelPermit) {
        if let Some(take) = permit.take.filter(|_| permit.bytes > 0) {
            self.record(now, permit.id).last_seen = now;
            self.moved(permit.id, take.direction, permit.bytes);
        }
    }

    pub fn drop_permit(&mut self, now: u64, permit: &ModelPermit) {
        self.settle_bytes(now, permit);
        let _neutral = self.neutral(now, permit.id, source(permit));
    }

    fn neutral(&mut self, now: u64, id: PeerId, source: Source) -> Recorded {
        let mut events = Vec::new();
        let Some(peer) = self.peers.get_mut(&id) else {
            return Recorded::Ignored;
        };
        let recorded = peer.breaker.report(now, source, Effect::Neutral, &self.breaker, &mut events);
        self.happened(id, events);
        recorded
    }

    pub fn finish(
        &mut self,
        now: u64,
        permit: &ModelPermit,
        outcome: Outcome,
        latency_ms: Option<f64>,
        traffic: Traffic,
        banned: bool,
    ) -> Recorded {
        self.settle_bytes(now, permit);
        self.report(now, permit.id, source(permit), outcome, latency_ms, traffic, banned)
    }

    /// One report. `banned`: what the guard under test shows afterwards, for a score on the very edge.
    #[allow(clippy::too_many_arguments, reason = "a report has these parts")]
    pub fn report(
        &mut self,
        now: u64,
        id: PeerId,
        source: Source,
        outcome: Outcome,
        latency_ms: Option<f64>,
        traffic: Traffic,
        banned: bool,
    ) -> Recorded {
        let Some(effect) = effect(outcome) else {
            self.traffic(now, id, traffic);
            return self.neutral(now, id, source);
        };
        self.record(now, id);
        self.traffic(now, id, traffic);
        let weight = self.weight(outcome);
        let peer = self.peers.get_mut(&id).expect("made above");
        let mut events = Vec::new();
        peer.last_seen = now;
        peer.counts[outcome as usize] += 1;
        if peer.standing.ban(now).is_some() {
            // Counters only; a probe's slot goes back.
            return self.neutral(now, id, source);
        }
        if let Some(latency_ms) = latency_ms {
            peer.measure(latency_ms);
        }
        let crossing = peer.standing.weigh(now, weight, &self.reputation);
        let low = crossing == Crossing::Banned || (crossing == Crossing::Edge && banned);
        let reason = if outcome == Outcome::Fatal { BanReason::Fatal } else { BanReason::LowScore };
        if low || outcome == Outcome::Fatal {
            peer.standing.earn_ban(now, reason, &self.reputation);
            events.push(EventKind::Banned(BanOrigin::Earned));
        }
        let recorded = peer.breaker.report(now, source, effect, &self.breaker, &mut events);
        self.happened(id, events);
        recorded
    }

    fn traffic(&mut self, now: u64, id: PeerId, traffic: Traffic) {
        if traffic == Traffic::default() {
            return;
        }
        self.record(now, id).last_seen = now;
        self.moved(id, Direction::Upload, traffic.sent);
        self.moved(id, Direction::Download, traffic.received);
    }

    fn weight(&self, outcome: Outcome) -> f64 {
        let weights = &self.weights;
        match outcome {
            Outcome::SyncSuccess => weights.sync_success,
            Outcome::MessageSuccess => weights.message_success,
            Outcome::SyncFailure => weights.sync_failure,
            Outcome::MessageFailure => weights.message_failure,
            Outcome::Timeout => weights.timeout,
            Outcome::Unreachable => weights.unreachable,
            Outcome::ProtocolViolation => weights.protocol_violation,
            Outcome::Fatal | Outcome::Cancelled | Outcome::LocalError => 0.0,
        }
    }

    fn happened(&mut self, id: PeerId, events: Vec<EventKind>) {
        for event in events {
            match event {
                EventKind::Opened => self.totals.trips += 1,
                EventKind::ProbesLost(probes) => self.totals.probes_lost += u64::from(probes),
                _ => {}
            }
            self.events.push((id, event));
        }
    }

    pub fn ban(&mut self, now: u64, id: PeerId, length: Option<Duration>, code: u8) {
        self.record(now, id);
        let length = length.map(|length| (length.as_nanos() as i128).max(1));
        let peer = self.peers.get_mut(&id).expect("made above");
        if peer.standing.operator_ban(now, length, code, &self.reputation) {
            self.happened(id, vec![EventKind::Banned(BanOrigin::Operator)]);
        }
    }

    pub fn unban(&mut self, now: u64, id: PeerId) -> bool {
        let lifted = self.peers.get_mut(&id).is_some_and(|peer| peer.standing.unban(now));
        if lifted {
            self.happened(id, vec![EventKind::Unbanned]);
        }
        lifted
    }

    pub fn reset(&mut self, now: u64, id: PeerId) -> bool {
        let Some(peer) = self.peers.get_mut(&id) else {
            return false;
        };
        let mut events = Vec::new();
        peer.breaker.reset(now, &self.breaker, &mut events);
        peer.standing.reset(now, &self.reputation);
        events.push(EventKind::Reset);
        self.happened(id, events);
        true
    }

    pub fn force(&mut self, now: u64, id: PeerId, forced: Forced) {
        self.record(now, id);
        let peer = self.peers.get_mut(&id).expect("made above");
        let mut events = Vec::new();
        peer.breaker.force(now, forced, &self.breaker, &mut events);
        events.push(EventKind::Forced(forced));
        self.happened(id, events);
    }

    pub fn set_peer_limits(&mut self, now: u64, id: PeerId, limits: PeerLimits) {
        self.record(now, id).own_limits = limits;
    }
}

fn source(permit: &ModelPermit) -> Source {
    Source::Permit { generation: permit.generation, probe: permit.probe }
}

/// What an outcome is to the breaker; `None` for those without effect.
fn effect(outcome: Outcome) -> Option<Effect> {
    match outcome {
        Outcome::SyncSuccess | Outcome::MessageSuccess => Some(Effect::Success),
        Outcome::Cancelled | Outcome::LocalError => None,
        _ => Some(Effect::Failure),
    }
}

/// Sums saturate.
fn add(sum: &mut u64, n: u64) {
    *sum = sum.saturating_add(n).min(i64::MAX as u64);
}
