//! Memory for the floors: pages of 2 MiB where the kernel gives them, so that a floor does not pay for address
//! translation that a table can avoid.

use memmap2::{Advice, MmapMut};
use zerocopy::{FromBytes, IntoBytes};

/// `n` values of zero bytes, kept to the end of the run.
pub fn slab<T: FromBytes + IntoBytes>(n: usize) -> &'static mut [T] {
    let memory = MmapMut::map_anon((n * size_of::<T>()).max(1)).expect("memory for a floor");
    // Only a hint: without huge pages the floor is what it is with small ones.
    let _ = memory.advise(Advice::HugePage);
    let bytes = &mut Box::leak(Box::new(memory))[..n * size_of::<T>()];
    <[T]>::mut_from_bytes(bytes).expect("pages are aligned for every type")
}
