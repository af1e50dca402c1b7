//! Peers page by page, the worst of them, bans and their ends, events.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};

use super::error::{DEFAULT_LENGTH, ErrorCode, length, list_complexity, peer_id, published};
use crate::breaker::BreakerState;
use crate::event::Event;
use crate::id::PeerId;
use crate::peer::Rules;
use crate::peer::image::Glance;
use crate::peer::view::PeerView;
use crate::reputation::{BanOrigin, Tier};
use crate::snapshot::rfc3339::Rfc3339;

/// The state of a breaker.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "crate::breaker::BreakerState")]
pub enum BreakerStateName {
    /// Requests pass.
    Closed,
    /// Requests are refused.
    Open,
    /// A few probes are let through.
    HalfOpen,
}

/// How well a peer stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "crate::reputation::Tier")]
pub enum ReputationTier {
    /// A ban is in force.
    Banned,
    /// At most half the initial score.
    Probation,
    /// Below 60.
    Neutral,
    /// Below 80.
    Good,
    /// 80 and above.
    Trusted,
}

/// A ban in force.
#[derive(SimpleObject, Clone, Debug)]
pub struct PeerBan {
    /// 64 hex digits.
    pub peer_id: String,
    /// `earned` or `operator`.
    pub origin: &'static str,
    /// Why.
    pub reason: String,
    /// When it ends, RFC 3339; null = when it is lifted.
    pub ends_at: Option<String>,
    /// What was left of it when the snapshot was taken; null = until it is lifted.
    pub remaining_seconds: Option<f64>,
}

impl PeerBan {
    fn of(peer: &PeerView, taken_at: std::time::SystemTime) -> Option<Self> {
        let ban = peer.ban?;
        Some(Self {
            peer_id: peer.id.to_string(),
            origin: match ban.origin {
                BanOrigin::Earned => "earned",
                BanOrigin::Operator => "operator",
            },
            reason: ban.reason.to_string(),
            ends_at: ban.remaining.and_then(|left| taken_at.checked_add(left)).map(|end| Rfc3339(end).to_string()),
            remaining_seconds: ban.remaining.map(|left| left.as_secs_f64()),
        })
    }
}

/// Everything about one peer.
#[derive(Clone, Debug)]
pub struct PeerRecord {
    peer: PeerView,
    taken_at: std::time::SystemTime,
}

impl PeerRecord {
    pub(super) fn new(peer: PeerView, taken_at: std::time::SystemTime) -> Self {
        Self { peer, taken_at }
    }
}

/// Everything about one peer.
#[Object]
impl PeerRecord {
    /// 64 hex digits.
    async fn peer_id(&self) -> String {
        self.peer.id.to_string()
    }
    /// The breaker's state.
    async fn state(&self) -> BreakerStateName {
        self.peer.state.into()
    }
    /// The operator's override: `none`, `open`, `closed` or `observe`.
    async fn forced(&self) -> &'static str {
        self.peer.forced.as_str()
    }
    /// Failures that count towards opening.
    async fn failures_in_window(&self) -> u32 {
        self.peer.failures_in_window
    }
    /// What is left of the open time.
    async fn open_remaining_seconds(&self) -> Option<f64> {
        self.peer.open_remaining.map(|left| left.as_secs_f64())
    }
    /// Doublings of the open time: of the next one while closed; of the last one otherwise, and a failed probe adds one.
    async fn backoff_level(&self) -> u8 {
        self.peer.backoff_level
    }
    /// Probes that have not reported.
    async fn probes_out(&self) -> u8 {
        self.peer.probes_out
    }
    /// How well the peer stands.
    async fn tier(&self) -> ReputationTier {
        self.peer.tier.into()
    }
    /// The ban in force.
    async fn ban(&self) -> Option<PeerBan> {
        PeerBan::of(&self.peer, self.taken_at)
    }
    /// Earned bans that are remembered.
    async fn offences(&self) -> u8 {
        self.peer.offences
    }
    /// Score, counts, bytes and times.
    async fn reputation(&self) -> super::objects::PeerReputation {
        (&self.peer).into()
    }
    /// Answers that did not come in time.
    async fn timeouts(&self) -> u64 {
        self.peer.timeouts
    }
    /// Failed dials, refused and reset connections.
    async fn unreachable(&self) -> u64 {
        self.peer.unreachable
    }
    /// Breaches of the protocol.
    async fn protocol_violations(&self) -> u64 {
        self.peer.protocol_violations
    }
    /// Used share of the upload bucket, 0 to 1; 0 without a limit.
    async fn upload_used(&self) -> f64 {
        self.peer.upload_used
    }
    /// Used share of the download bucket.
    async fn download_used(&self) -> f64 {
        self.peer.download_used
    }
}

/// Something that happened to a peer.
#[derive(SimpleObject, Clone, Debug)]
pub struct PeerEvent {
    /// Number of the event in its guard, from 0.
    pub sequence: u64,
    /// When it happened, RFC 3339.
    pub at: String,
    /// 64 hex digits.
    pub peer_id: String,
    /// `opened`, `half_opened`, `closed`, `probes_lost`, `forced`, `reset`, `banned`, `unbanned` or `evicted`.
    pub kind: &'static str,
    /// How many probes, which override, who banned, or what an eviction forgot.
    pub detail: Option<String>,
}

