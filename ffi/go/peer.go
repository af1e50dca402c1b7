package peerguard

/*
#include "peerguard.h"
#cgo noescape peerguard_peer_admit
#cgo nocallback peerguard_peer_admit
#cgo noescape peerguard_peer_admit_bytes
#cgo nocallback peerguard_peer_admit_bytes
#cgo noescape peerguard_peer_grant_up_to
#cgo nocallback peerguard_peer_grant_up_to
#cgo noescape peerguard_peer_check
#cgo nocallback peerguard_peer_check
#cgo noescape peerguard_peer_report_key
#cgo nocallback peerguard_peer_report_key
*/
import "C"

import (
	"runtime"
	"sync/atomic"
	"unsafe"
)

// Peer is one peer's record, held for a connection's lifetime: no look-up, and it is not evicted.
//
// As long as the peer is simply closed, [Peer.Admit] and [Peer.Check] are one atomic load of its gate word in the library's
// memory: no cgo call, no allocation. That memory lives as long as any Peer of the guard can be reached, closed or not, so a
// load that races with [Peer.Close] is a load of memory that is there.
type Peer struct {
	handle C.peerguard_peer
	memory *memory
	// The gate word; shut after Close, and without a record.
	gate    atomic.Pointer[uint64]
	cleanup runtime.Cleanup
	closed  atomic.Bool
	id      PeerID
}

// shut is a gate word that admits nobody, so that the call tells why.
var shut uint64 = C.PEERGUARD_GATE_CLOSED_MASK

// Peer finds the peer's record, makes it if there is none, and holds it until Close, or until the Peer is forgotten and
// collected.
func (g *Guard) Peer(id PeerID) (*Peer, error) {
	g.memory.watch()
	var handle C.peerguard_peer
	status := C.peerguard_peer_open(g.handle, id.raw(), &handle)
	runtime.KeepAlive(g)
	if err := failure(status); err != nil {
		return nil, err
	}
	p := &Peer{handle: handle, memory: g.memory, id: id}
	p.gate.Store(&shut)
	var gate *C.uint64_t
	if C.peerguard_peer_gate(handle, &gate) == C.PEERGUARD_OK {
		p.gate.Store((*uint64)(unsafe.Pointer(gate)))
	}
	p.cleanup = runtime.AddCleanup(p, func(handle C.peerguard_peer) { C.peerguard_peer_free(handle) }, handle)
	return p, nil
}

// Close lets the record go. Permits that it gave cannot be reported afterwards: first the report of why a connection ended, then
// this. To close twice is fine.
func (p *Peer) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	p.cleanup.Stop()
	p.gate.Store(&shut)
	status := C.peerguard_peer_free(p.handle)
	runtime.KeepAlive(p)
	return failure(status)
}

// ID tells whose it is.
func (p *Peer) ID() PeerID { return p.id }

// IsTracked tells whether the peer has a record; else its calls go by key.
func (p *Peer) IsTracked() (bool, error) {
	status := C.peerguard_peer_is_tracked(p.handle)
	runtime.KeepAlive(p)
	return yes(status)
}

// simplyClosed loads the gate word: the breaker's period, and whether an admit of 0 bytes passes without another look.
func (p *Peer) simplyClosed() (generation C.uint16_t, ok bool) {
	// Go's atomic loads are acquire, as the header asks.
	word := atomic.LoadUint64(p.gate.Load())
	runtime.KeepAlive(p)
	return generationOf(word), word&closedMask == 0
}

// Admit is [Guard.Admit] for this peer. A closed peer costs one atomic load.
func (p *Peer) Admit() (Permit, error) {
	if generation, ok := p.simplyClosed(); ok {
		permit := Permit{peer: p, loaded: true}
		permit.raw.generation = generation
		permit.raw.state = 1
		return permit, nil
	}
	permit := Permit{peer: p}
	var no C.peerguard_rejection
	status := C.peerguard_peer_admit(p.handle, &permit.raw, &no)
	runtime.KeepAlive(p)
	return permit.answer(status, &no)
}

// Check tells whether [Peer.Admit] would pass now; nil is yes. It takes nothing and counts nothing.
func (p *Peer) Check() error {
	if _, ok := p.simplyClosed(); ok {
		return nil
	}
	var no C.peerguard_rejection
	status := C.peerguard_peer_check(p.handle, &no)
	runtime.KeepAlive(p)
	if status == C.PEERGUARD_NO {
		return refusal(&no)
	}
	return failure(status)
}

// AdmitBytes is [Guard.AdmitBytes] for this peer.
func (p *Peer) AdmitBytes(direction Direction, bytes uint64) (Permit, error) {
	permit := Permit{peer: p}
	var no C.peerguard_rejection
	status := C.peerguard_peer_admit_bytes(p.handle, C.uint32_t(direction), C.uint64_t(bytes), &permit.raw, &no)
	runtime.KeepAlive(p)
	return permit.answer(status, &no)
}

// GrantUpTo is [Guard.GrantUpTo] for this peer.
func (p *Peer) GrantUpTo(direction Direction, want uint64) (Permit, error) {
	permit := Permit{peer: p}
	var no C.peerguard_rejection
	status := C.peerguard_peer_grant_up_to(p.handle, C.uint32_t(direction), C.uint64_t(want), &permit.raw, &no)
	runtime.KeepAlive(p)
	return permit.answer(status, &no)
}

// Report is [Guard.Report] for this peer.
func (p *Peer) Report(result Result) (Recorded, error) {
	var recorded C.uint32_t
	var memory C.peerguard_traffic
	traffic := result.traffic(&memory)
	latency, err := result.latency()
	if err != nil {
		return 0, err
	}
	status := C.peerguard_peer_report_key(p.handle, C.uint32_t(result.Outcome), latency, traffic, &recorded)
	runtime.KeepAlive(p)
	return Recorded(recorded), failure(status)
}
