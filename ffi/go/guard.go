package peerguard

/*
#include "peerguard.h"
#cgo noescape peerguard_admit
#cgo nocallback peerguard_admit
#cgo noescape peerguard_admit_bytes
#cgo nocallback peerguard_admit_bytes
#cgo noescape peerguard_grant_up_to
#cgo nocallback peerguard_grant_up_to
#cgo noescape peerguard_take
#cgo nocallback peerguard_take
#cgo noescape peerguard_report_key
#cgo nocallback peerguard_report_key
#cgo noescape peerguard_should_communicate
#cgo nocallback peerguard_should_communicate
#cgo noescape peerguard_is_banned
#cgo nocallback peerguard_is_banned
*/
import "C"

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
)

// Guard is breaker, reputation and byte limits of every peer, under one gate. [New] makes one.
type Guard struct {
	handle C.peerguard_guard
	memory *memory
	hints  *hints
	// Frees what was never closed.
	cleanup runtime.Cleanup
	closed  atomic.Bool
}

// memory keeps the C side alive for the loads of gate words: the Guard and every Peer refer to it, so it is collected, and
// the handle freed, when no goroutine can be at such a load any more.
type memory struct {
	anchor C.peerguard_guard
	// A Peer has been opened, or a hint noted: gate words may be loaded.
	watched atomic.Bool
}

func (m *memory) watch() {
	if !m.watched.Load() {
		m.watched.Store(true)
	}
}

// New makes a guard. Close it when it is no longer needed. A field that is out of its range is a [ConfigError].
func New(config Config) (*Guard, error) { return newGuardBy(config, nil) }

// NewWithClock is New for a guard that goes by a clock of the caller's.
func NewWithClock(config Config, clock *ManualClock) (*Guard, error) {
	if clock == nil || clock.nanos == nil {
		return nil, ErrInvalid
	}
	raw := clock.raw()
	return newGuardBy(config, &raw)
}

func newGuardBy(config Config, clock *C.peerguard_clock) (*Guard, error) {
	if C.peerguard_abi_version() != C.PEERGUARD_ABI_VERSION {
		return nil, fmt.Errorf("%w: %s", ErrLibrary, Version())
	}
	raw := config.raw()
	var handle, anchor C.peerguard_guard
	if status := C.peerguard_new(&raw, clock, &handle); status != C.PEERGUARD_OK {
		return nil, configFailure(status, &raw)
	}
	if status := C.peerguard_share(handle, &anchor); status != C.PEERGUARD_OK {
		C.peerguard_free(handle)
		return nil, failure(status)
	}
	hints, err := newHints(handle)
	if err != nil {
		C.peerguard_free(anchor)
		C.peerguard_free(handle)
		return nil, err
	}
	g := &Guard{handle: handle, memory: &memory{anchor: anchor}, hints: hints}
	runtime.AddCleanup(g.memory, freeGuard, anchor)
	g.cleanup = runtime.AddCleanup(g, freeGuard, handle)
	return g, nil
}

// freeGuard frees a handle; one that was freed before is refused, which is fine.
func freeGuard(handle C.peerguard_guard) { C.peerguard_free(handle) }

func configFailure(status C.int32_t, raw *C.peerguard_config) error {
	if status != C.PEERGUARD_ERR_CONFIG {
		return failure(status)
	}
	var why [256]C.char
	C.peerguard_config_check(raw, &why[0], C.size_t(len(why)))
	return configError(C.GoString(&why[0]), configFields)
}

// Close ends the guard: calls that come later get [ErrClosed]. Peers and exporters of it work on until they are closed
// themselves. To close twice is fine.
func (g *Guard) Close() error {
	if g.closed.Swap(true) {
		return nil
	}
	g.cleanup.Stop()
	err := failure(C.peerguard_free(g.handle))
	if !g.memory.watched.Load() {
		C.peerguard_free(g.memory.anchor)
	}
	runtime.KeepAlive(g)
	return err
}

func (id *PeerID) raw() *C.peerguard_id { return (*C.peerguard_id)(unsafe.Pointer(id)) }

// Direction is which way bytes go.
type Direction uint32

// Directions.
const (
	// Upload: to the peer.
	Upload Direction = C.PEERGUARD_UPLOAD
	// Download: from the peer.
	Download Direction = C.PEERGUARD_DOWNLOAD
)

// Admit asks: may I talk to this peer now? It asks ban and breaker. The error is a [Refusal], or [ErrClosed].
//
// A peer that was admitted before and is simply closed costs a few loads and no cgo call.
func (g *Guard) Admit(id PeerID) (permit Permit, err error) {
	sum := g.hints.hash(&id)
	seen, known := g.hints.find(&id, sum)
	permit.guard = g
	if known && seen.gate&closedMask == 0 && !g.closed.Load() {
		g.grant(&permit.raw, &id, seen)
		runtime.KeepAlive(g)
		return permit, nil
	}
	// Before the call: if it succeeds, Close has yet to ask.
	g.memory.watch()
	err = g.ask(&id, &permit)
	if err == nil && !known && permit.raw.hold == C.PEERGUARD_HOLD_SEEN {
		g.hints.note(sum, uint32(permit.raw.slot))
	}
	return permit, err
}

