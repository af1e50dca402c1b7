//! The caller's memory: every pointer is looked at before it is used, and everything is copied.
//!
//! What can be checked is checked here: NULL, alignment, lengths. That the memory behind a pointer is there, is large
//! enough, and is not written by another thread meanwhile is the caller's part, as the header says of every call. A failure
//! is found before anything is done, so a refused call has changed nothing.

use std::ffi::c_char;

use super::status::Failure;

/// Types that C and Rust lay out alike and for which every pattern of bits is a value.
///
/// # Safety
/// The type is `repr(C)` and has integers, floats and such types only.
pub(super) unsafe trait Plain: Copy {}

// SAFETY: integers and floats.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for usize {}
// SAFETY: as above.
unsafe impl Plain for i64 {}
// SAFETY: as above.
unsafe impl Plain for f64 {}
// SAFETY: an address, which nobody here follows.
unsafe impl Plain for *const u64 {}

/// Plain structs that begin with their size, so that they may grow.
///
/// # Safety
/// The first field is `struct_size: usize`.
pub(super) unsafe trait Growing: Plain {}

#[inline(always)]
fn check<T>(pointer: *const T) -> Result<(), Failure> {
    if pointer.is_null() {
        return Err(Failure::Null);
    }
    if pointer.is_aligned() { Ok(()) } else { Err(Failure::Alignment) }
}

/// Reads a value.
///
/// # Safety
/// A pointer that is neither NULL nor misaligned points to a `T`.
#[inline(always)]
pub(super) unsafe fn read<T: Plain>(pointer: *const T) -> Result<T, Failure> {
    check(pointer)?;
    // SAFETY: neither NULL nor misaligned; the rest is the caller's word. Any bits are a `T`.
    Ok(unsafe { pointer.read() })
}

