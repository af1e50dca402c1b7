//! A slow and obvious model of the guard, and the sequences of calls that compare the two.
//!
//! One thread, plain numbers, lists and maps; no packed words, no atomics. The model is written from the description of
//! the semantics. Where rounding alone decides (a score within 10^-4 of the bound, a bucket within a fraction of a
//! nanosecond) it takes over what the guard did; jitter is checked for its bounds and taken over.

pub mod breaker;
pub mod bucket;
pub mod bytes;
pub mod calls;
pub mod compare;
pub mod config;
pub mod coverage;
pub mod doubt;
pub mod guard;
pub mod orders;
pub mod peer;
pub mod reputation;
pub mod rules;
pub mod run;
pub mod sequence;
pub mod shrink;
pub mod time;
pub mod window;
