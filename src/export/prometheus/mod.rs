//! Metrics for Prometheus: as text, and as a collector for the `prometheus` crate.
//!
//! A scrape reads the latest published snapshot once. Six metrics bear the names that the project's dashboards have always
//! used; what was added stands under `peerguard_`:
//!
//! | metric | kind | labels |
//! |---|---|---|
//! | `circuit_breaker_state` | gauge: 1 for the state that the peer is in, 0 for the others | `peer`, `state` |
//! | `circuit_breaker_trips_total` | counter | |
//! | `peer_reputation_score` | gauge | `peer` |
//! | `peers_banned_current` | gauge | |
//! | `bandwidth_bytes_total` | counter | `direction` |
//! | `bandwidth_throttled_total` | counter | `direction`, `scope` |
//!
//! Series of single peers are bounded by [`PeerSeries`]: by default those of the 100 worst peers in trouble, which go when
//! the peer recovers. How many were left out is `peerguard_peer_series_left_out`.

mod collector;
mod family;
mod metrics;
mod negotiate;
mod text;

pub use collector::SnapshotCollector;

use crate::snapshot::Publisher;

/// Which peers have series of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerSeries {
    /// None.
    None,
    /// The worst of those in trouble, at most so many; see [`Snapshot::worst_peers`](crate::Snapshot::worst_peers).
    Worst(usize),
    /// Those with the highest scores, at most so many.
    Top(usize),
    /// Every peer. With 100,000 peers that is 400,000 series.
    All,
}

impl Default for PeerSeries {
    fn default() -> Self {
        Self::Worst(100)
    }
}

/// A form of the exposition text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The classic text, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The form that a client asks for by its `Accept` header: OpenMetrics only if it prefers it to plain text.
    #[must_use]
    pub fn negotiate(accept: Option<&str>) -> Self {
        accept.map_or(Self::Text, negotiate::preferred)
    }

    /// The `Content-Type` of the answer.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes the metrics of a publisher's latest snapshot. Cheap to clone.
#[derive(Clone)]
pub struct Exporter {
    publisher: Publisher,
    series: PeerSeries,
}

impl Exporter {
    /// Metrics of what `publisher` publishes.
    #[must_use]
    pub fn new(publisher: &Publisher, series: PeerSeries) -> Self {
        Self { publisher: publisher.clone(), series }
    }

    /// The exposition text of the latest snapshot.
    #[must_use]
    pub fn text(&self, format: Format) -> String {
        text::encode(&self.families(), format)
    }

    /// A collector of the same metrics, to be registered in a node's own registry.
    #[must_use]
    pub fn collector(&self) -> SnapshotCollector {
        SnapshotCollector::new(self.clone())
    }

    fn families(&self) -> Vec<family::Family> {
        metrics::families(&self.publisher.latest(), self.series)
    }
}
