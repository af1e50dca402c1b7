//! What the table asks of the memory under it: lines ahead of their use, and large pages. The only unsafe code outside the C
//! border: both are hints that change no value.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use crate::sync::AtomicU64;

/// Asks for the cache line of a value that is about to be read.
#[inline(always)]
pub(super) fn prefetch<T>(value: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing that a program can see, and does not fault whatever the address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(value.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) value, options(readonly, nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = value;
}

/// Asks for all cache lines of a value.
#[inline(always)]
pub(crate) fn ask_for_all<T>(value: *const T) {
    let lines = value.cast::<[u8; 64]>();
    (0..size_of::<T>().div_ceil(64)).for_each(|line| prefetch(lines.wrapping_add(line)));
}

/// How many values ahead of its place a pass asks for memory: a few hundred nanoseconds.
pub(crate) const AHEAD: usize = 16;

/// Asks for the value that a pass comes to [`AHEAD`] values after this one; what processors fetch by their own guess comes
/// later. It may lie beyond the end.
#[inline(always)]
pub(crate) fn ask_ahead<T>(value: &T) {
    ask_for_all(std::ptr::from_ref(value).wrapping_add(AHEAD));
}

/// A slice of `n` values, on large pages where the system gives them: a look-up in a large table misses the caches anyway, and
/// should not miss the translation of its address as well.
pub(super) fn slab<T>(n: usize, make: impl Fn() -> T) -> Box<[T]> {
    let mut values = room(n);
    values.extend((0..n).map(|_| make()));
    values.into_boxed_slice()
}

/// Pairs of words that are zero. The system provides their pages when they are first written.
#[cfg(not(any(peerguard_loom, peerguard_shuttle)))]
pub(super) fn zeroed(n: usize) -> Box<[[AtomicU64; 2]]> {
    bytemuck::zeroed_slice_box(n)
}

#[cfg(any(peerguard_loom, peerguard_shuttle))]
pub(super) fn zeroed(n: usize) -> Box<[[AtomicU64; 2]]> {
    (0..n).map(|_| [AtomicU64::new(0), AtomicU64::new(0)]).collect()
}

/// Room for `n` values, on large pages where the system gives them: it is filled, or read through, from end to end.
pub(crate) fn room<T>(n: usize) -> Vec<T> {
    let mut values = Vec::with_capacity(n);
    on_large_pages(values.spare_capacity_mut());
    values
}

/// As [`ask_ahead`], for a pass that fills a [`room`]: stores wait for their lines as well, once there are many of them.
#[inline(always)]
pub(crate) fn ask_for_room<T>(values: &mut Vec<T>) {
    ask_for_all(values.spare_capacity_mut().as_ptr().wrapping_add(AHEAD));
}

/// A slab of fewer bytes fits the caches, or nearly, and is left as it is.
pub(super) const LARGE: usize = 1 << 22;

#[cfg(target_os = "linux")]
fn on_large_pages<T>(memory: &mut [MaybeUninit<T>]) {
    use rustix::mm::{Advice, madvise};
    let page = rustix::param::page_size();
    let start = memory.as_mut_ptr() as usize;
    let (first, end) = (start.next_multiple_of(page), start + size_of_val(memory));
    if size_of_val(memory) < LARGE {
        return;
    }
    // SAFETY: the pages lie within the allocation, and the advice changes how they are backed, not what they hold.
    let advised = unsafe { madvise(first as *mut _, (end - first) & !(page - 1), Advice::LinuxHugepage) };
    // A kernel without large pages refuses; the slab works all the same.
    let _ = advised;
}

#[cfg(not(target_os = "linux"))]
fn on_large_pages<T>(_: &mut [MaybeUninit<T>]) {}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_slab_holds_what_was_made_however_large() {
        for n in [0, 3, 1 << 20] {
            let slab = slab(n, || 7u64);
            prefetch(slab.as_ptr());
            assert!(slab.len() == n && slab.iter().all(|&value| value == 7));
        }
    }
}
