//! The targets of `make fuzz`; see `entry/mod.rs`.

mod entry;

#[cfg(feature = "graphql")]
pub use entry::graphql;
pub use entry::{config, id, metrics};

pub mod c_calls {
    //! Calls of the C interface, freed handles and spent permits among them: `ffi/tests/sequences.c`, with the input in the
    //! place of its random numbers.

    // The functions that the C code calls.
    use peerguard as _;

    unsafe extern "C" {
        fn peerguard_fuzz_sequences(data: *const u8, length: usize);
    }

    pub fn run(data: &[u8]) {
        // SAFETY: reads so many bytes from there, and keeps nothing.
        unsafe { peerguard_fuzz_sequences(data.as_ptr(), data.len()) }
    }
}