impl From<&Event> for PeerEvent {
    fn from(event: &Event) -> Self {
        Self {
            sequence: event.sequence,
            at: Rfc3339(event.at).to_string(),
            peer_id: event.peer.to_string(),
            kind: event.kind.as_str(),
            detail: event.kind.detail(),
        }
    }
}

/// Which peers to list; all that is given must hold.
#[derive(InputObject, Clone, Debug, Default)]
pub struct PeerFilter {
    /// Its breaker is in this state.
    pub state: Option<BreakerStateName>,
    /// It stands so.
    pub tier: Option<ReputationTier>,
    /// Its score is at least this.
    pub min_score: Option<f64>,
    /// Its score is at most this.
    pub max_score: Option<f64>,
    /// Its id begins so.
    pub id_prefix: Option<String>,
}

impl PeerFilter {
    fn admits(&self, id: &PeerId, peer: &Glance, rules: &Rules) -> bool {
        self.state.is_none_or(|state| BreakerState::from(state) == peer.state)
            && self.tier.is_none_or(|tier| Tier::from(tier) == peer.tier(rules))
            && self.min_score.is_none_or(|least| peer.score.points() >= least)
            && self.max_score.is_none_or(|most| peer.score.points() <= most)
            && self.id_prefix.as_deref().is_none_or(|prefix| begins(id, prefix))
    }
}

/// Whether an id's digits begin with these; without formatting those that do not.
fn begins(id: &PeerId, prefix: &str) -> bool {
    prefix.len() <= 64 && {
        let digit = |at: usize| id.as_bytes()[at / 2] >> (4 * (1 - at % 2)) & 15;
        prefix.chars().enumerate().all(|(at, c)| c.to_digit(16) == Some(digit(at).into()))
    }
}

/// A part of a list of peers, in the order of their ids.
#[derive(SimpleObject, Clone, Debug)]
pub struct PeerPage {
    /// The peers.
    pub peers: Vec<PeerRecord>,
    /// Give it as `after` for the next page; null at the end.
    pub next: Option<String>,
    /// Peers on all pages together.
    pub total: u64,
}

/// Peers, bans and events.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordQuery;

#[Object]
impl RecordQuery {
    /// Peers in the order of their ids, page by page: `after` is the last page's `next`. A page has 10 peers unless told,
    /// at most 1000.
    #[graphql(complexity = "list_complexity(limit, child_complexity)")]
    async fn get_peer_records(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(DEFAULT_LENGTH)")] limit: Option<i64>,
        after: Option<String>,
        filter: Option<PeerFilter>,
    ) -> Result<PeerPage> {
        let (n, filter, published) = (length(limit)?, filter.unwrap_or_default(), published(ctx)?);
        let after = after.map(|after| after.parse::<PeerId>().map_err(|_| ErrorCode::BadCursor.error("no cursor")));
        let after = after.transpose()?;
        let mut page = PeerPage { peers: Vec::new(), next: None, total: 0 };
        let mut last = None;
        let rules = published.rules();
        for (place, id, _) in published.glances().filter(|(_, id, peer)| filter.admits(id, peer, rules)) {
            page.total += 1;
            if after.is_some_and(|after| *id <= after) {
                continue;
            }
            if page.peers.len() < n {
                page.peers.push(PeerRecord::new(published.at(place), published.taken_at));
                last = Some(*id);
            } else if page.next.is_none() {
                page.next = last.map(|id| id.to_string());
            }
        }
        Ok(page)
    }

    /// One peer; null when it is not known.
    async fn get_peer_record(&self, ctx: &Context<'_>, peer_id: String) -> Result<Option<PeerRecord>> {
        let (id, published) = (self::peer_id(&peer_id)?, published(ctx)?);
        Ok(published.peer(&id).map(|peer| PeerRecord::new(peer, published.taken_at)))
    }

    /// The worst of the peers in trouble: banned, open, half-open, then those on probation or under an override.
    #[graphql(complexity = "list_complexity(limit, child_complexity)")]
    async fn get_worst_peers(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(DEFAULT_LENGTH)")] limit: Option<i64>,
    ) -> Result<Vec<PeerRecord>> {
        let (n, published) = (length(limit)?, published(ctx)?);
        Ok(published.worst_peers(n).0.into_iter().map(|peer| PeerRecord::new(peer, published.taken_at)).collect())
    }

    /// Bans in force, the one that ends first first.
    #[graphql(complexity = "list_complexity(limit, child_complexity)")]
    async fn get_peer_bans(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(DEFAULT_LENGTH)")] limit: Option<i64>,
    ) -> Result<Vec<PeerBan>> {
        let (n, published) = (length(limit)?, published(ctx)?);
        Ok(published.bans(n).iter().filter_map(|peer| PeerBan::of(peer, published.taken_at)).collect())
    }

    /// The newest events, newest first: 10 unless told, at most 256 are kept.
    #[graphql(complexity = "list_complexity(limit, child_complexity)")]
    async fn get_recent_peer_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(DEFAULT_LENGTH)")] limit: Option<i64>,
    ) -> Result<Vec<PeerEvent>> {
        let (n, published) = (length(limit)?, published(ctx)?);
        Ok(published.events().iter().rev().take(n).map(PeerEvent::from).collect())
    }
}
