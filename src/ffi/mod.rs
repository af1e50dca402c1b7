//! The C ABI: what `include/peerguard.h` declares.
//!
//! | file | what |
//! |---|---|
//! | `registry`, `seat`, `barrier` | handles: why a stale one is safe |
//! | `boundary`, `status`, `memory` | the border: panics, codes, the caller's pointers |
//! | `config`, `permit`, `view`, `event`, `export_options` | the structs, and what they are in Rust |
//! | `guard`, `admit`, `report`, `calls`, `batch`, `peer`, `records`, `operator`, `query`, `snapshot`, `id`, `text` | the functions |
//! | `exporter`, `text_handle`, `export` | metrics, queries and a server; without the feature `http` they say so |
//!
//! Each exported function turns pointers and integers into Rust values, refuses what is none, and makes one call of the
//! facade, all inside [`boundary::boundary`].
#![allow(unsafe_code, reason = "a C caller hands over raw pointers; each use states why it is sound")]
#![allow(non_camel_case_types, reason = "these are the names of the C types")]

mod barrier;
mod boundary;
mod memory;
pub(crate) mod registry;
pub(crate) mod seat;
pub(crate) mod status;

mod config;
mod event;
mod export_options;
mod permit;
mod view;

mod admit;
mod batch;
mod calls;
mod export;
mod exporter;
mod guard;
mod id;
mod operator;
mod peer;
mod query;
mod records;
mod report;
mod snapshot;
mod text;
mod text_handle;

#[cfg(feature = "capi-faults")]
mod fault;
