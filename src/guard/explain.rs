//! Why was this peer refused?

use super::queries::event;
use super::{Inner, PeerGuard};
use crate::breaker::Forced;
use crate::breaker::transition::{self, Asker, Verdict};
use crate::decision::{Reason, Rejection};
use crate::event::Event;
use crate::id::PeerId;
use crate::peer::image::Image;
use crate::peer::view::PeerView;
use crate::token_bucket::Direction;
use crate::token_bucket::bucket::Limit;
use crate::token_bucket::rate::Rate;

/// Events that an explanation shows.
const EVENTS: usize = 16;

/// What would be decided for a peer now, and why.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// Whose.
    pub peer: PeerId,
    /// What `admit` would say: the rule that would refuse, and until when.
    pub verdict: Result<(), Rejection>,
    /// The refusal that an observed peer is spared.
    pub spared: Option<Rejection>,
    /// The peer as it stands: breaker, ban, counters; `None` without a record.
    pub view: Option<PeerView>,
    /// What the score is made of.
    pub score: ScoreParts,
    /// The peer's byte buckets: upload, download; `None` without a limit.
    pub peer_buckets: [Option<BucketView>; 2],
    /// The byte buckets of all peers together.
    pub global_buckets: [Option<BucketView>; 2],
    /// The peer's newest events, newest first.
    pub events: Vec<Event>,
}

/// What a score is made of, in points: `score = initial + remembered`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ScoreParts {
    /// The score.
    pub score: f64,
    /// What a peer without history has.
    pub initial: f64,
    /// What is left of the outcomes so far.
    pub remembered: f64,
    /// Added for its latency when sync candidates are ordered.
    pub latency_bonus: f64,
}

/// A byte bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketView {
    /// Bytes per second.
    pub rate: u64,
    /// Bytes that a full bucket holds.
    pub burst: u64,
    /// Bytes that it holds now.
    pub available: u64,
}

impl PeerGuard {
    /// What an `admit` of this peer would say now, by which rule and until when, with everything behind it. Changes nothing,
    /// not even a counter.
    #[must_use]
    pub fn explain(&self, peer: &PeerId) -> Explanation {
        self.inner.explain(peer)
    }
}

impl Inner {
    fn explain(&self, id: &PeerId) -> Explanation {
        let wall = self.wall();
        let image = self.table.image_of(id);
        let view = image.as_ref().map(|image| image.view(&wall, self.peer_rates(), &self.rules));
        let refusal = match &image {
            Some(image) => self.refusal(image, wall.now),
            None => self.newcomer_refusal(id),
        };
        let observed = view.as_ref().is_some_and(|view| view.forced == Forced::Observe);
        let (verdict, spared) = match refusal {
            Some(rejection) if !observed => (Err(rejection), None),
            spared => (Ok(()), spared),
        };
        let of_peer = self.events.newest().filter(|entry| entry.peer == *id).take(EVENTS);
        Explanation {
            peer: *id,
            verdict,
            spared,
            score: self.score_parts(view.as_ref()),
            peer_buckets: Direction::ALL.map(|direction| self.peer_bucket(image.as_ref(), direction, wall.now)),
            global_buckets: Direction::ALL.map(|direction| self.global_bucket(direction, wall.now)),
            events: of_peer.map(|entry| event(&entry, &wall)).collect(),
            view,
        }
    }

    /// The first rule that refuses, by the words of `image`.
    pub(super) fn refusal(&self, image: &Image, now: u64) -> Option<Rejection> {
        if let Some(ban) = image.ban(now, &self.rules) {
            return Some(Rejection { reason: Reason::Banned, retry_after: ban.remaining });
        }
        match transition::ask(image.gate.gate(), Asker::Permit, &image.moment(now), &self.rules.breaker) {
            Verdict::Pass | Verdict::Probe(_) => None,
            Verdict::ForcedOpen => Some(Rejection::for_good(Reason::ForcedOpen)),
            Verdict::Open(wait) => Some(Rejection::after(Reason::Open, wait)),
            Verdict::ProbesOut(wait) => Some(Rejection::after(Reason::ProbesOut, wait)),
        }
    }

    fn score_parts(&self, view: Option<&PeerView>) -> ScoreParts {
        let reputation = &self.config.reputation;
        let score = view.map_or(reputation.initial_score, |view| view.score);
        let bonus = view.and_then(|view| view.latency_ms).map_or(0.0, |ms| (1000.0 / ms).min(10.0));
        ScoreParts {
            score,
            initial: reputation.initial_score,
            remembered: score - reputation.initial_score,
            latency_bonus: bonus * reputation.latency_weight,
        }
    }

    // Inlined, it is compiled to look at the limits of an image that is not there before it asks whether one is: harmless,
    // but checkers of memory report it.
    #[inline(never)]
    fn peer_bucket(&self, image: Option<&Image>, direction: Direction, now: u64) -> Option<BucketView> {
        let inherited = self.peer_rates()[direction.index()];
        let rate = image.and_then(|image| image.own_limit(direction)).map_or(inherited, Rate::new);
        if rate.is_unlimited() {
            return None;
        }
        let limit = Limit::new(rate, &self.rules.burst);
        let debt = image.map_or(0, |image| image.bucket(direction).debt(now, limit.burst));
        Some(bucket_view(&limit, debt))
    }

    fn global_bucket(&self, direction: Direction, now: u64) -> Option<BucketView> {
        let (bucket, limit) = self.global_limit(direction)?;
        Some(bucket_view(&limit, bucket.debt(now, limit.burst)))
    }
}

fn bucket_view(limit: &Limit, debt: u64) -> BucketView {
    let available = limit.rate.bytes_within(limit.burst - debt);
    BucketView { rate: limit.rate.get().unwrap_or(0), burst: limit.burst_bytes(), available }
}
