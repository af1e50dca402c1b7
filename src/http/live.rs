//! What the page shows, in a few kilobytes whatever the number of peers, and the whole snapshot.

use serde::Serialize;

use crate::event::Event;
use crate::peer::view::PeerView;
use crate::reputation::Tier;
use crate::snapshot::{LatencyQuantiles, Published, Snapshot, Totals};

/// A snapshot with its number and age.
#[derive(Serialize)]
pub(super) struct Numbered<'s> {
    number: u64,
    age_seconds: f64,
    #[serde(flatten)]
    snapshot: &'s Snapshot,
}

impl<'s> Numbered<'s> {
    pub(super) fn new(published: &'s Published) -> Self {
        Self { number: published.number(), age_seconds: published.age().as_secs_f64(), snapshot: published }
    }

    /// About how many bytes it takes.
    pub(super) fn size(published: &Published) -> usize {
        4096 + 1024 * published.peers().len()
    }
}

/// Bars of the score's distribution; the last one has 100 in it.
const BARS: usize = 20;
const WORST: usize = 25;
const BANS: usize = 25;
const EVENTS: usize = 40;

#[derive(Serialize)]
pub(super) struct Live<'s> {
    age_seconds: f64,
    number: u64,
    version: &'static str,
    totals: &'s Totals,
    denied: u64,
    latency: Option<LatencyQuantiles>,
    /// Peers by score, in steps of 5 points.
    scores: [u64; BARS],
    tiers: Tiers,
    worst: Vec<PeerView>,
    worst_left_out: usize,
    /// The bans that end first.
    bans: Vec<PeerView>,
    /// Newest first.
    events: Vec<&'s Event>,
}

#[derive(Default, Serialize)]
struct Tiers {
    banned: u64,
    probation: u64,
    neutral: u64,
    good: u64,
    trusted: u64,
}

impl<'s> Live<'s> {
    pub(super) fn new(published: &'s Published) -> Self {
        let (mut scores, mut tiers) = ([0; BARS], Tiers::default());
        published.each_standing(|score, tier| {
            scores[((score / 5.0) as usize).min(BARS - 1)] += 1;
            *match tier {
                Tier::Banned => &mut tiers.banned,
                Tier::Probation => &mut tiers.probation,
                Tier::Neutral => &mut tiers.neutral,
                Tier::Good => &mut tiers.good,
                Tier::Trusted => &mut tiers.trusted,
            } += 1;
        });
        let (worst, worst_left_out) = published.worst_peers(WORST);
        Self {
            age_seconds: published.age().as_secs_f64(),
            number: published.number(),
            version: env!("CARGO_PKG_VERSION"),
            totals: published.totals(),
            denied: published.totals().denied_total(),
            latency: published.latency(),
            scores,
            tiers,
            worst,
            worst_left_out,
            bans: published.bans(BANS),
            events: published.events().iter().rev().take(EVENTS).collect(),
        }
    }
}
