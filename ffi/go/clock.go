package peerguard

/*
#include <stdlib.h>
#include "peerguard.h"

static uint64_t peerguard_go_now(void *nanos) { return __atomic_load_n((uint64_t *)nanos, __ATOMIC_RELAXED); }

static peerguard_clock peerguard_go_clock(uint64_t *nanos) {
	peerguard_clock clock = {peerguard_go_now, nanos};
	return clock;
}
*/
import "C"

import (
	"math"
	"sync/atomic"
	"time"
	"unsafe"
)

// ManualClock is a clock that stands still until it is moved: for tests and simulations. [NewManualClock] makes one. It may be
// moved from any goroutine, and may serve many guards.
type ManualClock struct {
	// In C's memory and never freed: guards, peers and exporters read it, and end when the garbage collector likes.
	nanos *uint64
}

// NewManualClock makes a clock that stands at start, which counts from any origin.
func NewManualClock(start time.Duration) *ManualClock {
	c := &ManualClock{(*uint64)(C.calloc(1, C.size_t(unsafe.Sizeof(uint64(0)))))}
	c.Set(start)
	return c
}

func (c *ManualClock) raw() C.peerguard_clock { return C.peerguard_go_clock((*C.uint64_t)(c.nanos)) }

// Now is the clock's time.
func (c *ManualClock) Now() time.Duration { return time.Duration(atomic.LoadUint64(c.nanos)) }

// Set sets the clock, forward or back; what lies before the origin is the origin.
func (c *ManualClock) Set(to time.Duration) { atomic.StoreUint64(c.nanos, uint64(max(to, 0))) }

// Advance moves the clock forward, at most to the largest time.
func (c *ManualClock) Advance(by time.Duration) {
	for {
		now := atomic.LoadUint64(c.nanos)
		if atomic.CompareAndSwapUint64(c.nanos, now, min(now+uint64(max(by, 0)), math.MaxInt64)) {
			return
		}
	}
}
