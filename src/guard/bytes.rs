//! `admit_bytes`, `grant_up_to` and the takes without a permit.
//!
//! A take at the recent time needs no pin. A refund goes to the bucket that was charged, and nowhere when its record has been
//! evicted meanwhile. For a newcomer the global bucket is charged before its record is made: a refusal leaves none.

use super::ticket::{Hold, Ticket};
use super::{Inner, Pass, PeerGuard, Permit, stripe_of};
use crate::breaker::Forced;
use crate::breaker::gate::{GateWord, Generation};
use crate::breaker::transition::Asker;
use crate::config::Newcomers;
use crate::counters::Total;
use crate::decision::Rejection;
use crate::id::PeerId;
use crate::peer::admit::{Admitted, Charge, Demand, peer_refusal};
use crate::peer::record::Record;
use crate::sync::Ordering;
use crate::table::{Found, Tenancy};
use crate::token_bucket::Direction;
use crate::token_bucket::bucket::{Limit, PaidAt, Short, Taken};
use crate::token_bucket::rate::Rate;
use crate::token_bucket::shared::SharedBucket;

/// Bytes that a caller asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    pub(super) direction: Direction,
    pub(super) bytes: u64,
    /// A part will do.
    pub(super) up_to: bool,
    /// Whether ban and breaker are asked.
    pub(super) gate: bool,
}

impl Want {
    /// As `Ticket::unpacked`.
    #[inline(always)]
    pub(super) fn unpacked(self) -> Self {
        let Self { direction, bytes, up_to, gate } = self;
        Self { direction, bytes, up_to, gate }
    }
}

impl PeerGuard {
    /// May I move so many bytes to or from this peer now?
    ///
    /// Asks ban, breaker, the peer's bucket and the bucket of all peers, and takes from both or from neither. 0 bytes is
    /// [`Self::admit`].
    ///
    /// # Errors
    /// The first rule that refuses; `retry_after` is `None` for a request larger than a burst, which can never pass. A
    /// refusal changes nothing but its counter. Where threads collide on the limit of all peers, up to an eighth of its burst may
    /// be set aside for them: then a request that needs it may be refused for want of it, and none is admitted beyond.
    #[inline(always)]
    pub fn admit_bytes(&self, peer: &PeerId, direction: Direction, bytes: u64) -> Result<Permit<'_>, Rejection> {
        if bytes == 0 {
            return self.admit(peer);
        }
        let want = Want { direction, bytes, up_to: false, gate: true };
        self.inner.take(peer, want)
    }

    /// As [`Self::admit_bytes`], for as many bytes as both buckets have now, from 1 to `want`: see
    /// [`Pass::bytes`].
    ///
    /// # Errors
    /// As for one byte.
    pub fn grant_up_to(&self, peer: &PeerId, direction: Direction, want: u64) -> Result<Permit<'_>, Rejection> {
        if want == 0 {
            return self.admit(peer);
        }
        let want = Want { direction, bytes: want, up_to: true, gate: true };
        self.inner.take(peer, want)
    }
}

impl Inner {
    #[inline]
    fn limit(&self, rate: Rate) -> Option<Limit> {
        (!rate.is_unlimited()).then(|| Limit::new(rate, &self.rules.burst))
    }

    #[inline]
    pub(super) fn global_limit(&self, direction: Direction) -> Option<(&SharedBucket, Limit)> {
        let bucket = &self.global[direction.index()];
        self.limit(bucket.rate()).map(|limit| (bucket, limit))
    }

