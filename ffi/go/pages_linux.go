package peerguard

import (
	"syscall"
	"unsafe"
)

// largePage is the size of a large page on the usual machines; where it is another, the advice is refused or of less use.
const largePage = 1 << 21

// onLargePages makes n sets, on large pages if they fill one and the system gives them: a look-up in a large table misses the
// caches anyway, and should not miss the translation of its address as well.
func onLargePages(n uint64) []hintSet {
	const (
		size = uint64(unsafe.Sizeof(hintSet{}))
		page = largePage / size
	)
	if n < page {
		return make([]hintSet, n)
	}
	sets := make([]hintSet, n+page)
	skip := uint64(-uintptr(unsafe.Pointer(&sets[0]))) % largePage / size
	sets = sets[skip:][:n:n]
	// A kernel without large pages refuses; the sets work all the same.
	_ = syscall.Madvise(unsafe.Slice((*byte)(unsafe.Pointer(&sets[0])), n*size), syscall.MADV_HUGEPAGE)
	return sets
}
