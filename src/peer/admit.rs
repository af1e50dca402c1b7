//! The gate of one record, and of bytes.
//!
//! The rules are asked in their order; bytes are taken before a probe, and given back when the probe is lost to another
//! request, so that a refusal by any rule leaves nothing taken. A take that is undone restores the bucket's word as it was,
//! unless someone used it in between: see [`Bucket::undo`].

use std::time::Duration;

use super::Site;
use super::record::Record;
use crate::breaker::Forced;
use crate::breaker::gate::{GateWord, Generation, Phase};
use crate::breaker::transition::{self, Asker, Moment, Verdict};
use crate::clock::Clock;
use crate::counters::Total;
use crate::decision::{Reason, Rejection};
use crate::event::EventKind;
use crate::sync::Ordering;
use crate::token_bucket::bucket::{Bucket, Limit, PaidAt, Short, Taken};
use crate::token_bucket::shared::{Account, SharedBucket};

/// Bytes asked for, and the limits that they are asked from; `None` = unlimited.
#[derive(Clone, Copy)]
pub(crate) struct Demand<'a> {
    pub(crate) bytes: u64,
    /// Asked when a take is undone.
    pub(crate) clock: &'a Clock,
    pub(crate) peer: Option<(&'a Bucket, Limit)>,
    pub(crate) global: Option<(&'a SharedBucket, Limit)>,
}

/// What was taken from the buckets, in units: what a refund gives back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) peer: u64,
    pub(crate) global: u64,
}

/// A take that can still be undone.
pub(crate) struct Held<'a> {
    demand: Demand<'a>,
    peer: Option<Taken<PaidAt>>,
    global: Option<Taken<Account>>,
    charge: Charge,
}

/// The refusal of a bucket.
fn refusal(short: Short, bytes: Reason, exceeds: Reason) -> Rejection {
    match short {
        Short::For(nanos) => Rejection::after(bytes, Duration::from_nanos(nanos)),
        Short::Exceeds => Rejection::for_good(exceeds),
    }
}

pub(crate) fn peer_refusal(short: Short) -> Rejection {
    refusal(short, Reason::PeerBytes, Reason::PeerExceedsBurst)
}

pub(crate) fn global_refusal(short: Short) -> Rejection {
    refusal(short, Reason::GlobalBytes, Reason::GlobalExceedsBurst)
}

impl<'a> Demand<'a> {
    /// Takes from both buckets or from neither; the peer's is asked first.
    #[inline]
    pub(crate) fn take(&self, now: u64) -> Result<Held<'a>, Rejection> {
        let mut held = Held { demand: *self, peer: None, global: None, charge: Charge::default() };
        if let Some((bucket, limit)) = &self.peer {
            held.charge.peer = limit.rate.cost(self.bytes);
            held.peer = Some(bucket.take(held.charge.peer, now, limit).map_err(peer_refusal)?);
        }
        if let Some((bucket, limit)) = &self.global {
            let cost = limit.rate.cost(self.bytes);
            match bucket.take(cost, now, limit) {
                Ok(taken) => (held.global, held.charge.global) = (Some(taken), cost),
                Err(short) => {
                    held.undo();
                    return Err(global_refusal(short));
                }
            }
        }
        Ok(held)
    }

    /// As [`Self::take`], for as many of the bytes as the buckets have, at least one.
    pub(crate) fn take_up_to(&self, now: u64) -> Result<Held<'a>, Rejection> {
        loop {
            let part = Self { bytes: self.available(now).max(1), ..*self };
            match part.take(now) {
                // Another taker came between: what is left now?
                Err(_) if part.bytes > 1 => {}
                answer => return answer,
            }
        }
    }

    /// Most bytes that both buckets have at `now`, up to what is asked.
    pub(crate) fn available(&self, now: u64) -> u64 {
        let within = |limit: &Limit, debt: u64| limit.rate.bytes_within(limit.burst - debt);
        let of_peer = self.peer.iter().map(|(bucket, limit)| within(limit, bucket.paid_at().debt(now, limit.burst)));
        let of_all = self.global.iter().map(|(bucket, limit)| within(limit, bucket.debt(now, limit.burst)));
        of_peer.chain(of_all).fold(self.bytes, u64::min)
    }
}

impl Held<'_> {
    pub(crate) fn bytes(&self) -> u64 {
        self.demand.bytes
    }

    pub(crate) fn charge(&self) -> Charge {
        self.charge
    }

    /// Puts back what was taken. The caller holds the peer's record.
    pub(crate) fn undo(&self) {
        if let (Some((bucket, _)), Some(taken)) = (&self.demand.peer, self.peer) {
            bucket.undo(taken, self.charge.peer, self.demand.clock);
        }
        if let (Some((bucket, _)), Some(taken)) = (&self.demand.global, self.global) {
            bucket.undo(taken, self.charge.global);
        }
    }

    /// Puts back what the bucket of all peers was charged for more than `bytes`, and returns the charge for these.
    pub(crate) fn keep_of_all(&self, bytes: u64) -> u64 {
        let (Some((bucket, limit)), Some(taken)) = (&self.demand.global, self.global) else { return 0 };
        let kept = limit.rate.cost(bytes);
        bucket.undo_part(taken, self.charge.global - kept);
        kept
    }
}

