//! peerguard
#![allow(dead_code)]
mod breaker;
mod clock;
mod config;
mod error;
mod id;
mod reputation;
mod sync;
mod token_bucket;
pub use breaker::*;
pub use clock::*;
pub use config::*;
pub use error::*;
pub use id::*;
pub use reputation::*;
pub use token_bucket::*;