// grant makes the permit that the library would give for a record that was seen; permit is zero.
func (g *Guard) grant(permit *C.peerguard_permit, id *PeerID, seen sighting) {
	permit.owner = C.uint64_t(g.handle)
	*(*[4]uint64)(unsafe.Pointer(&permit.id)) = words(id)
	permit.slot, permit.life = C.uint32_t(seen.slot), C.uint32_t(seen.life)
	permit.generation = generationOf(seen.gate)
	permit.state, permit.hold = 1, C.PEERGUARD_HOLD_SEEN
}

// ask is Admit by a call.
func (g *Guard) ask(id *PeerID, permit *Permit) error {
	var no C.peerguard_rejection
	permit.guard = g
	status := C.peerguard_admit(g.handle, id.raw(), &permit.raw, &no)
	runtime.KeepAlive(g)
	if status == C.PEERGUARD_OK {
		return nil
	}
	*permit = Permit{}
	if status == C.PEERGUARD_NO {
		return refusal(&no)
	}
	return failure(status)
}

// generationOf is the breaker's period in a gate word.
func generationOf(gate uint64) C.uint16_t {
	return C.uint16_t(gate >> C.PEERGUARD_GATE_GENERATION_SHIFT & C.PEERGUARD_GATE_GENERATION_MASK)
}

// AdmitBytes asks: may I move so many bytes to or from this peer now? It takes them from the peer's bucket and from that of
// all peers, or from neither. Where threads collide on the limit of all peers, up to an eighth of its burst may be set
// aside for them, and a request that needs it be refused; no more is ever let through.
func (g *Guard) AdmitBytes(id PeerID, direction Direction, bytes uint64) (Permit, error) {
	permit := Permit{guard: g}
	var no C.peerguard_rejection
	status := C.peerguard_admit_bytes(g.handle, id.raw(), C.uint32_t(direction), C.uint64_t(bytes), &permit.raw, &no)
	runtime.KeepAlive(g)
	return permit.answer(status, &no)
}

// GrantUpTo is AdmitBytes for as many bytes as there are now, from 1 to want: see [Permit.Bytes].
func (g *Guard) GrantUpTo(id PeerID, direction Direction, want uint64) (Permit, error) {
	permit := Permit{guard: g}
	var no C.peerguard_rejection
	status := C.peerguard_grant_up_to(g.handle, id.raw(), C.uint32_t(direction), C.uint64_t(want), &permit.raw, &no)
	runtime.KeepAlive(g)
	return permit.answer(status, &no)
}

// ShouldCommunicate asks as [Guard.Admit] does, without a permit: a half-open breaker lends it a probe slot, which the next
// [Guard.Report] for the peer gives back.
func (g *Guard) ShouldCommunicate(id PeerID) (bool, error) {
	status := C.peerguard_should_communicate(g.handle, id.raw())
	runtime.KeepAlive(g)
	return yes(status)
}

// TryUpload takes bytes to be sent to the peer; it asks neither ban nor breaker. False without an error is no.
func (g *Guard) TryUpload(id PeerID, bytes uint64) (bool, error) { return g.take(id, Upload, bytes) }

// TryDownload takes bytes to be received from the peer; see [Guard.TryUpload].
func (g *Guard) TryDownload(id PeerID, bytes uint64) (bool, error) {
	return g.take(id, Download, bytes)
}

func (g *Guard) take(id PeerID, direction Direction, bytes uint64) (bool, error) {
	status := C.peerguard_take(g.handle, id.raw(), C.uint32_t(direction), C.uint64_t(bytes))
	runtime.KeepAlive(g)
	return yes(status)
}

// Report tells what happened with a peer, without a permit. It makes a record if there is none and the outcome has an effect. A
// half-open breaker counts it only while a probe of [Guard.ShouldCommunicate] is out, which it gives back.
func (g *Guard) Report(id PeerID, result Result) (Recorded, error) {
	var recorded C.uint32_t
	var memory C.peerguard_traffic
	traffic := result.traffic(&memory)
	latency, err := result.latency()
	if err != nil {
		return 0, err
	}
	status := C.peerguard_report_key(g.handle, id.raw(), C.uint32_t(result.Outcome), latency, traffic, &recorded)
	runtime.KeepAlive(g)
	return Recorded(recorded), failure(status)
}

