//! The seven original queries, word for word.

use async_graphql::{Context, Object, Result};

use super::error::{DEFAULT_LENGTH, length, list_complexity, peer_id, published};
use super::objects::{
    BandwidthStats, CircuitBreakerState, CircuitBreakerSummary, NetworkResilienceSummary, PeerReputation,
    ReputationSummary,
};

/// The seven original queries.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResilienceQuery;

#[Object]
impl ResilienceQuery {
    /// How many breakers are in which state.
    async fn get_circuit_breaker_summary(&self, ctx: &Context<'_>) -> Result<CircuitBreakerSummary> {
        Ok(published(ctx)?.totals().into())
    }

    /// One peer's breaker; `closed` for a peer that is not known.
    async fn get_circuit_breaker_state(&self, ctx: &Context<'_>, peer_id: String) -> Result<CircuitBreakerState> {
        let id = self::peer_id(&peer_id)?;
        Ok(CircuitBreakerState::new(&id, published(ctx)?.peer(&id).as_ref()))
    }

    /// Reputation of all peers together.
    async fn get_reputation_summary(&self, ctx: &Context<'_>) -> Result<ReputationSummary> {
        Ok(published(ctx)?.totals().into())
    }

    /// One peer's reputation; null for a peer that is not known.
    async fn get_peer_reputation(&self, ctx: &Context<'_>, peer_id: String) -> Result<Option<PeerReputation>> {
        let id = self::peer_id(&peer_id)?;
        Ok(published(ctx)?.peer(&id).as_ref().map(PeerReputation::from))
    }

    /// The peers with the highest scores, banned ones left out: 10 unless told (null is 10, too), at most 1000.
    #[graphql(complexity = "list_complexity(limit, child_complexity)")]
    async fn get_top_peers_by_reputation(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(DEFAULT_LENGTH)")] limit: Option<i64>,
    ) -> Result<Vec<PeerReputation>> {
        let n = length(limit)?;
        Ok(published(ctx)?.top_peers(n).iter().map(PeerReputation::from).collect())
    }

    /// Bytes of all peers together.
    async fn get_bandwidth_stats(&self, ctx: &Context<'_>) -> Result<BandwidthStats> {
        Ok(published(ctx)?.totals().into())
    }

    /// Breakers, reputation and bytes, at one time.
    async fn get_network_resilience_summary(&self, ctx: &Context<'_>) -> Result<NetworkResilienceSummary> {
        Ok(published(ctx)?.totals().into())
    }
}
