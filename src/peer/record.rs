//! The layout of a record: two cache lines, by what is written together.
//!
//! | line | words |
//! |---|---|
//! | 0 | meta, key (4), gate, score, failure window: what a check reads and a report of success looks at |
//! | 1 | ban, last seen, latency, buckets (2), flow (2), sync successes: what a report and a byte take write |
//!
//! They lie in one pair of lines, which many processors fetch together. What hot paths do not touch lies [`Beside`] it, so that
//! they meet with fewer pages.

use std::mem::offset_of;

use crate::breaker::gate::{Gate, GateWord, Generation};
use crate::breaker::rate::RateWindow;
use crate::breaker::window::FailureWindow;
use crate::clock::SKEW;
use crate::counters::bytes;
use crate::id::PeerId;
use crate::peer::flow::Flow;
use crate::peer::latency::Latency;
use crate::peer::limits::OwnLimits;
use crate::peer::meta::Meta;
use crate::peer::tally::Tally;
use crate::reputation::ban::BanWord;
use crate::reputation::params::Params;
use crate::reputation::score::ScoreWord;
use crate::sync::{Ordering, Word, fence};
use crate::token_bucket::bucket::Bucket;

#[repr(C, align(128))]
pub(crate) struct Record {
    pub(crate) meta: Word<Meta>,
    key: [Word<u64>; 4],
    pub(crate) gate: Word<GateWord>,
    pub(crate) score: Word<ScoreWord>,
    pub(crate) window: Word<FailureWindow>,

    pub(crate) ban: Word<BanWord>,
    /// Nanoseconds.
    pub(crate) last_seen: Word<u64>,
    /// Milliseconds.
    pub(crate) latency: Word<Latency>,
    /// By direction.
    pub(crate) buckets: [Bucket; 2],
    /// By direction: what was counted lately, see [`super::flow`].
    pub(crate) flow: [Word<Flow>; 2],
    /// The other counts lie in the tally; for this one there is room here.
    pub(crate) sync_successes: Word<u64>,
}

#[cfg(not(any(peerguard_loom, peerguard_shuttle)))]
const _: () = assert!(size_of::<Record>() == 128);

/// What lies beside a record, in slabs of their own.
#[derive(Clone, Copy)]
pub(crate) struct Beside<'a> {
    pub(crate) tally: &'a Tally,
    /// The peer's own limits, which few have.
    pub(crate) limits: OwnLimits<'a>,
    /// When breakers open by failure rate.
    pub(crate) rate: Option<&'a RateWindow>,
}

impl Record {
    /// A slot that no peer has had.
    pub(crate) fn free() -> Self {
        Self {
            meta: Word::new(Meta::FREE),
            key: std::array::from_fn(|_| Word::new(0)),
            gate: Word::new(Gate::NEW.into()),
            score: Word::new(crate::sync::Packed::from_bits(0)),
            window: Word::new(FailureWindow::empty(Generation::FIRST)),
            ban: Word::new(BanWord::NEW),
            last_seen: Word::new(0),
            latency: Word::new(Latency::none(0)),
            buckets: [Bucket::new(0), Bucket::new(0)],
            flow: [Word::new(Flow::empty(0)), Word::new(Flow::empty(0))],
            sync_successes: Word::new(0),
        }
    }

    /// Where the line begins that a report of success and a byte take write.
    pub(crate) const COUNTS: usize = offset_of!(Self, ban);

    /// Where meta, key and gate stand in it.
    #[cfg(feature = "capi")]
    pub(crate) const OFFSETS: [usize; 3] = [offset_of!(Self, meta), offset_of!(Self, key), offset_of!(Self, gate)];

    /// Writes a new tenant's words, but for the flow, which [`Self::begin_flow`] has emptied before.
    ///
    /// Relaxed: the caller has claimed the slot and fenced (see the table); it publishes the record afterwards.
    pub(crate) fn furnish(&self, id: &PeerId, life: u32, now: u64, params: &Params) {
        for (word, value) in self.key.iter().zip(id.words()) {
            word.store(value, Ordering::Relaxed);
        }
        self.gate.store(Gate::NEW.into(), Ordering::Relaxed);
        self.score.store_over(ScoreWord::new(params, now), Ordering::Relaxed);
        self.window.store(FailureWindow::empty(Generation::FIRST), Ordering::Relaxed);
        self.ban.store(BanWord::NEW, Ordering::Relaxed);
        self.last_seen.store(now, Ordering::Relaxed);
        self.latency.store_over(Latency::none(life), Ordering::Relaxed);
        self.buckets.iter().for_each(|bucket| bucket.fill(now));
        self.sync_successes.store(0, Ordering::Relaxed);
    }

