package peerguard

// #include "peerguard.h"
import "C"

// What tests ask the library: they cannot use cgo.

// guardHandle is a guard's handle.
type guardHandle uint64

// isFreed tells whether a handle has been freed.
func isFreed(handle guardHandle) bool {
	var peers, capacity C.size_t
	return C.peerguard_occupancy(C.peerguard_guard(handle), &peers, &capacity) == C.PEERGUARD_ERR_FREED
}

// reasonText is the library's word for a reason.
func reasonText(number uint32) string { return C.GoString(C.peerguard_reason_text(C.uint32_t(number))) }

// eventText is the library's word for a kind of event.
func eventText(number uint32) string { return C.GoString(C.peerguard_event_text(C.uint32_t(number))) }
