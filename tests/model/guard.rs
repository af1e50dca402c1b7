//! The guard: one gate over the peers' breakers, standings and buckets.

use std::collections::BTreeMap;
use std::time::Duration;

use peerguard::{
    BanOrigin, BanReason, Config, Direction, EventKind, Forced, Limits, Outcome, PeerId, PeerLimits, Reason, Recorded,
    Traffic, Weights,
};

use crate::reference::breaker::{Effect, Slot, Source};
use crate::reference::bucket::Bucket;
use crate::reference::bytes::{Request, Take};
use crate::reference::peer::ModelPeer;
use crate::reference::reputation::{self, Crossing};
use crate::reference::rules;

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
    pub take: Option<Take>,
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

pub struct Model {
    pub breaker: rules::Rules,
    pub reputation: reputation::Rules,
    weights: Weights,
    pub latency_weight: f64,
    pub refill_ns: i128,
    pub limits: Limits,
    pub global: [Bucket; 2],
    pub peers: BTreeMap<PeerId, ModelPeer>,
    pub totals: Totals,
    pub events: Vec<(PeerId, EventKind)>,
}

impl Model {
    pub fn new(now: u64, config: &Config) -> Self {
        Self {
            breaker: rules::Rules::new(&config.circuit_breaker),
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

    pub fn observed(&self, id: &PeerId) -> bool {
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

    pub fn count_denial(&mut self, reason: Reason, direction: Option<Direction>) {
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
                peer.see(now);
            }
            permit.generation = peer.breaker.generation;
        }
        self.happened(id, events);
        Ok(permit)
    }

    /// Counts the bytes of a permit that ends.
    fn settle_bytes(&mut self, now: u64, permit: &ModelPermit) {
        if let Some(take) = permit.take.filter(|_| permit.bytes > 0) {
            self.record(now, permit.id).see(now);
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
        let weight = weight(&self.weights, outcome);
        let peer = self.peers.get_mut(&id).expect("made above");
        let mut events = Vec::new();
        peer.see(now);
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
        self.record(now, id).see(now);
        self.moved(id, Direction::Upload, traffic.sent);
        self.moved(id, Direction::Download, traffic.received);
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

/// What an outcome does to the score.
pub fn weight(weights: &Weights, outcome: Outcome) -> f64 {
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

/// What an outcome is to the breaker; `None` for those without effect.
pub fn effect(outcome: Outcome) -> Option<Effect> {
    match outcome {
        Outcome::SyncSuccess | Outcome::MessageSuccess => Some(Effect::Success),
        Outcome::Cancelled | Outcome::LocalError => None,
        _ => Some(Effect::Failure),
    }
}
