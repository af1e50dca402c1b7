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
use crate::peer::admit::{Admitted, Charge, Demand, Held, global_refusal, peer_refusal};
use crate::peer::record::Record;
use crate::sync::Ordering;
use crate::table::Tenancy;
use crate::token_bucket::Direction;
use crate::token_bucket::bucket::{Bucket, Limit, Short};
use crate::token_bucket::rate::Rate;

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

impl PeerGuard {
    /// May I move so many bytes to or from this peer now?
    ///
    /// Asks ban, breaker, the peer's bucket and the bucket of all peers, and takes from both or from neither. 0 bytes is
    /// [`Self::admit`].
    ///
    /// # Errors
    /// The first rule that refuses; `retry_after` is `None` for a request larger than a burst, which can never pass. A
    /// refusal changes nothing but its counter.
    #[inline(always)]
    pub fn admit_bytes(&self, peer: &PeerId, direction: Direction, bytes: u64) -> Result<Permit<'_>, Rejection> {
        if bytes == 0 {
            return self.admit(peer);
        }
        let want = Want { direction, bytes, up_to: false, gate: true };
        self.inner.take(peer, want).map(|ticket| Pass::new(self, ticket))
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
        self.inner.take(peer, want).map(|ticket| Pass::new(self, ticket))
    }
}

impl Inner {
    #[inline]
    fn limit(&self, rate: Rate) -> Option<Limit> {
        (!rate.is_unlimited()).then(|| Limit::new(rate, self.rules.burst))
    }

    #[inline]
    pub(super) fn global_limit(&self, direction: Direction) -> Option<(&Bucket, Limit)> {
        // Relaxed: the limit stands alone.
        let rate = self.global_rates[direction.index()].load(Ordering::Relaxed);
        self.limit(rate).map(|limit| (&*self.global[direction.index()], limit))
    }

    /// Takes bytes for a peer by key.
    #[inline]
    pub(super) fn take(&self, id: &PeerId, want: Want) -> Result<Ticket, Rejection> {
        let Some((tenancy, gate)) = self.table.find(id) else { return self.take_unknown(id, want) };
        match self.take_unpinned(id, tenancy, gate, want) {
            Ok(admitted) => Ok(Ticket::of(id, Hold::Seen(tenancy), want.direction, &admitted)),
            Err(recent) => self.take_pinned(id, tenancy, want, recent),
        }
    }

    /// Takes bytes at the recent time from a record that is not held: the look-up is validated once more afterwards, and what
    /// was taken is put back when the record had gone by then. Else the recent time comes back, if it was read.
    #[inline(always)]
    fn take_unpinned(
        &self,
        id: &PeerId,
        tenancy: Tenancy,
        gate: GateWord,
        want: Want,
    ) -> Result<Admitted, Option<u64>> {
        if !gate.admits() || want.up_to || !self.coarse_bytes {
            return Err(None);
        }
        let recent = self.clock.recent();
        let demand = self.demand(tenancy.slot, gate, want);
        let held = match demand.take_at_about(recent, self.grain) {
            // Partner: as for every check, the Release fence of the claim. A CAS that has met the next tenant's bucket has read
            // what was stored after the claim.
            Ok(held) if demand.peer.is_none() || self.table.validate(tenancy) => held,
            Ok(held) | Err(held) => {
                self.put_back(id, tenancy, &held);
                return Err(Some(recent));
            }
        };
        self.table.record(tenancy.slot).see(recent);
        Ok(Admitted { generation: gate.generation(), probe: false, bytes: want.bytes, charge: held.charge })
    }

    #[cold]
    fn put_back(&self, id: &PeerId, tenancy: Tenancy, held: &Held<'_>) {
        match self.table.pin(tenancy, id) {
            Some(_pin) => held.undo(),
            None => held.undo_without_record(),
        }
    }

    /// `recent`: the recent time, if it was read and could not tell.
    fn take_pinned(&self, id: &PeerId, tenancy: Tenancy, want: Want, recent: Option<u64>) -> Result<Ticket, Rejection> {
        let Some(pin) = self.table.pin(tenancy, id).or_else(|| self.table.pin_found(id)) else {
            return self.take_unknown(id, want);
        };
        // Acquire: as in `take_from`.
        let gate = pin.record().gate.load(Ordering::Acquire);
        let admitted = self.take_held(pin.slot(), gate, want, recent)?;
        let hold = if admitted.probe { Hold::Kept(pin.keep()) } else { Hold::Seen(pin.tenancy()) };
        Ok(Ticket::of(id, hold, want.direction, &admitted))
    }

