//! Histories of overlapping calls to the real guard, and the search for an order that explains each.
//!
//! A history is what each thread called, what it was answered, and when: a stamp before the call and one after it. It is
//! legal if the calls can be put in one order, without exchanging two of which one had ended before the other began, in
//! which a single-threaded guard would have given the same answers (linearizability; the search is Wing and Gong's with
//! Lowe's memory of what has been tried). The single-threaded guard is the model of the property tests, `tests/model`.
//!
//! What is promised is less than one order for all: breaker, score with ban, and buckets have an order each, in which a
//! report that touches several may stand in different places. So a peer's history is searched once for its breaker and
//! once for its standing. Bytes are searched whole, over all peers' buckets and the shared one, where a request is a take
//! of each and perhaps a give-back, one after the other: so a refusal may be owed to an overlapping request that is
//! itself refused, and an admission to nothing but room.

pub mod breaker;
pub mod bytes;
pub mod calls;
pub mod fact;
pub mod faults;
pub mod history;
pub mod quiet;
pub mod record;
pub mod search;
pub mod standing;
pub mod sum;
