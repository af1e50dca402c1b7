//! Why was this peer refused?

use async_graphql::{Context, Object, Result, SimpleObject};

use super::error::peer_id;
use super::records::{PeerEvent, PeerRecord};
use crate::decision::Rejection;
use crate::guard::BucketView;
use crate::snapshot::Publisher;

/// A byte bucket.
#[derive(SimpleObject, Clone, Debug)]
pub struct ByteBucket {
    /// Bytes per second.
    pub rate: u64,
    /// Bytes that a full bucket holds.
    pub burst: u64,
    /// Bytes that it holds now.
    pub available: u64,
}

impl From<BucketView> for ByteBucket {
    fn from(bucket: BucketView) -> Self {
        Self { rate: bucket.rate, burst: bucket.burst, available: bucket.available }
    }
}

/// A refusal.
#[derive(SimpleObject, Clone, Debug)]
pub struct Refusal {
    /// The rule that refuses.
    pub reason: &'static str,
    /// How long until it no longer does; null = never by itself.
    pub retry_after_ms: Option<f64>,
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        let retry_after_ms = rejection.retry_after.map(|wait| wait.as_secs_f64() * 1000.0);
        Self { reason: rejection.reason.as_str(), retry_after_ms }
    }
}

/// What would be decided for a peer now, and why.
#[derive(SimpleObject, Clone, Debug)]
pub struct PeerExplanation {
    /// 64 hex digits.
    pub peer_id: String,
    /// Whether a request without bytes would be admitted.
    pub admitted: bool,
    /// The refusal, if not.
    pub refusal: Option<Refusal>,
    /// The refusal that an observed peer is spared.
    pub spared: Option<Refusal>,
    /// The peer as it stands; null when it is not known.
    pub record: Option<PeerRecord>,
    /// Its score.
    pub score: f64,
    /// What a peer without history has.
    pub initial_score: f64,
    /// What is left of the outcomes so far: score less initial score.
    pub remembered_score: f64,
    /// Added for its latency when sync candidates are ordered.
    pub latency_bonus: f64,
    /// The peer's bucket; null without a limit.
    pub peer_upload: Option<ByteBucket>,
    /// The peer's bucket; null without a limit.
    pub peer_download: Option<ByteBucket>,
    /// The bucket of all peers; null without a limit.
    pub global_upload: Option<ByteBucket>,
    /// The bucket of all peers; null without a limit.
    pub global_download: Option<ByteBucket>,
    /// The peer's newest events, newest first, at most 16.
    pub events: Vec<PeerEvent>,
}

/// Explanations.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExplanationQuery;

#[Object]
impl ExplanationQuery {
    /// What would be decided for a peer at this moment (not at that of the snapshot), and why. Changes nothing.
    #[graphql(complexity = "50 + child_complexity")]
    async fn explain_peer(&self, ctx: &Context<'_>, peer_id: String) -> Result<PeerExplanation> {
        let id = self::peer_id(&peer_id)?;
        let explanation = ctx.data::<Publisher>()?.guard().explain(&id);
        let [peer_upload, peer_download] = explanation.peer_buckets.map(|bucket| bucket.map(ByteBucket::from));
        let [global_upload, global_download] = explanation.global_buckets.map(|bucket| bucket.map(ByteBucket::from));
        let now = std::time::SystemTime::now();
        Ok(PeerExplanation {
            peer_id: id.to_string(),
            admitted: explanation.verdict.is_ok(),
            refusal: explanation.verdict.err().map(Refusal::from),
            spared: explanation.spared.map(Refusal::from),
            record: explanation.view.clone().map(|view| PeerRecord::new(view, now)),
            score: explanation.score.score,
            initial_score: explanation.score.initial,
            remembered_score: explanation.score.remembered,
            latency_bonus: explanation.score.latency_bonus,
            peer_upload,
            peer_download,
            global_upload,
            global_download,
            events: explanation.events.iter().map(PeerEvent::from).collect(),
        })
    }
}
