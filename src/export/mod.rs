//! What an operator sees: metrics and queries. Each exporter reads the snapshot that was published last, and nothing else,
//! so that however often it is asked no peer waits.

#[cfg(feature = "graphql")]
pub mod graphql;
#[cfg(feature = "prometheus")]
pub mod prometheus;
