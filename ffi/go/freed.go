package peerguard

// #include "peerguard.h"
import "C"

// guardHandle is a guard's handle, for tests, which cannot use cgo.
type guardHandle uint64

// isFreed tells whether a handle has been freed.
func isFreed(handle guardHandle) bool {
	var peers, capacity C.size_t
	return C.peerguard_occupancy(C.peerguard_guard(handle), &peers, &capacity) == C.PEERGUARD_ERR_FREED
}