/// A request that was let in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admitted {
    pub(crate) generation: Generation,
    pub(crate) probe: bool,
    pub(crate) bytes: u64,
    pub(crate) charge: Charge,
}

impl Record {
    /// Asks all rules; takes the bytes, and a probe where one is needed. The caller holds the record.
    #[inline]
    pub(crate) fn admit(
        &self,
        asker: Asker,
        demand: Option<&Demand<'_>>,
        site: &Site<'_>,
    ) -> Result<Admitted, Rejection> {
        // Acquire: pairs with the AcqRel CAS of every transition.
        let word = self.gate.load(Ordering::Acquire);
        if word.admits() {
            let (bytes, charge) = match demand {
                Some(demand) => (demand.bytes, demand.take(site.now)?.charge),
                None => (0, Charge::default()),
            };
            return Ok(Admitted { generation: word.generation(), probe: false, bytes, charge });
        }
        self.admit_slow(word, asker, demand, site)
    }

    fn admit_slow(
        &self,
        mut word: GateWord,
        asker: Asker,
        demand: Option<&Demand<'_>>,
        site: &Site<'_>,
    ) -> Result<Admitted, Rejection> {
        loop {
            let gate = word.gate();
            let observed = gate.forced == Forced::Observe;
            // Before the last-seen stamp is moved.
            let at = self.moment(site);
            let (verdict, mut denied) = self.ask(word, asker, &at, site);
            if denied.is_some() && !observed {
                return Err(denied.unwrap_or_else(|| Rejection::for_good(Reason::Banned)));
            }
            let held = match demand.map(|demand| demand.take(site.now)) {
                Some(Err(rejection)) if !observed => return Err(rejection),
                Some(Err(rejection)) => {
                    denied = denied.or(Some(rejection));
                    None
                }
                Some(Ok(held)) => Some(held),
                None => None,
            };
            let bytes = demand.map_or(0, |demand| demand.bytes);
            let charge = held.as_ref().map_or_else(Charge::default, |held| held.charge);
            let mut admitted = Admitted { generation: gate.generation, probe: false, bytes, charge };
            if let Verdict::Probe(next) = verdict {
                if at.is_long_idle() {
                    // Before the lease: who sees it must not take the record for long idle. The one case in which a
                    // request that is refused after all, by a probe that came between, moves the stamp.
                    self.see(site.now);
                }
                // AcqRel: pairs with the Acquire loads of the gate; publishes the stamp above.
                if !self.gate.swap_if(word, next.into(), Ordering::AcqRel, Ordering::Relaxed) {
                    held.iter().for_each(Held::undo);
                    // Acquire: as in `admit`.
                    word = self.gate.load(Ordering::Acquire);
                    continue;
                }
                self.see(site.now);
                self.note_probe(word, &at, site);
                admitted = Admitted { generation: next.generation, probe: true, ..admitted };
            }
            if denied.is_some() {
                site.counters.add(site.slot, Total::WouldDeny, 1);
            }
            return Ok(admitted);
        }
    }

    /// Ban and breaker: what the breaker says, and the first rule that refuses.
    fn ask(&self, word: GateWord, asker: Asker, at: &Moment, site: &Site<'_>) -> (Verdict, Option<Rejection>) {
        let gate = word.gate();
        let banned = gate.banned.then(|| self.ban_in_force(site)).flatten();
        let verdict = transition::ask(gate, asker, at, &site.rules.breaker);
        let refused = match (banned, verdict) {
            (Some(ban), _) => Some(Rejection { reason: Reason::Banned, retry_after: ban.remaining }),
            (None, Verdict::Pass | Verdict::Probe(_)) => None,
            (None, Verdict::ForcedOpen) => Some(Rejection::for_good(Reason::ForcedOpen)),
            (None, Verdict::Open(wait)) => Some(Rejection::after(Reason::Open, wait)),
            (None, Verdict::ProbesOut(wait)) => Some(Rejection::after(Reason::ProbesOut, wait)),
        };
        (verdict, refused)
    }

    /// Writes down what time had done to the gate before this probe was taken.
    fn note_probe(&self, before: GateWord, at: &Moment, site: &Site<'_>) {
        let gate = before.gate();
        match gate.phase {
            Phase::Open { .. } => site.events.push(site.now, self.id(), EventKind::HalfOpened),
            _ => self.note_lost(transition::seen(gate, at, &site.rules.breaker).1, site),
        }
    }

    pub(super) fn note_lost(&self, probes: u8, site: &Site<'_>) {
        if probes != 0 {
            site.counters.add(site.slot, Total::ProbesLost, probes.into());
            site.events.push(site.now, self.id(), EventKind::ProbesLost(probes));
        }
    }
}