/// Reads a text that ends with a 0, of at most `most` bytes; `None` for NULL.
///
/// # Safety
/// A pointer that is not NULL points to a text that ends with a 0, or to `most` + 1 bytes.
pub(super) unsafe fn read_text(text: *const c_char, most: usize) -> Result<Option<String>, Failure> {
    if text.is_null() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    loop {
        // SAFETY: by this function's own contract: all bytes before this one were not 0.
        match unsafe { text.cast::<u8>().add(bytes.len()).read() } {
            0 => break,
            _ if bytes.len() == most => return Err(Failure::Length),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map(Some).map_err(|_| Failure::Text)
}

/// A place for one value, checked before the call does anything.
#[derive(Clone, Copy)]
pub(super) struct Place<T>(*mut T);

impl<T: Plain> Place<T> {
    /// A place that must be there.
    ///
    /// # Safety
    /// A pointer that is neither NULL nor misaligned points to memory for a `T` until the call returns.
    #[inline(always)]
    pub(super) unsafe fn new(pointer: *mut T) -> Result<Self, Failure> {
        check(pointer)?;
        Ok(Self(pointer))
    }

    /// A place that may be NULL: then what is put there is dropped.
    ///
    /// # Safety
    /// As for [`Self::new`].
    #[inline(always)]
    pub(super) unsafe fn optional(pointer: *mut T) -> Result<Self, Failure> {
        if pointer.is_null() || pointer.is_aligned() { Ok(Self(pointer)) } else { Err(Failure::Alignment) }
    }

    #[inline(always)]
    pub(super) fn put(self, value: T) {
        if !self.0.is_null() {
            // SAFETY: by the contract of `new` and `optional`.
            unsafe { self.0.write(value) };
        }
    }

    /// Where it is; NULL for one that may be, and is.
    #[inline(always)]
    pub(super) fn pointer(self) -> *mut T {
        self.0
    }

    /// What stands there; `None` for NULL.
    #[inline(always)]
    pub(super) fn get(self) -> Option<T> {
        // SAFETY: as in `put`; any bits are a `T`.
        (!self.0.is_null()).then(|| unsafe { self.0.read() })
    }
}

impl<T: Growing> Place<T> {
    /// A place whose `struct_size` the caller has set.
    ///
    /// # Safety
    /// As for [`Self::new`].
    pub(super) unsafe fn growing(pointer: *mut T) -> Result<Self, Failure> {
        // SAFETY: by this function's own contract.
        let place = unsafe { Self::new(pointer)? };
        // SAFETY: as above; a growing struct begins with its size. The rest need not have been written yet.
        let struct_size = unsafe { pointer.cast::<usize>().read() };
        if struct_size == size_of::<T>() { Ok(place) } else { Err(Failure::StructSize) }
    }
}

/// Memory for several values, which need not hold any yet.
#[derive(Clone, Copy)]
pub(super) struct Row<T> {
    first: *mut T,
    length: usize,
}

/// Most bytes that an array may have.
const MOST: usize = isize::MAX as usize;

fn check_length<T>(length: usize) -> Result<(), Failure> {
    let bytes = length.checked_mul(size_of::<T>()).ok_or(Failure::Length)?;
    if bytes <= MOST { Ok(()) } else { Err(Failure::Length) }
}

impl<T: Plain> Row<T> {
    /// Room for `length` values; NULL is fine for 0.
    ///
    /// # Safety
    /// A pointer that is neither NULL nor misaligned points to memory for `length` of `T` until the call returns.
    pub(super) unsafe fn new(first: *mut T, length: usize) -> Result<Self, Failure> {
        check_length::<T>(length)?;
        if length != 0 {
            check(first)?;
        }
        Ok(Self { first, length })
    }

    /// As [`Self::new`]; with NULL, what is put there is dropped.
    ///
    /// # Safety
    /// As for [`Self::new`].
    pub(super) unsafe fn optional(first: *mut T, length: usize) -> Result<Self, Failure> {
        if first.is_null() {
            return Ok(Self { first, length: 0 });
        }
        // SAFETY: by this function's own contract.
        unsafe { Self::new(first, length) }
    }

    pub(super) fn length(self) -> usize {
        self.length
    }

    /// The `i`th place; none beyond the end.
    #[inline(always)]
    pub(super) fn at(self, i: usize) -> Place<T> {
        // `wrapping_add`: no claim that the place is there; `i` is below the length.
        Place(if i < self.length { self.first.wrapping_add(i) } else { std::ptr::null_mut() })
    }

    /// Puts as many of `values` as fit; returns how many.
    pub(super) fn fill(self, values: impl Iterator<Item = T>) -> usize {
        let put = |(i, value): (usize, T)| self.at(i).put(value);
        values.take(self.length).enumerate().map(put).count()
    }
}

impl Row<u8> {
    /// Puts a text, cut to fit and ended by a 0.
    pub(super) fn put_text(self, text: &str) {
        let room = self.length().saturating_sub(1);
        self.fill(text.bytes().take(room).chain([0]));
    }
}

/// Values to be read.
#[derive(Clone, Copy)]
pub(super) struct Span<T> {
    first: *const T,
    length: usize,
}

impl<T: Plain> Span<T> {
    /// `length` values; NULL is fine for 0.
    ///
    /// # Safety
    /// A pointer that is neither NULL nor misaligned points to `length` of `T` until the call returns.
    pub(super) unsafe fn new(first: *const T, length: usize) -> Result<Self, Failure> {
        check_length::<T>(length)?;
        if length != 0 {
            check(first)?;
        }
        Ok(Self { first, length })
    }

    pub(super) fn pointer(self) -> *const T {
        self.first
    }

    pub(super) fn length(self) -> usize {
        self.length
    }

    pub(super) fn iter(self) -> impl Iterator<Item = T> {
        // SAFETY: by the contract of `new`; `i` is below the length, and the bytes of the whole fit an `isize`.
        (0..self.length).map(move |i| unsafe { self.first.add(i).read() })
    }
}
