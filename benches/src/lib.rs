//! Benchmarks of peerguard: paired rounds against what a user would assemble today, and against the bare memory.
// Nobody depends on this crate: what is public is so for its programs.
#![allow(clippy::len_without_is_empty, clippy::new_without_default)]

pub mod args;
pub mod contact;
pub mod docs;
pub mod floors;
pub mod goals;
pub mod json;
pub mod measure;
pub mod memory;
pub mod ours;
pub mod passes;
pub mod plan;
pub mod plots;
pub mod report;
pub mod results;
pub mod rivals;
pub mod run;
#[cfg(feature = "exporters")]
pub mod scrape;
pub mod stats;
pub mod subject;
pub mod tails;
pub mod workload;