    /// What is asked of a peer's bucket and of everybody's. `gate`: of the record, read with Acquire or validated.
    #[inline(always)]
    fn demand(&self, slot: u32, gate: GateWord, want: Want) -> Demand<'_> {
        // Relaxed: the limit stands alone.
        let inherited = self.peer_rates[want.direction.index()].load(Ordering::Relaxed);
        let limit = self.limit(self.table.limits(slot).rate(want.direction, gate, inherited));
        let peer = limit.map(|limit| (&self.table.record(slot).buckets[want.direction.index()], limit));
        Demand { bytes: want.bytes, peer, global: self.global_limit(want.direction) }
    }

    /// Takes bytes for a peer whose record the caller holds.
    #[inline]
    pub(super) fn take_from(&self, slot: u32, want: Want) -> Result<Admitted, Rejection> {
        let record = self.table.record(slot);
        // Acquire: pairs with the CAS that announces own limits, and with every transition.
        let word = record.gate.load(Ordering::Acquire);
        if !word.admits() || want.up_to || !self.coarse_bytes {
            return self.take_held(slot, word, want, None);
        }
        let recent = self.clock.recent();
        let demand = self.demand(slot, word, want);
        match demand.take_at_about(recent, self.grain) {
            Ok(Held { charge, .. }) => {
                record.see(recent);
                Ok(Admitted { generation: word.generation(), probe: false, bytes: want.bytes, charge })
            }
            Err(held) => {
                held.undo();
                self.take_held(slot, word, want, Some(recent))
            }
        }
    }

    /// As [`Self::take_from`], at the exact time. `recent`: the recent time, if it has been read: a clock that is always exact
    /// is not asked twice.
    #[inline(never)]
    fn take_held(&self, slot: u32, gate: GateWord, want: Want, recent: Option<u64>) -> Result<Admitted, Rejection> {
        let now = recent.filter(|_| self.grain == 0).unwrap_or_else(|| self.clock.now());
        self.take_at(self.table.record(slot), slot, want, self.demand(slot, gate, want), now)
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
        // Acquire: as in `take_from`.
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
        let charge = match demand.charge(now) {
            Err(_) if observed => {
                self.counters.add(slot as usize, Total::WouldDeny, 1);
                Charge::default()
            }
            charge => charge?,
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
        let deny = |rejection| Err(self.denied(stripe_of(id), rejection, Some(want.direction)));
        let mut bytes = want.bytes;
        if want.up_to {
            let burst = peer_limit.map_or(u64::MAX, |limit| limit.burst_bytes());
            bytes = Demand { bytes: want.bytes.min(burst), peer: None, global }.available(now).max(1);
        } else if peer_limit.is_some_and(|limit| limit.rate.cost(bytes) > limit.burst) {
            return deny(peer_refusal(Short::Exceeds));
        }
        let mut charge = Charge::default();
        if let Some((bucket, limit)) = &global {
            charge.global = limit.rate.cost(bytes);
            if let Err(short) = bucket.take(charge.global, now, limit) {
                return deny(global_refusal(short));
            }
        }
        let give_back = || global.iter().for_each(|(bucket, _)| bucket.refund(charge.global));
        let Ok(pin) = self.table.pin_or_insert(id, &self.site(stripe_of(id), now)) else {
            return self.take_untracked(id, Want { bytes, ..want }, charge, now).inspect_err(|_| give_back());
        };
        let record = pin.record();
        let peer = peer_limit.map(|limit| (&record.buckets[direction], limit));
        let demand = Demand { bytes, peer, global: None };
        let site = self.site(pin.slot(), now);
        let answer = match want.gate {
            true => record.admit(Asker::Permit, Some(&demand), &site),
            false => self.take_ungated(record, &demand, false, pin.slot(), now),
        };
        match answer {
            Ok(mut admitted) => {
                admitted.charge.global = charge.global;
                record.see(now);
                let hold = if admitted.probe { Hold::Kept(pin.keep()) } else { Hold::Seen(pin.tenancy()) };
                Ok(Ticket::of(id, hold, want.direction, &admitted))
            }
            // Only if another thread has made the record and used it meanwhile.
            Err(rejection) => {
                give_back();
                deny(rejection)
            }
        }
    }

    /// No record can be made: all such peers share one bucket, or are refused.
    fn take_untracked(&self, id: &PeerId, want: Want, mut charge: Charge, now: u64) -> Result<Ticket, Rejection> {
        if self.config.newcomers == Newcomers::Refuse {
            return Err(self.no_room(id));
        }
        self.counters.add(stripe_of(id) as usize, Total::Untracked, 1);
        let direction = want.direction.index();
        if let Some(limit) = self.limit(self.peer_rates()[direction]) {
            charge.peer = limit.rate.cost(want.bytes);
            if let Err(short) = self.untracked[direction].take(charge.peer, now, &limit) {
                return Err(self.denied(stripe_of(id), peer_refusal(short), Some(want.direction)));
            }
        }
        let admitted = Admitted { generation: Generation::FIRST, probe: false, bytes: want.bytes, charge };
        Ok(Ticket::of(id, Hold::Untracked, want.direction, &admitted))
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
            match ticket.hold {
                Hold::Kept(slot) | Hold::Lent(slot) => self.table.record(slot).buckets[direction].refund(back.peer),
                Hold::Untracked => self.untracked[direction].refund(back.peer),
                // When the record has gone, so has the bucket.
                Hold::Seen(tenancy) => {
                    if let Some(pin) = self.table.pin(tenancy, &ticket.id) {
                        pin.record().buckets[direction].refund(back.peer);
                    }
                }
                // Permits without bytes.
                Hold::Unknown => {}
            }
        }
        n
    }
}
