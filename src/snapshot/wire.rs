//! How views are serialised: times as RFC 3339, lengths of time as seconds, names in snake case.

use std::time::{Duration, SystemTime};

use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};

use super::rfc3339::Rfc3339;
use super::{Peers, Snapshot};
use crate::decision::Reason;
use crate::event::Event;

pub(crate) fn time<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Rfc3339(*at))
}

pub(crate) fn seconds<S: Serializer>(length: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    length.map(|length| length.as_secs_f64()).serialize(serializer)
}

/// Counts by reason, as a map from the reason's name.
pub(crate) fn denials<S: Serializer>(counts: &[u64; Reason::COUNT], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(counts.len()))?;
    for (reason, count) in Reason::ALL.iter().zip(counts) {
        map.serialize_entry(reason.as_str(), count)?;
    }
    map.end()
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("sequence", &self.sequence)?;
        map.serialize_entry("at", &Rfc3339(self.at).to_string())?;
        map.serialize_entry("peer", &self.peer)?;
        map.serialize_entry("kind", self.kind.as_str())?;
        map.serialize_entry("detail", &self.kind.detail())?;
        map.end()
    }
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Snapshot", 4)?;
        fields.serialize_field("taken_at", &Rfc3339(self.taken_at).to_string())?;
        fields.serialize_field("totals", self.totals())?;
        fields.serialize_field("latency", &self.latency())?;
        fields.serialize_field("peers", &self.peers())?;
        fields.end()
    }
}

impl Serialize for Peers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.clone())
    }
}
