//! Models of the races, for loom: each explores every interleaving of two or three threads over the crate's own words, and
//! every value that a load may return under the memory model. See `README.md`.

mod explore;
mod stage;

mod admit_and_limits;
mod bans;
mod buckets;
mod clock;
mod events;
mod first_contact;
mod flows;
#[cfg(feature = "capi")]
mod handles;
mod lending;
mod probes;
mod publication;
mod rates;
mod reports;
mod slots;
mod snapshots;
mod takes;
mod trips;
