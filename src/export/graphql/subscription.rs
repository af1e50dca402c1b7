//! Events as they happen.

use std::time::Duration;

use async_graphql::futures_util::Stream;
use async_graphql::futures_util::stream;
use async_graphql::{Context, Result, SimpleObject};

use super::error::{list_complexity, peer_id};
use super::records::PeerEvent;
use crate::guard::PeerGuard;
use crate::id::PeerId;
use crate::snapshot::Publisher;

/// How often new events are looked for.
const PERIOD: Duration = Duration::from_millis(200);
/// Most events in one message.
const BATCH: usize = 256;

/// Events since the last message.
#[derive(SimpleObject, Clone, Debug)]
pub struct PeerEventBatch {
    /// The events, oldest first.
    pub events: Vec<PeerEvent>,
    /// Events, of any peer, that were overwritten before this reader came to them.
    pub lost: u64,
}

/// The subscription.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subscription;

/// A reader of the guard's events with a cursor of its own.
struct Follower {
    guard: PeerGuard,
    peer: Option<PeerId>,
    cursor: u64,
}

impl Follower {
    /// Waits for the next message.
    async fn next(mut self) -> Option<(PeerEventBatch, Self)> {
        loop {
            let batch = self.guard.events_since(self.cursor, BATCH);
            self.cursor = batch.next;
            let wanted = batch.events.iter().filter(|event| self.peer.is_none_or(|peer| peer == event.peer));
            let message = PeerEventBatch { events: wanted.map(PeerEvent::from).collect(), lost: batch.lost };
            if !message.events.is_empty() || message.lost != 0 {
                return Some((message, self));
            }
            if batch.events.len() < BATCH {
                tokio::time::sleep(PERIOD).await;
            } else {
                // Others have their turn, however fast events come that this reader does not want.
                tokio::task::yield_now().await;
            }
        }
    }
}

#[async_graphql::Subscription]
impl Subscription {
    /// Transitions, bans and evictions of all peers, or of one, from now on or from event number `since` on. A reader that
    /// is too slow is told how many events it lost. Needs tokio's timer.
    #[graphql(complexity = "list_complexity(Some(BATCH as i64), child_complexity)")]
    async fn peer_events(
        &self,
        ctx: &Context<'_>,
        peer_id: Option<String>,
        since: Option<u64>,
    ) -> Result<impl Stream<Item = PeerEventBatch>> {
        let peer = peer_id.as_deref().map(self::peer_id).transpose()?;
        let guard = ctx.data::<Publisher>()?.guard().clone();
        let cursor = since.unwrap_or_else(|| guard.event_count());
        Ok(stream::unfold(Follower { guard, peer, cursor }, Follower::next))
    }
}
