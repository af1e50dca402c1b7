//! What the memory and the processor ask at least: the same look-up and the same number of atomic read-modify-writes as
//! the operation, and nothing else.

pub mod check;
pub mod full;
pub mod hash;
pub mod least;
pub mod parts;
pub mod slab;
pub mod table;
