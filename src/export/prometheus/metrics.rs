//! The metrics, and their samples from a snapshot.

use super::PeerSeries;
use super::family::{Family, Kind, Label, Metric, Sample, Value};
use crate::breaker::BreakerState;
use crate::decision::Reason;
use crate::peer::view::PeerView;
use crate::snapshot::Published;

const fn counter(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Metric {
    Metric { name, help, kind: Kind::Counter, labels }
}

const fn gauge(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Metric {
    Metric { name, help, kind: Kind::Gauge, labels }
}

const STATE: Metric =
    gauge("circuit_breaker_state", "Circuit breaker state (1=active), of the listed peers.", &["peer", "state"]);
const TRIPS: Metric = counter("circuit_breaker_trips_total", "Circuit breakers that opened.", &[]);
const SCORE: Metric = gauge("peer_reputation_score", "Current reputation score, of the listed peers.", &["peer"]);
const BANNED: Metric = gauge("peers_banned_current", "Peers with a ban in force.", &[]);
const BYTES: Metric = counter("bandwidth_bytes_total", "Bytes moved.", &["direction"]);
const THROTTLED: Metric =
    counter("bandwidth_throttled_total", "Requests that a byte limit refused.", &["direction", "scope"]);

const PEERS: Metric = gauge("peerguard_peers", "Peers that have a record, by breaker state.", &["state"]);
const CAPACITY: Metric = gauge("peerguard_peer_capacity", "Most peers that can have a record.", &[]);
const LISTED: Metric = gauge("peerguard_peer_series_listed", "Peers that have series of their own.", &[]);
const LEFT_OUT: Metric = gauge(
    "peerguard_peer_series_left_out",
    "Peers that would have series of their own, were their number not bounded.",
    &[],
);
const MEAN_SCORE: Metric = gauge("peerguard_reputation_score_mean", "Mean score; 0 without peers.", &[]);
const MEAN_RELIABILITY: Metric = gauge("peerguard_reliability_mean", "Mean reliability; 0 without peers.", &[]);
const LATENCY: Metric = gauge(
    "peerguard_peer_latency_seconds",
    "Percentiles over the average latencies of the peers that have one.",
    &["percentile"],
);
const WITH_LATENCY: Metric = gauge("peerguard_peers_with_latency", "Peers that have an average latency.", &[]);
const DENIALS: Metric =
    counter("peerguard_denials_total", "Requests refused, by the first rule that did.", &["reason"]);
const WOULD_DENY: Metric =
    counter("peerguard_would_deny_total", "Requests of observed peers that would have been refused.", &[]);
const PROBES_LOST: Metric = counter("peerguard_probes_lost_total", "Probes that did not report in time.", &[]);
const RECORDS: Metric = counter("peerguard_records_made_total", "Records made.", &[]);
const EVICTIONS: Metric = counter("peerguard_evictions_total", "Records that were given to newcomers.", &[]);
const EVICTED_BANS: Metric =
    counter("peerguard_evicted_bans_total", "Records that were given to newcomers with a ban in force.", &[]);
const UNTRACKED: Metric =
    counter("peerguard_untracked_total", "Requests and reports of newcomers for which no record could be made.", &[]);
const EVENTS_DROPPED: Metric =
    counter("peerguard_events_dropped_total", "Events that were gone before they were drained.", &[]);
const LIMIT: Metric =
    gauge("peerguard_bandwidth_limit_bytes_per_second", "Limit of all peers together; 0 = unlimited.", &["direction"]);
const AVAILABLE: Metric = gauge(
    "peerguard_bandwidth_available_bytes",
    "Bytes that the bucket of all peers holds; absent without a limit.",
    &["direction"],
);
const AGE: Metric = gauge("peerguard_snapshot_age_seconds", "How long ago these figures were taken.", &[]);
const SNAPSHOTS: Metric = counter("peerguard_snapshots_published_total", "Snapshots published.", &[]);
const BUILD: Metric = Metric {
    name: "peerguard_build_info",
    help: "Version of the library; always 1.",
    kind: Kind::Info,
    labels: &["version"],
};

/// Every metric, in the order of the text.
pub(super) const ALL: [Metric; 27] = [
    STATE,
    TRIPS,
    SCORE,
    BANNED,
    BYTES,
    THROTTLED,
    PEERS,
    CAPACITY,
    LISTED,
    LEFT_OUT,
    MEAN_SCORE,
    MEAN_RELIABILITY,
    LATENCY,
    WITH_LATENCY,
    DENIALS,
    WOULD_DENY,
    PROBES_LOST,
    RECORDS,
    EVICTIONS,
    EVICTED_BANS,
    UNTRACKED,
    EVENTS_DROPPED,
    LIMIT,
    AVAILABLE,
    AGE,
    SNAPSHOTS,
    BUILD,
];

/// A family of one sample without labels.
fn one(metric: Metric, value: impl Into<Value>) -> Family {
    Family { metric, samples: vec![Sample { labels: Vec::new(), value: value.into() }] }
}

/// A family whose samples differ in labels.
fn each<V: Into<Value>, const N: usize>(
    metric: Metric,
    samples: impl IntoIterator<Item = ([&'static str; N], V)>,
) -> Family {
    let sample = |(labels, value): ([&'static str; N], V)| Sample {
        labels: labels.map(Label::Borrowed).into(),
        value: value.into(),
    };
    Family { metric, samples: samples.into_iter().map(sample).collect() }
}

/// All families of a snapshot.
pub(super) fn families(published: &Published, series: PeerSeries) -> Vec<Family> {
    let totals = published.totals();
    let (listed, left_out) = listed(published, series);
    let (up, down) = (totals.throttled_upload, totals.throttled_download);
    let latency = published.latency();
    let percentiles = latency.map_or_else(Vec::new, |latency| {
        let each = [("50", latency.p50), ("90", latency.p90), ("99", latency.p99), ("99.9", latency.p999)];
        each.map(|(percentile, ms)| ([percentile], ms / 1000.0)).to_vec()
    });
    let available = [("upload", totals.upload_available), ("download", totals.download_available)];
    let available = available.into_iter().filter_map(|(direction, bytes)| Some(([direction], bytes?)));
    vec![
        states(&listed),
        one(TRIPS, totals.trips),
        scores(&listed),
        one(BANNED, totals.banned),
        each(BYTES, [(["upload"], totals.uploaded), (["download"], totals.downloaded)]),
        each(
            THROTTLED,
            [
                (["upload", "global"], up.global),
                (["upload", "peer"], up.peer),
                (["download", "global"], down.global),
                (["download", "peer"], down.peer),
            ],
        ),
        each(PEERS, [(["closed"], totals.closed), (["open"], totals.open), (["half_open"], totals.half_open)]),
        one(CAPACITY, totals.capacity),
        one(LISTED, listed.len() as u64),
        one(LEFT_OUT, left_out as u64),
        one(MEAN_SCORE, totals.avg_score),
        one(MEAN_RELIABILITY, totals.avg_reliability),
        each(LATENCY, percentiles),
        one(WITH_LATENCY, latency.map_or(0, |latency| latency.peers)),
        each(DENIALS, Reason::ALL.map(|reason| ([reason.as_str()], totals.denied(reason)))),
        one(WOULD_DENY, totals.would_deny),
        one(PROBES_LOST, totals.probes_lost),
        one(RECORDS, totals.records_made),
        one(EVICTIONS, totals.evictions),
        one(EVICTED_BANS, totals.evicted_bans),
        one(UNTRACKED, totals.untracked),
        one(EVENTS_DROPPED, totals.events_lost),
        each(LIMIT, [(["upload"], totals.upload_limit), (["download"], totals.download_limit)]),
        each(AVAILABLE, available),
        one(AGE, published.age().as_secs_f64()),
        one(SNAPSHOTS, published.number() + 1),
        each(BUILD, [([env!("CARGO_PKG_VERSION")], 1)]),
    ]
}

/// What a peer's series show.
struct Listed {
    id: String,
    state: BreakerState,
    score: f64,
}

impl From<PeerView> for Listed {
    fn from(peer: PeerView) -> Self {
        Self { id: peer.id.to_string(), state: peer.state, score: peer.score }
    }
}

/// The peers with series of their own, and how many the bound leaves out.
fn listed(published: &Published, series: PeerSeries) -> (Vec<Listed>, usize) {
    let totals = published.totals();
    let all = totals.total_peers as usize;
    let (peers, left_out) = match series {
        PeerSeries::None => (Vec::new(), all),
        PeerSeries::Worst(n) => published.worst_peers(n),
        PeerSeries::Top(n) => {
            let best = published.top_peers(n);
            // Banned peers are never among the best, bound or no bound.
            let left_out = all - totals.banned as usize - best.len();
            (best, left_out)
        }
        PeerSeries::All => return (published.peers().map(Listed::from).collect(), 0),
    };
    (peers.into_iter().map(Listed::from).collect(), left_out)
}

fn states(listed: &[Listed]) -> Family {
    const STATES: [BreakerState; 3] = [BreakerState::Closed, BreakerState::Open, BreakerState::HalfOpen];
    let sample = |peer: &Listed, state: BreakerState| Sample {
        labels: vec![peer.id.clone().into(), state.as_str().into()],
        value: u64::from(peer.state == state).into(),
    };
    let samples = listed.iter().flat_map(|peer| STATES.map(|state| sample(peer, state))).collect();
    Family { metric: STATE, samples }
}

fn scores(listed: &[Listed]) -> Family {
    let sample = |peer: &Listed| Sample { labels: vec![peer.id.clone().into()], value: peer.score.into() };
    Family { metric: SCORE, samples: listed.iter().map(sample).collect() }
}
