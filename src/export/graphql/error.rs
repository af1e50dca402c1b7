//! Errors with codes.

use async_graphql::{Context, Error, ErrorExtensions};

use super::MAX_LIST;
use crate::id::PeerId;
use crate::snapshot::{Published, Publisher};
use std::sync::Arc;

/// What an error's `code` says; see the [module](super).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// Not 64 hex digits.
    BadPeerId,
    /// A list of less than 0 or more than 1000.
    LimitOutOfRange,
    /// Not a cursor of this query.
    BadCursor,
    /// A number out of its range.
    BadValue,
    /// No record can be made for the peer.
    TableFull,
    /// The node does not allow it.
    Unauthorized,
    /// Nested deeper than a request may be.
    QueryTooDeep,
    /// More than a request may ask.
    QueryTooComplex,
    /// Not GraphQL.
    ParseFailed,
    /// No query of this schema.
    ValidationFailed,
}

impl ErrorCode {
    /// The code as it stands in an answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadPeerId => "BAD_PEER_ID",
            Self::LimitOutOfRange => "LIMIT_OUT_OF_RANGE",
            Self::BadCursor => "BAD_CURSOR",
            Self::BadValue => "BAD_VALUE",
            Self::TableFull => "TABLE_FULL",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::QueryTooDeep => "QUERY_TOO_DEEP",
            Self::QueryTooComplex => "QUERY_TOO_COMPLEX",
            Self::ParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::ValidationFailed => "GRAPHQL_VALIDATION_FAILED",
        }
    }

    pub(super) fn error(self, message: impl Into<String>) -> Error {
        Error::new(message).extend_with(|_, extensions| extensions.set("code", self.as_str()))
    }
}

impl From<crate::error::Error> for ErrorCode {
    fn from(error: crate::error::Error) -> Self {
        match error {
            crate::error::Error::TableFull => Self::TableFull,
            crate::error::Error::Config(_) => Self::BadValue,
        }
    }
}

pub(super) fn peer_id(text: &str) -> Result<PeerId, Error> {
    text.parse().map_err(|error: crate::id::PeerIdError| ErrorCode::BadPeerId.error(error.to_string()))
}

/// A list's length unless told; the schema shows it as the argument's default.
pub(super) const DEFAULT_LENGTH: i64 = 10;

/// A list's length. `null` counts as left out: generated clients send it for what was not set.
pub(super) fn length(limit: Option<i64>) -> Result<usize, Error> {
    let limit = limit.unwrap_or(DEFAULT_LENGTH);
    if !(0..=MAX_LIST).contains(&limit) {
        return Err(ErrorCode::LimitOutOfRange.error(format!("limit must be 0 to {MAX_LIST}, not {limit}")));
    }
    Ok(limit as usize)
}

/// What looking through all peers counts for.
const PASS: usize = 100;

/// What a list of this length counts for: looking through all peers, and a tenth for a field of each entry.
pub(super) fn list_complexity(limit: Option<i64>, child: usize) -> usize {
    let length = limit.unwrap_or(DEFAULT_LENGTH).clamp(0, MAX_LIST) as usize;
    PASS + (length * child).div_ceil(10)
}

/// The publication that this request reads, or the latest where the schema lacks [`Safeguards`](super::Safeguards).
pub(super) fn published(ctx: &Context<'_>) -> Result<Arc<Published>, Error> {
    match ctx.data_opt::<Arc<Published>>() {
        Some(published) => Ok(published.clone()),
        None => Ok(ctx.data::<Publisher>()?.latest()),
    }
}