// Ban bans a peer; [Forever] = until unbanned. Under a ban in force the later end holds. Code is the operator's own reason. A
// time of 0 or less is [ErrInvalid].
func (g *Guard) Ban(id PeerID, d time.Duration, code uint8) error {
	if d <= 0 {
		return ErrInvalid
	}
	status := C.peerguard_ban(g.handle, id.raw(), nanos(d), C.uint32_t(code))
	runtime.KeepAlive(g)
	return failure(status)
}

// Unban lifts every ban of a peer and sets its initial score; it tells whether one was in force. Offences are remembered: the
// next earned ban is as long as if this one had ended.
func (g *Guard) Unban(id PeerID) (bool, error) {
	status := C.peerguard_unban(g.handle, id.raw())
	runtime.KeepAlive(g)
	return yes(status)
}

// IsBanned tells whether a ban is in force.
func (g *Guard) IsBanned(id PeerID) (bool, error) {
	status := C.peerguard_is_banned(g.handle, id.raw())
	runtime.KeepAlive(g)
	return yes(status)
}

// Forced is an operator's override of a peer's gate.
type Forced uint32

// Overrides.
const (
	// NotForced: the breaker decides. It is told, and cannot be asked for: see [Guard.Reset].
	NotForced Forced = C.PEERGUARD_FORCED_NONE
	// ForceOpen: the peer is refused until reset.
	ForceOpen Forced = C.PEERGUARD_FORCED_OPEN
	// ForceClosed: the breaker admits whatever happens; bans and byte limits stay.
	ForceClosed Forced = C.PEERGUARD_FORCED_CLOSED
	// ForceObserving: everything is computed and shown, nothing is refused.
	ForceObserving Forced = C.PEERGUARD_FORCED_OBSERVE
)

// Force overrides a peer's gate until [Guard.Reset].
func (g *Guard) Force(id PeerID, forced Forced) error {
	status := C.peerguard_force(g.handle, id.raw(), C.uint32_t(forced))
	runtime.KeepAlive(g)
	return failure(status)
}

// Reset lifts an override and sets breaker, ban, score and offences as of a new peer; counters and own limits stay. It tells
// whether the peer has a record.
func (g *Guard) Reset(id PeerID) (bool, error) {
	status := C.peerguard_reset(g.handle, id.raw())
	runtime.KeepAlive(g)
	return yes(status)
}

// Limits reads the limits in force.
func (g *Guard) Limits() (Limits, error) {
	var l C.peerguard_limits
	status := C.peerguard_get_limits(g.handle, &l)
	runtime.KeepAlive(g)
	return Limits{uint64(l.upload), uint64(l.download), uint64(l.per_peer_upload), uint64(l.per_peer_download)},
		failure(status)
}

// UpdateLimits changes the limits, for all requests from now on; with one out of range it changes none: a [ConfigError].
func (g *Guard) UpdateLimits(limits Limits) error {
	l := C.peerguard_limits{
		upload: C.uint64_t(limits.Upload), download: C.uint64_t(limits.Download),
		per_peer_upload: C.uint64_t(limits.PerPeerUpload), per_peer_download: C.uint64_t(limits.PerPeerDownload),
	}
	status := C.peerguard_update_limits(g.handle, &l)
	runtime.KeepAlive(g)
	return limitsFailure(status, limits)
}

// Inherit is the limit of a peer that has none of its own.
const Inherit = ^uint64(0)

// SetPeerLimits gives a peer byte limits of its own: bytes per second, 0 = unlimited, at most 2^40; [Inherit] = as for
// all peers. One out of range is a [ConfigError]. A peer with limits of its own keeps its record until both are [Inherit].
func (g *Guard) SetPeerLimits(id PeerID, upload, download uint64) error {
	status := C.peerguard_set_peer_limits(g.handle, id.raw(), C.uint64_t(upload), C.uint64_t(download))
	runtime.KeepAlive(g)
	own := func(limit uint64) uint64 {
		if limit == Inherit {
			return 0
		}
		return limit
	}
	return limitsFailure(status, Limits{Upload: own(upload), Download: own(download)})
}

// limitsFailure is failure; of limits that are out of range it tells which.
func limitsFailure(status C.int32_t, limits Limits) error {
	if status != C.PEERGUARD_ERR_CONFIG {
		return failure(status)
	}
	// The library judges them as those of a configuration.
	config := DefaultConfig()
	config.UploadLimit, config.DownloadLimit = limits.Upload, limits.Download
	config.PerPeerUploadLimit, config.PerPeerDownloadLimit = limits.PerPeerUpload, limits.PerPeerDownload
	raw := config.raw()
	err := configFailure(status, &raw)
	if wrong, ok := err.(*ConfigError); ok {
		wrong.Field = strings.TrimSuffix(wrong.Field, "Limit")
	}
	return err
}

func yes(status C.int32_t) (bool, error) { return status == C.PEERGUARD_OK, failure(status) }
