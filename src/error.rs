//! Typed errors. A refusal is not one: see [`Rejection`](crate::Rejection).

use std::fmt;

/// A configuration that cannot be: which field, and what it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    field: &'static str,
    allowed: &'static str,
}

impl ConfigError {
    pub(crate) const fn new(field: &'static str, allowed: &'static str) -> Self {
        Self { field, allowed }
    }

    /// The field's path from [`Config`](crate::Config) or [`Limits`](crate::Limits), such as `circuit_breaker.failure_threshold`.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// What the field may be.
    #[must_use]
    pub const fn allowed(&self) -> &'static str {
        self.allowed
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must be {}", self.field, self.allowed)
    }
}

impl std::error::Error for ConfigError {}

/// A latency that is no length of time: NaN, infinite or negative. Nothing was recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InvalidLatency {
    /// What was given, in milliseconds.
    pub milliseconds: f64,
}

impl fmt::Display for InvalidLatency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a latency of {} ms: it must be finite and not negative", self.milliseconds)
    }
}

impl std::error::Error for InvalidLatency {}

/// Why an operator's call was not carried out. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A limit that cannot be.
    Config(ConfigError),
    /// The peer has no record, and none of the places that its key may take can be freed: all hold pinned peers or
    /// operators' settings.
    TableFull,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::TableFull => f.write_str("no place in the table can be freed for this peer"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::TableFull => None,
        }
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
