//! One call after the other, to the guard and to the model, and what must be equal after each.

use std::cell::OnceCell;
use std::time::Duration;

use peerguard::{
    Config, Direction, EventKind, Forced, ManualClock, Outcome, OwnedPermit, Peer, PeerGuard, PeerId, Permit, Reason,
    Recorded, Rejection, Traffic,
};

use crate::reference::breaker::{Slot, Source};
use crate::reference::bytes::Request;
use crate::reference::calls::{Ask, Call, Face, Finish, PEERS};
use crate::reference::compare::{self, same};
use crate::reference::coverage::Coverage;
use crate::reference::guard::{Model, ModelPermit, Refusal};
use crate::reference::orders;

enum Held<'g> {
    Borrowed(Permit<'g>),
    Owned(OwnedPermit),
}

/// Calls a method of either kind of permit.
macro_rules! either {
    ($held:expr, $permit:ident => $do:expr) => {
        match $held {
            Held::Borrowed($permit) => $do,
            Held::Owned($permit) => $do,
        }
    };
}

pub struct Run<'g> {
    guard: &'g PeerGuard,
    clock: ManualClock,
    handles: &'g [OnceCell<Peer>; PEERS],
    ids: [PeerId; PEERS],
    model: Model,
    permits: Vec<(Held<'g>, ModelPermit)>,
    last_wait: Duration,
    recorded: [u64; 3],
    events: Vec<EventKind>,
}

impl<'g> Run<'g> {
    pub fn new(
        guard: &'g PeerGuard,
        clock: ManualClock,
        handles: &'g [OnceCell<Peer>; PEERS],
        config: &Config,
    ) -> Self {
        Self {
            guard,
            handles,
            ids: std::array::from_fn(|n| PeerId::new([n as u8 + 1; 32])),
            model: Model::new(clock.now(), config),
            clock,
            permits: Vec::new(),
            last_wait: Duration::ZERO,
            recorded: [0; 3],
            events: Vec::new(),
        }
    }

    pub fn step(&mut self, call: &Call) -> Result<(), String> {
        self.call(call)?;
        if self.is_doubtful() {
            return Ok(());
        }
        let now = self.clock.now();
        self.adopt_jitter(now)?;
        compare::peers(self.guard, &self.model, &self.ids, now)?;
        compare::totals(&self.guard.get_summary(), &self.model, now)?;
        for id in &self.ids {
            compare::explanation(&self.guard.explain(id), &self.model, id, now)?;
        }
        let drained = self.guard.drain_events(usize::MAX);
        let events: Vec<_> = drained.iter().map(|event| (event.peer, event.kind)).collect();
        same!("events", events, std::mem::take(&mut self.model.events));
        self.events.extend(events.iter().map(|(_, kind)| *kind));
        Ok(())
    }

    pub fn is_doubtful(&self) -> bool {
        let now = self.clock.now();
        let mut peers = self.model.peers.values();
        peers.any(|peer| peer.breaker.is_doubtful(now, peer.last_seen, &self.model.breaker))
    }