    /// Takes bytes for a peer by key.
    #[inline(always)]
    pub(super) fn take(&self, id: &PeerId, want: Want) -> Result<Permit<'_>, Rejection> {
        let found = self.table.find(id);
        let mut recent = None;
        if let Some(found) = found {
            match self.take_quickly(Some(id), &found, want) {
                Ok(admitted) => {
                    let ticket = Ticket::of(id, Hold::Seen, found.tenancy, want.direction, &admitted);
                    return Ok(Pass::lent(self, Some(found.record), ticket));
                }
                Err(time) => recent = time,
            }
        }
        match self.take_pinned(id, found.map(|found| found.tenancy), want.unpacked(), recent) {
            Ok(ticket) => Ok(self.permit(ticket.unpacked(id))),
            Err(rejection) => Err(rejection),
        }
    }

    /// Takes bytes for a peer whose record the caller holds.
    #[inline(always)]
    pub(super) fn take_lent<'a>(
        &'a self,
        tenancy: Tenancy,
        record: &'a Record,
        want: Want,
    ) -> Result<Permit<'a>, Rejection> {
        // Acquire: pairs with the CAS that announces own limits, and with every transition.
        let gate = record.gate.load(Ordering::Acquire);
        let recent = match self.take_quickly(None, &Found { tenancy, record, gate }, want) {
            Ok(admitted) => {
                let ticket = Ticket::lent(tenancy, want.direction, &admitted);
                return Ok(Pass::lent(self, Some(record), ticket));
            }
            Err(recent) => recent,
        };
        match self.take_lent_slowly(tenancy, want.unpacked(), recent) {
            Ok(ticket) => Ok(self.permit(ticket.unpacked(&PeerId::NOBODY))),
            Err(rejection) => Err(rejection),
        }
    }

    #[cold]
    #[inline(never)]
    fn take_lent_slowly(&self, tenancy: Tenancy, want: Want, recent: Option<u64>) -> Result<Ticket, Rejection> {
        let admitted = self.take_held(tenancy.slot, want, recent)?;
        Ok(Ticket::lent(tenancy, want.direction, &admitted))
    }

    /// Takes bytes for a closed peer at the recent time, without a pin. Where that cannot tell, nothing is taken, and the recent
    /// time comes back if it was read.
    ///
    /// A record that is only seen may go meanwhile, so its tenancy is validated once more afterwards. Partner: as for every
    /// check, the Release fence of the claim: a CAS that has met the next tenant's bucket has read what was stored after the
    /// claim.
    ///
    /// `found`: its gate has been read with Acquire or validated. `seen`: whose record it is, if it is not held.
    #[inline(always)]
    fn take_quickly(
        &self,
        seen: Option<&PeerId>,
        &Found { tenancy, record, gate }: &Found<'_>,
        want: Want,
    ) -> Result<Admitted, Option<u64>> {
        if !gate.admits() || want.up_to {
            return Err(None);
        }
        let recent = self.clock.recent();
        let i = want.direction.index();
        let (bucket, global) = (&record.buckets[i], &self.global[i]);
        // Both takes are worked out before the first CAS, which later loads would wait for.
        let charge = Charge { peer: self.peer_cost(tenancy.slot, gate, want), global: global.cost(want.bytes) };
        let from_peer = bucket.paid_at().take_at_about(charge.peer, recent, &self.rough);
        let from_all = global.offer(charge.global, recent, &self.rough);
        let (Some(from_peer), Some(from_all)) = (from_peer, from_all) else {
            return Err(Some(recent));
        };
        let mut taken = None;
        if charge.peer != 0 {
            taken = bucket.carry_out(from_peer, charge.peer, recent, &self.rough);
            if taken.is_none() {
                return Err(Some(recent));
            }
        }
        if charge.global != 0 && !global.accept(from_all, charge.global, recent, &self.rough) {
            if let Some(taken) = taken {
                self.put_back(seen, tenancy, want.direction, taken, charge.peer);
            }
            return Err(Some(recent));
        }
        if seen.is_some() && (taken.is_some() || gate.limited()) && !record.is_still(tenancy.life) {
            if let Some(taken) = taken {
                self.put_back(seen, tenancy, want.direction, taken, charge.peer);
            }
            global.undo_rough(charge.global, recent, &self.rough);
            return Err(Some(recent));
        }
        record.see(recent);
        Ok(Admitted { generation: gate.generation(), probe: false, bytes: want.bytes, charge })
    }

    /// What bytes cost at a peer's limit, its own or that of all; 0 without one. `gate`: as for `take_quickly`.
    #[inline(always)]
    fn peer_cost(&self, slot: u32, gate: GateWord, want: Want) -> u64 {
        let setting = &self.peer_rates[want.direction.index()];
        if gate.limited() {
            let rate = self.table.limits(slot).rate(want.direction, setting.rate());
            return rate.cost_if_limited(want.bytes);
        }
        setting.cost(want.bytes)
    }

    /// Undoes a take. When the record was only `seen` and has gone, the bucket may be another peer's: it gets its word back if
    /// that still stands as the take left it, and is given nothing else.
    #[cold]
    #[inline(never)]
    fn put_back(&self, seen: Option<&PeerId>, tenancy: Tenancy, direction: Direction, taken: Taken<PaidAt>, cost: u64) {
        let bucket = &self.table.record(tenancy.slot).buckets[direction.index()];
        let pin = seen.map(|id| self.table.pin(tenancy, id));
        match pin {
            None | Some(Some(_)) => bucket.undo(taken, cost, &self.clock),
            Some(None) => {
                let _restored = bucket.restore(taken);
            }
        }
    }

    /// As [`Self::take`], under a pin and at the exact time. `seen`: where the record was a moment ago.
    #[cold]
    #[inline(never)]
    fn take_pinned(
        &self,
        id: &PeerId,
        seen: Option<Tenancy>,
        want: Want,
        recent: Option<u64>,
    ) -> Result<Ticket, Rejection> {
        let pin = seen.and_then(|tenancy| self.table.pin(tenancy, id).or_else(|| self.table.pin_found(id)));
        let Some(pin) = pin else { return self.take_unknown(id, want) };
        let admitted = self.take_held(pin.slot(), want, recent)?;
        Ok(Ticket::pinned(id, pin, want.direction, &admitted))
    }

    /// Takes bytes at the exact time from a record that the caller holds. `recent`: the recent time, if it has been read: a
    /// clock that is always exact is not asked twice.
    fn take_held(&self, slot: u32, want: Want, recent: Option<u64>) -> Result<Admitted, Rejection> {
        let now = recent.filter(|_| self.rough.is_exact()).unwrap_or_else(|| self.clock.now());
        let record = self.table.record(slot);
        // Acquire: as in `take_lent`.
        let gate = record.gate.load(Ordering::Acquire);
        self.take_at(record, slot, want, self.demand(record, slot, gate, want), now)
    }

    /// What is asked of a peer's bucket and of everybody's. `gate`: as for `take_quickly`.
    #[inline(always)]
    fn demand<'a>(&'a self, record: &'a Record, slot: u32, gate: GateWord, want: Want) -> Demand<'a> {
        let inherited = self.peer_rates[want.direction.index()].rate();
        let rate = if gate.limited() { self.table.limits(slot).rate(want.direction, inherited) } else { inherited };
        let peer = self.limit(rate).map(|limit| (&record.buckets[want.direction.index()], limit));
        Demand { bytes: want.bytes, clock: &self.clock, peer, global: self.global_limit(want.direction) }
    }

    fn take_at<'a>(
        &'a self,
        record: &'a Record,
        slot: u32,
        want: Want,
        mut demand: Demand<'a>,
        now: u64,
    ) -> Result<Admitted, Rejection> {
        let site = self.site(slot, now);
        // Acquire: as in `take_lent`.
        let word = record.gate.load(Ordering::Acquire);
        let observed = !word.admits() && word.gate().forced == Forced::Observe;
        loop {
            if want.up_to {
                demand.bytes = Demand { bytes: want.bytes, ..demand }.available(site.now);
                if demand.bytes == 0 {
                    demand.bytes = if observed { want.bytes } else { 1 };
                }
            }
            let answer = if want.gate {
                record.admit(Asker::Permit, Some(&demand), &site)
            } else {
                self.take_ungated(record, &demand, observed, slot, site.now)
            };
            match answer {
                Ok(admitted) => {
                    record.see(site.now);
                    return Ok(admitted);
                }
                // Another taker came between: what is left now?
                Err(rejection) if want.up_to && demand.bytes > 1 && rejection.reason.is_bytes() => {}
                Err(rejection) => return Err(self.denied(slot, rejection, Some(want.direction))),
            }
        }
    }

    /// The buckets alone.
    fn take_ungated(
        &self,
        record: &Record,
        demand: &Demand<'_>,
        observed: bool,
        slot: u32,
        now: u64,
    ) -> Result<Admitted, Rejection> {
        // Relaxed: the generation is not used.
        let generation = record.gate.load(Ordering::Relaxed).generation();
        let charge = match demand.take(now) {
            Err(_) if observed => {
                self.counters.add(slot as usize, Total::WouldDeny, 1);
                Charge::default()
            }
            held => held?.charge(),
        };
        Ok(Admitted { generation, probe: false, bytes: demand.bytes, charge })
    }

    /// A newcomer's bytes: the global bucket first, then the record, whose own bucket is full.
    #[cold]
    fn take_unknown(&self, id: &PeerId, want: Want) -> Result<Ticket, Rejection> {
        let now = self.clock.now();
        let direction = want.direction.index();
        let peer_limit = self.limit(self.peer_rates()[direction]);
        let global = self.global_limit(want.direction);
        let denied = |rejection| self.denied(stripe_of(id), rejection, Some(want.direction));
        let mut of_all = Demand { bytes: want.bytes, clock: &self.clock, peer: None, global };
        if want.up_to {
            of_all.bytes = peer_limit.map_or(want.bytes, |limit| want.bytes.min(limit.burst_bytes()));
        } else if peer_limit.is_some_and(|limit| limit.rate.cost(want.bytes) > limit.burst) {
            return Err(denied(peer_refusal(Short::Exceeds)));
        }
        let held = if want.up_to { of_all.take_up_to(now) } else { of_all.take(now) };
        let held = held.map_err(denied)?;
        let bytes = held.bytes();
        let Ok(pin) = self.table.pin_or_insert(id, &self.site(stripe_of(id), now)) else {
            let admitted = self.take_untracked(id, Want { bytes, ..want }, now);
            let mut admitted = admitted.inspect_err(|_| held.undo())?;
            // The bucket of all peers was asked first, and may have given more than is left here.
            admitted.charge.global = held.keep_of_all(admitted.bytes);
            return Ok(Ticket::of(id, Hold::Untracked, Tenancy::NONE, want.direction, &admitted));
        };
        let record = pin.record();
        let peer = peer_limit.map(|limit| (&record.buckets[direction], limit));
        let demand = Demand { bytes, peer, global: None, ..of_all };
        let site = self.site(pin.slot(), now);
        let answer = match want.gate {
            true => record.admit(Asker::Permit, Some(&demand), &site),
            false => self.take_ungated(record, &demand, false, pin.slot(), now),
        };
        match answer {
            Ok(mut admitted) => {
                admitted.charge.global = held.charge().global;
                record.see(now);
                Ok(Ticket::pinned(id, pin, want.direction, &admitted))
            }
            // Only if another thread has made the record and used it meanwhile. A part is then what that has left.
            Err(rejection) => {
                held.undo();
                if want.up_to && rejection.reason.is_bytes() {
                    let admitted = self.take_held(pin.slot(), want, Some(now))?;
                    return Ok(Ticket::pinned(id, pin, want.direction, &admitted));
                }
                Err(denied(rejection))
            }
        }
    }

    /// No record can be made: all such peers share one bucket, or are refused. The bucket of all peers is the caller's.
    fn take_untracked(&self, id: &PeerId, want: Want, now: u64) -> Result<Admitted, Rejection> {
        if self.config.newcomers == Newcomers::Refuse {
            return Err(self.no_room(id));
        }
        self.counters.add(stripe_of(id) as usize, Total::Untracked, 1);
        let direction = want.direction.index();
        let limit = self.limit(self.peer_rates()[direction]);
        let peer = limit.map(|limit| (&self.untracked[direction], limit));
        let demand = Demand { bytes: want.bytes, clock: &self.clock, peer, global: None };
        let held = if want.up_to { demand.take_up_to(now) } else { demand.take(now) };
        let held = held.map_err(|rejection| self.denied(stripe_of(id), rejection, Some(want.direction)))?;
        Ok(Admitted { generation: Generation::FIRST, probe: false, bytes: held.bytes(), charge: held.charge() })
    }

    /// Gives `n` of a ticket's bytes back to the buckets that were charged.
    pub(super) fn refund(&self, ticket: &mut Ticket, n: u64) -> u64 {
        let n = n.min(ticket.bytes);
        let back = ticket.split(n);
        let direction = ticket.direction.index();
        if back.global != 0 {
            self.global[direction].refund(back.global);
        }
        if back.peer != 0 {
            let bucket = || &self.table.record(ticket.tenancy.slot).buckets[direction];
            match ticket.hold {
                Hold::Kept | Hold::Lent => bucket().refund(back.peer),
                Hold::Untracked => self.untracked[direction].refund(back.peer),
                // When the record has gone, so has the bucket.
                Hold::Seen => {
                    if let Some(_pin) = self.table.pin(ticket.tenancy, &ticket.id) {
                        bucket().refund(back.peer);
                    }
                }
                // Permits without bytes.
                Hold::Unknown => {}
            }
        }
        n
    }
}