    /// The life of its tenant; `None` for a free record.
    #[inline(always)]
    pub(crate) fn tenant(&self) -> Option<u32> {
        // Acquire: pairs with the Release store that opened the record; its words are visible.
        let meta = self.meta.load(Ordering::Acquire);
        meta.is_live().then(|| meta.life())
    }

    /// Whether what was read (Relaxed, or by a CAS) of the record since its life was seen is that tenant's.
    #[inline(always)]
    pub(crate) fn is_still(&self, life: u32) -> bool {
        // Acquire: pairs with the Release fence of the claim; see the text of `table`.
        fence(Ordering::Acquire);
        self.meta.load(Ordering::Relaxed).is(life)
    }

    /// Empties the flow for a new tenancy, and returns the bytes that its last tenant had moved lately, by direction. From
    /// here on no report without a pin reaches the record, but those of the new life. The caller has claimed the slot.
    pub(crate) fn begin_flow(&self, life: u32) -> [u64; 2] {
        // AcqRel: pairs with the Acquire load of `report_plainly`. The count that comes back is final.
        self.flow.each_ref().map(|flow| flow.swap(Flow::empty(life), Ordering::AcqRel).bytes())
    }

    /// Empties the flow into the wide counters where it is half full. The caller holds the record.
    ///
    /// Between the two steps a reader misses what is carried over; it never sees it twice.
    pub(crate) fn empty_flow(&self, tally: &Tally) {
        for (flow, bytes) in self.flow.iter().zip(&tally.bytes) {
            // Relaxed, all: counters order nothing.
            let full = flow.load(Ordering::Relaxed);
            if full.is_crowded() {
                let last = flow.swap(Flow::empty(full.life()), Ordering::Relaxed);
                // Release: pairs with the Acquire fence of `image`, which has read the wide counters before it.
                fence(Ordering::Release);
                self.sync_successes.add(last.sync_successes(), Ordering::Relaxed);
                tally.message_successes.add(last.message_successes(), Ordering::Relaxed);
                bytes::add(bytes, last.bytes());
            }
        }
    }

    /// Whether the key is this one. Relaxed: the table validates by the meta word.
    #[inline]
    pub(crate) fn holds(&self, words: &[u64; 4]) -> bool {
        self.key.iter().zip(words).all(|(word, value)| word.load(Ordering::Relaxed) == *value)
    }

    /// The key. Relaxed: as for `holds`.
    pub(crate) fn id(&self) -> PeerId {
        PeerId::from_words(std::array::from_fn(|i| self.key[i].load(Ordering::Relaxed)))
    }

    /// Notes that something was recorded at `now`. A thread whose clock reading is older than the stamp leaves it, unless the
    /// clock was set back.
    #[inline]
    pub(crate) fn see(&self, now: u64) {
        // Relaxed: ordered for those who need it by the CAS that follows (see `report`).
        let seen = self.last_seen.load(Ordering::Relaxed);
        // A stamp behind `now` wraps to a large difference.
        if seen.wrapping_sub(now) > SKEW {
            self.last_seen.store(now, Ordering::Relaxed);
        }
    }

    /// Every word but meta and the refusal counters, for tests that nothing changed.
    pub(crate) fn words(&self) -> Vec<u64> {
        let mut words: Vec<u64> = self.key.iter().map(Word::bits).collect();
        words.extend([self.gate.bits(), self.score.bits(), self.window.bits(), self.ban.bits()]);
        words.extend([self.last_seen.bits(), self.latency.bits()]);
        words.extend(self.buckets.iter().map(|bucket| crate::sync::Packed::to_bits(bucket.paid_at())));
        words.extend(self.flow.iter().map(Word::bits));
        words.push(self.sync_successes.bits());
        words
    }
}