    /// The record's handle; it makes the record.
    fn handle(&mut self, peer: usize) -> &'g Peer {
        let now = self.clock.now();
        if self.handles[peer].get().is_none() {
            self.model.record(now, self.ids[peer]);
        }
        self.handles[peer].get_or_init(|| self.guard.peer(&self.ids[peer]))
    }

    fn call(&mut self, call: &Call) -> Result<(), String> {
        let now = self.clock.now();
        match *call {
            Call::Advance(ns) => self.clock.advance(Duration::from_nanos(ns)),
            Call::StepBack(ns) => self.clock.step_back(Duration::from_nanos(ns)),
            Call::Wait(more) => {
                self.clock.advance(self.last_wait);
                if more >= 0 {
                    self.clock.advance(Duration::from_nanos(more.unsigned_abs()));
                } else {
                    self.clock.step_back(Duration::from_nanos(more.unsigned_abs()));
                }
            }
            Call::Admit { peer, face, ask } => self.admit(peer, face, ask)?,
            Call::Finish { permit, how } => self.finish(permit, how)?,
            Call::Refund { permit, bytes } => self.refund(permit, bytes)?,
            Call::Report { peer, handle, outcome, latency, traffic } => {
                let recorded = if handle {
                    self.handle(peer).report(outcome, latency, traffic)
                } else {
                    self.guard.report(&self.ids[peer], outcome, latency, traffic)
                };
                self.reported(peer, recorded, outcome, latency, traffic)?;
            }
            Call::RecordSuccess { peer, latency_ms } => self.record_success(peer, latency_ms)?,
            Call::RecordFailure { peer } => {
                let recorded = self.guard.record_failure(&self.ids[peer]);
                self.reported(peer, recorded, Outcome::SyncFailure, None, Traffic::default())?;
            }
            Call::ShouldCommunicate { peer } => {
                let verdict = self.guard.should_communicate(&self.ids[peer]);
                let expected = self.model.admit(now, self.ids[peer], Slot::Plain, None);
                same!("should communicate", verdict, expected.is_ok());
            }
            Call::Try { peer, direction, bytes } => self.try_bytes(peer, direction, bytes)?,
            Call::Pin { peer } => same!("id of the handle", self.handle(peer).id(), self.ids[peer]),
            Call::Check { peer } => {
                let handle = self.handle(peer);
                let expected = self.model.standing_refusal(now, &self.ids[peer]);
                let expected = expected.filter(|_| !self.observed(peer));
                self.verdict("check", handle.check().err(), expected)?;
            }
            Call::Ban { peer, length, code } => {
                self.guard.ban(&self.ids[peer], length, code).map_err(|error| error.to_string())?;
                self.model.ban(now, self.ids[peer], length, code);
            }
            Call::Unban { peer } => {
                same!("unban", self.guard.unban(&self.ids[peer]), self.model.unban(now, self.ids[peer]));
            }
            Call::Reset { peer } => {
                same!("reset", self.guard.reset(&self.ids[peer]), self.model.reset(now, self.ids[peer]));
            }
            Call::Force { peer, forced } => {
                let id = &self.ids[peer];
                let done = match forced {
                    Forced::Open => self.guard.force_open(id),
                    Forced::Closed => self.guard.force_closed(id),
                    Forced::None | Forced::Observe => self.guard.observe(id),
                };
                done.map_err(|error| error.to_string())?;
                self.model.force(now, *id, forced);
            }
            Call::SetPeerLimits { peer, limits } => {
                self.guard.set_peer_limits(&self.ids[peer], limits).map_err(|error| error.to_string())?;
                self.model.set_peer_limits(now, self.ids[peer], limits);
            }
            Call::UpdateLimits(limits) => {
                self.guard.update_limits(limits).map_err(|error| error.to_string())?;
                self.model.update_limits(now, limits);
                same!("limits", self.guard.limits(), limits);
            }
            Call::TopPeers(n) => {
                let top = self.guard.get_top_peers(n);
                orders::top_peers(&top, &self.model, n, now)?;
            }
            Call::SyncCandidates(n) => {
                let candidates = self.guard.get_sync_candidates(n);
                orders::sync_candidates(&candidates, &self.model, n, now)?;
            }
        }
        for (number, id) in self.ids.iter().enumerate() {
            let banned = self.model.peers.get(id).is_some_and(|peer| peer.standing.ban(self.clock.now()).is_some());
            same!(format!("peer {number} is banned"), self.guard.is_banned(id), banned);
        }
        Ok(())
    }

    pub fn cover(&self, coverage: &mut Coverage) {
        for kind in &self.events {
            let name = match kind {
                EventKind::ProbesLost(_) => "event ProbesLost".to_owned(),
                kind => format!("event {kind:?}"),
            };
            coverage.count(name, 1);
        }
        for (reason, n) in Reason::ALL.iter().zip(self.model.totals.denials) {
            coverage.count(format!("refused {reason:?}"), n);
        }
        for (kind, n) in [Recorded::Counted, Recorded::Stale, Recorded::Ignored].iter().zip(self.recorded) {
            coverage.count(format!("recorded {kind:?}"), n);
        }
        coverage.count("would deny".to_owned(), self.model.totals.would_deny);
    }

    fn observed(&self, peer: usize) -> bool {
        self.model.peers.get(&self.ids[peer]).is_some_and(|peer| peer.breaker.forced == Forced::Observe)
    }

    /// Compares a refusal and remembers its wait.
    fn verdict(&mut self, what: &str, guard: Option<Rejection>, model: Option<Refusal>) -> Result<(), String> {
        if let Some(wait) = guard.and_then(|rejection| rejection.retry_after) {
            self.last_wait = wait;
        }
        compare::rejection(what, guard, model)
    }

    fn admit(&mut self, peer: usize, face: Face, ask: Ask) -> Result<(), String> {
        let guard = self.guard;
        let id = self.ids[peer];
        let handle = (face == Face::Handle).then(|| self.handle(peer));
        let now = self.clock.now();
        let held = match (face, ask) {
            (Face::Owned, _) => guard.admit_owned(&id).map(Held::Owned),
            (Face::Key, Ask::Nothing) => guard.admit(&id).map(Held::Borrowed),
            (Face::Key, Ask::Bytes(direction, n)) => guard.admit_bytes(&id, direction, n).map(Held::Borrowed),
            (Face::Key, Ask::UpTo(direction, n)) => guard.grant_up_to(&id, direction, n).map(Held::Borrowed),
            (Face::Handle, ask) => {
                let handle = handle.expect("made above");
                match ask {
                    Ask::Nothing => handle.admit(),
                    Ask::Bytes(direction, n) => handle.admit_bytes(direction, n),
                    Ask::UpTo(direction, n) => handle.grant_up_to(direction, n),
                }
                .map(Held::Borrowed)
            }
        };
        let request = match ask {
            Ask::Nothing => None,
            _ if face == Face::Owned => None,
            Ask::Bytes(direction, bytes) | Ask::UpTo(direction, bytes) => Some(Request { direction, bytes }),
        };
        let expected = match (request, ask) {
            (Some(request), Ask::UpTo(..)) => self.model.grant_up_to(now, id, request),
            (request, _) => self.model.admit(now, id, Slot::Permit, request),
        };
        match (held, expected) {
            (Ok(held), Ok(permit)) => {
                let shown = either!(&held, permit => (permit.generation(), permit.is_probe(), permit.bytes()));
                let expected = (permit.generation, permit.probe, permit.bytes);
                self.permits.push((held, permit));
                same!("permit (generation, probe, bytes)", shown, expected);
                Ok(())
            }
            (held, expected) => self.verdict("admission", held.err(), expected.err()),
        }
    }

    fn pick(&self, permit: usize) -> Option<usize> {
        let last = self.permits.len().checked_sub(1)?;
        Some(last - permit % self.permits.len())
    }

    fn finish(&mut self, permit: usize, how: Finish) -> Result<(), String> {
        let now = self.clock.now();
        let Some(place) = self.pick(permit) else { return Ok(()) };
        let (held, permit) = self.permits.swap_remove(place);
        let (recorded, outcome, latency, traffic) = match how {
            Finish::Drop => {
                drop(held);
                self.model.drop_permit(now, &permit);
                return Ok(());
            }
            Finish::Success(latency) => {
                let recorded = either!(held, permit => permit.success(latency));
                (recorded, Outcome::SyncSuccess, latency, Traffic::default())
            }
            Finish::Failure => {
                let recorded = either!(held, permit => permit.failure());
                (recorded, Outcome::SyncFailure, None, Traffic::default())
            }
            Finish::Record(outcome, latency, traffic) => {
                let recorded = either!(held, permit => permit.record(outcome, latency, traffic));
                (recorded, outcome, latency, traffic)
            }
        };
        let banned = self.guard.is_banned(&permit.id);
        let expected = self.model.finish(now, &permit, outcome, latency.map(milliseconds), traffic, banned);
        same!("recorded", recorded, expected);
        self.recorded[recorded as usize] += 1;
        Ok(())
    }

    fn refund(&mut self, permit: usize, bytes: u64) -> Result<(), String> {
        let Some(place) = self.pick(permit) else { return Ok(()) };
        let (held, permit) = &mut self.permits[place];
        let given = either!(held, permit => permit.refund(bytes));
        same!("refunded", given, self.model.refund(permit, bytes));
        same!("bytes left", either!(held, permit => permit.bytes()), permit.bytes);
        Ok(())
    }

    fn reported(
        &mut self,
        peer: usize,
        recorded: Recorded,
        outcome: Outcome,
        latency: Option<Duration>,
        traffic: Traffic,
    ) -> Result<(), String> {
        let id = self.ids[peer];
        let banned = self.guard.is_banned(&id);
        let latency = latency.map(milliseconds);
        let expected = self.model.report(self.clock.now(), id, Source::Plain, outcome, latency, traffic, banned);
        same!("recorded", recorded, expected);
        self.recorded[recorded as usize] += 1;
        Ok(())
    }

    fn record_success(&mut self, peer: usize, latency_ms: Option<f64>) -> Result<(), String> {
        let recorded = self.guard.record_success(&self.ids[peer], latency_ms);
        if latency_ms.is_some_and(|ms| !(0.0..=f64::MAX).contains(&ms)) {
            same!("refused latency", recorded.is_err(), true);
            return Ok(());
        }
        let recorded = recorded.map_err(|error| error.to_string())?;
        let id = self.ids[peer];
        let now = self.clock.now();
        let banned = self.guard.is_banned(&id);
        let expected =
            self.model.report(now, id, Source::Plain, Outcome::SyncSuccess, latency_ms, Traffic::default(), banned);
        same!("recorded", recorded, expected);
        self.recorded[recorded as usize] += 1;
        Ok(())
    }

    fn try_bytes(&mut self, peer: usize, direction: Direction, bytes: u64) -> Result<(), String> {
        let id = self.ids[peer];
        let verdict = match direction {
            Direction::Upload => self.guard.try_upload(&id, bytes),
            Direction::Download => self.guard.try_download(&id, bytes),
        };
        let expected = self.model.try_bytes(self.clock.now(), id, Request { direction, bytes });
        same!("bytes taken", verdict, expected);
        Ok(())
    }

    /// Takes over the open times that the guard has drawn, within their bounds.
    fn adopt_jitter(&mut self, now: u64) -> Result<(), String> {
        for (id, peer) in &mut self.model.peers {
            if peer.breaker.jitter_ticks == 0 {
                continue;
            }
            if let Some(rest) = self.guard.view(id).and_then(|view| view.open_remaining) {
                let end = i128::from(now) + rest.as_nanos() as i128;
                same!("the open time ends on a tick", end % (1 << 20), 0);
                peer.breaker.adopt_open_end(end >> 20)?;
            }
        }
        Ok(())
    }
}

fn milliseconds(latency: Duration) -> f64 {
    latency.as_secs_f64() * 1e3
}
