//! What an operator does, if the node allows it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Enum, Error, InputObject, Object, Result};

use super::error::{ErrorCode, peer_id};
use crate::config::PeerLimits;
use crate::guard::PeerGuard;
use crate::snapshot::Publisher;

/// What is about to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Ban a peer.
    Ban,
    /// Lift a peer's bans.
    Unban,
    /// Override a peer's gate.
    Force,
    /// Reset a peer.
    Reset,
    /// Change the limits of all peers, or of one.
    Limits,
}

/// The node's word on who may change something: a function of the request, whose data the node has filled, and the action.
#[derive(Clone)]
pub struct Authorisation {
    allows: Arc<Allows>,
}

type Allows = dyn Fn(&Context<'_>, Action) -> bool + Send + Sync;

impl Authorisation {
    /// Allows what `allows` says.
    pub fn new(allows: impl Fn(&Context<'_>, Action) -> bool + Send + Sync + 'static) -> Self {
        Self { allows: Arc::new(allows) }
    }
}

impl fmt::Debug for Authorisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorisation")
    }
}

/// How a peer's gate is overridden.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForcedGate {
    /// Refused.
    Open,
    /// Admitted, but for bans and byte limits.
    Closed,
    /// Nothing refused; what would have been is counted.
    Observe,
}

/// New limits, bytes per second; 0 = unlimited; what is left out stays.
#[derive(InputObject, Clone, Copy, Debug)]
pub struct LimitsInput {
    /// Upload of all peers together.
    pub upload: Option<u64>,
    /// Download of all peers together.
    pub download: Option<u64>,
    /// Upload of each peer.
    pub per_peer_upload: Option<u64>,
    /// Download of each peer.
    pub per_peer_download: Option<u64>,
}

/// An operator's mutations. Without an [`Authorisation`] in the schema's data all are refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutation;

/// The guard, if the action is allowed.
fn allowed<'c>(ctx: &Context<'c>, action: Action) -> Result<&'c PeerGuard> {
    let allowed = ctx.data_opt::<Authorisation>().is_some_and(|authorisation| (authorisation.allows)(ctx, action));
    if !allowed {
        return Err(ErrorCode::Unauthorized.error("this request may not change anything"));
    }
    Ok(ctx.data::<Publisher>()?.guard())
}

fn operator(error: crate::error::Error) -> Error {
    let message = error.to_string();
    ErrorCode::from(error).error(message)
}

#[Object]
impl Mutation {
    /// Bans a peer for so many seconds, or until it is unbanned; `code` is the operator's own reason, 0 to 255. Of two bans
    /// the later end holds.
    async fn ban_peer(
        &self,
        ctx: &Context<'_>,
        peer_id: String,
        seconds: Option<f64>,
        code: Option<i64>,
    ) -> Result<bool> {
        let guard = allowed(ctx, Action::Ban)?;
        let id = self::peer_id(&peer_id)?;
        let length = seconds.map(Duration::try_from_secs_f64).transpose();
        let length = length.map_err(|error| ErrorCode::BadValue.error(format!("seconds: {error}")))?;
        let code = u8::try_from(code.unwrap_or(0)).map_err(|_| ErrorCode::BadValue.error("code must be 0 to 255"))?;
        guard.ban(&id, length, code).map_err(operator)?;
        Ok(true)
    }

    /// Lifts every ban of a peer; false when none was in force.
    async fn unban_peer(&self, ctx: &Context<'_>, peer_id: String) -> Result<bool> {
        let guard = allowed(ctx, Action::Unban)?;
        Ok(guard.unban(&self::peer_id(&peer_id)?))
    }

    /// Overrides a peer's gate until it is reset.
    async fn force_peer(&self, ctx: &Context<'_>, peer_id: String, gate: ForcedGate) -> Result<bool> {
        let guard = allowed(ctx, Action::Force)?;
        let id = self::peer_id(&peer_id)?;
        match gate {
            ForcedGate::Open => guard.force_open(&id),
            ForcedGate::Closed => guard.force_closed(&id),
            ForcedGate::Observe => guard.observe(&id),
        }
        .map_err(operator)?;
        Ok(true)
    }

    /// Breaker, ban, score and offences as of a new peer; counters stay. False when the peer is not known.
    async fn reset_peer(&self, ctx: &Context<'_>, peer_id: String) -> Result<bool> {
        let guard = allowed(ctx, Action::Reset)?;
        Ok(guard.reset(&self::peer_id(&peer_id)?))
    }

    /// Changes the limits of all peers.
    async fn set_bandwidth_limits(&self, ctx: &Context<'_>, limits: LimitsInput) -> Result<bool> {
        let guard = allowed(ctx, Action::Limits)?;
        let changed =
            guard.change_limits([limits.upload, limits.download], [limits.per_peer_upload, limits.per_peer_download]);
        changed.map_err(|error| operator(error.into()))?;
        Ok(true)
    }

    /// Gives a peer limits of its own, bytes per second; 0 = unlimited, null = as all peers.
    async fn set_peer_limits(
        &self,
        ctx: &Context<'_>,
        peer_id: String,
        upload: Option<u64>,
        download: Option<u64>,
    ) -> Result<bool> {
        let guard = allowed(ctx, Action::Limits)?;
        let limits = PeerLimits { upload, download };
        guard.set_peer_limits(&self::peer_id(&peer_id)?, limits).map_err(operator)?;
        Ok(true)
    }
}
