//! The schedules are tests; see `schedules.rs`.
