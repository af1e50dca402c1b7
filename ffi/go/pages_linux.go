package peerguard

import (
	"syscall"
	"unsafe"
)

// largePage is the size of a large page on the usual machines; where it is another, the advice is refused or of less use.
const largePage = 1 << 21

// onLargePages makes n words, on large pages if they fill one and the system gives them: a look-up in a large table misses
// the caches anyway, and should not miss the translation of its address as well.
func onLargePages(n uint64) []uint32 {
	const page = largePage / 4
	if n < page {
		return make([]uint32, n)
	}
	words := make([]uint32, n+page)
	skip := -uintptr(unsafe.Pointer(&words[0])) % largePage / 4
	words = words[skip:][:n:n]
	// A kernel without large pages refuses; the words work all the same.
	_ = syscall.Madvise(unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), n*4), syscall.MADV_HUGEPAGE)
	return words
}
