//! What is fuzzed: one function of bytes for each input that comes from outside. Each panics when what must hold does not.
//!
//! The search (`make fuzz`) and the replay of the corpus (`tests/fuzz_corpus.rs`) call the same functions.

pub mod config;
#[cfg(feature = "graphql")]
pub mod graphql;
pub mod id;
pub mod metrics;
pub mod play;
pub mod reader;
