//! What stands behind an exporter's handle: everything with the feature `http`, nothing without it.
//!
//! Without it the functions are there all the same, so that one header fits every build: they look at their arguments, and
//! making an exporter answers that it is not supported.

#[cfg(feature = "http")]
mod present;
#[cfg(feature = "http")]
pub(super) use present::{Exporting, negotiated};

#[cfg(not(feature = "http"))]
mod absent;
#[cfg(not(feature = "http"))]
pub(super) use absent::{Exporting, negotiated};
