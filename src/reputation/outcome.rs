//! What can happen with a peer.

/// What happened with a peer. Which outcomes move the breaker and what each does to the score is in its line; the weights
/// are [`Weights`](crate::Weights).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A sync went well: +2, a success for the breaker.
    SyncSuccess,
    /// A message went well: +0.5, a success for the breaker.
    MessageSuccess,
    /// A sync failed: −5, a failure for the breaker.
    SyncFailure,
    /// A message failed: −1, a failure for the breaker.
    MessageFailure,
    /// No answer in time: −1, a failure for the breaker.
    Timeout,
    /// Refused, reset, or the dial failed: −1, a failure for the breaker.
    Unreachable,
    /// The peer broke the protocol: −10, a failure for the breaker.
    ProtocolViolation,
    /// The peer did what no honest peer does: it is banned, a failure for the breaker.
    Fatal,
    /// We gave up for reasons of our own: no effect, a probe slot goes back.
    Cancelled,
    /// We failed, not the peer: no effect, a probe slot goes back.
    LocalError,
}

/// What an outcome is to the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Success,
    Failure,
    None,
}

impl Outcome {
    /// All outcomes, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::SyncSuccess,
        Self::MessageSuccess,
        Self::SyncFailure,
        Self::MessageFailure,
        Self::Timeout,
        Self::Unreachable,
        Self::ProtocolViolation,
        Self::Fatal,
        Self::Cancelled,
        Self::LocalError,
    ];

    /// The outcome in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SyncSuccess => "sync_success",
            Self::MessageSuccess => "message_success",
            Self::SyncFailure => "sync_failure",
            Self::MessageFailure => "message_failure",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::ProtocolViolation => "protocol_violation",
            Self::Fatal => "fatal",
            Self::Cancelled => "cancelled",
            Self::LocalError => "local_error",
        }
    }

    #[inline]
    pub(crate) const fn effect(self) -> Effect {
        match self {
            Self::SyncSuccess | Self::MessageSuccess => Effect::Success,
            Self::Cancelled | Self::LocalError => Effect::None,
            _ => Effect::Failure,
        }
    }
}
