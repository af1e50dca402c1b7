package peerguard

// #include "peerguard.h"
import "C"

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
	"unsafe"
)

// hints spare [Guard.Admit] its call where it can: they remember in which slot of the library's table a peer's record was
// seen, and ask the record itself, in the library's memory, whether it is still that peer's and simply closed. The protocol
// is that of peerguard_records in the header; it is the library's own check with another way to the slot.
//
// A hint owns nothing and promises nothing: one that is stale or lost only costs the call. They are words in sets of eight,
// found by a hash with a random key of the guard's own and replaced at random when a set is full, in an array that never
// grows. In its set a hint lies where the hash says, if that place is free, so that most are found at the first look.
type hints struct {
	records                 unsafe.Pointer
	count                   int
	stride, meta, key, gate uintptr
	// Offset of a record's second line of the cache, or of its first.
	second                    uintptr
	tenantMask, lifeMask, one uint64
	// Of the hash.
	keys [4]uint64
	sets []hintSet
	// Low bits of a hint: the slot's number plus 1, so that no hint is 0. The others are the hash's.
	slotBits int
	slotMask uint32
	// Number of the last set.
	last uint64
}

// hintSet is the hints among which a peer's lies.
type hintSet [hintWays]uint32

const (
	closedMask = C.PEERGUARD_GATE_CLOSED_MASK
	hintWays   = 8
	// Bytes; if it is another, memory comes later than it could.
	cacheLine = 64
)

func newHints(guard C.peerguard_guard) (*hints, error) {
	var records C.peerguard_records
	records.struct_size = C.sizeof_peerguard_records
	if err := failure(C.peerguard_records_of(guard, &records)); err != nil {
		return nil, err
	}
	// Four peers for a set of eight, at most.
	sets := uint64(1)
	for sets*4 < uint64(records.count) {
		sets *= 2
	}
	slotBits := bits.Len64(uint64(records.count))
	var random [32]byte
	if _, err := crand.Read(random[:]); err != nil {
		return nil, err
	}
	h := &hints{
		records: records.first, count: int(records.count), stride: uintptr(records.stride),
		meta: uintptr(records.meta), key: uintptr(records.key), gate: uintptr(records.gate),
		tenantMask: uint64(records.tenant_mask), lifeMask: uint64(records.life_mask), one: uint64(records.live),
		keys: words((*PeerID)(&random)), sets: onLargePages(sets), last: sets - 1,
		slotBits: slotBits, slotMask: 1<<slotBits - 1,
	}
	if h.stride > cacheLine {
		h.second = cacheLine
	}
	return h, nil
}

// words of an id, as they lie in memory.
func words(id *PeerID) [4]uint64 {
	return [4]uint64{
		binary.NativeEndian.Uint64(id[0:]), binary.NativeEndian.Uint64(id[8:]),
		binary.NativeEndian.Uint64(id[16:]), binary.NativeEndian.Uint64(id[24:]),
	}
}

// sighting is a record in which a peer was found.
type sighting struct {
	slot, life uint32
	gate       uint64
}

// hash is keyed, so that ids cannot be chosen to share a set; who could choose them would only make them cost the call.
func (h *hints) hash(id *PeerID) uint64 {
	a, b := bits.Mul64(binary.LittleEndian.Uint64(id[0:])^h.keys[0], binary.LittleEndian.Uint64(id[8:])^h.keys[1])
	c, d := bits.Mul64(binary.LittleEndian.Uint64(id[16:])^h.keys[2], binary.LittleEndian.Uint64(id[24:])^h.keys[3])
	return a ^ b ^ bits.RotateLeft64(c^d, 32)
}

func (h *hints) set(sum uint64) *hintSet { return &h.sets[sum&h.last] }

// wayOf is the i-th place in its set at which a hint is looked for.
func wayOf(sum, i uint64) uint64 { return (sum>>60 + i) % hintWays }

// find looks where the peer was seen last.
func (h *hints) find(id *PeerID, sum uint64) (sighting, bool) {
	set := h.set(sum)
	tag := h.tag(sum)
	for i := range uint64(hintWays) {
		// 0 if the tag is the peer's and no slot is told.
		if slot := atomic.LoadUint32(&set[wayOf(sum, i)]) ^ tag; slot-1 < h.slotMask {
			if seen, ok := h.look(id, slot-1); ok {
				return seen, true
			}
		}
	}
	return sighting{}, false
}

// look reads the record in a slot. All loads are acquire, as Go's atomic loads are: the second load of meta comes after
// those of key and gate.
func (h *hints) look(id *PeerID, slot uint32) (sighting, bool) {
	record := h.record(slot)
	// A record begins with a line of the cache, and a check reads no other. The others, which the report will want, come while
	// this is read: nothing waits for these loads.
	atomic.LoadUint64((*uint64)(unsafe.Add(record, h.second)))
	meta := (*uint64)(unsafe.Add(record, h.meta))
	before := atomic.LoadUint64(meta)
	key := (*[4]uint64)(unsafe.Add(record, h.key))
	// In parentheses: | and ^ bind alike in Go.
	differs := (atomic.LoadUint64(&key[0]) ^ binary.LittleEndian.Uint64(id[0:])) |
		(atomic.LoadUint64(&key[1]) ^ binary.LittleEndian.Uint64(id[8:])) |
		(atomic.LoadUint64(&key[2]) ^ binary.LittleEndian.Uint64(id[16:])) |
		(atomic.LoadUint64(&key[3]) ^ binary.LittleEndian.Uint64(id[24:]))
	gate := atomic.LoadUint64((*uint64)(unsafe.Add(record, h.gate)))
	after := atomic.LoadUint64(meta)
	tenant := before&h.lifeMask + h.one
	if differs|(before&h.tenantMask^tenant)|(after&h.tenantMask^tenant) != 0 {
		return sighting{}, false
	}
	return sighting{slot, uint32(before & h.lifeMask), gate}, true
}

// tag is the hash's part of a peer's hints.
func (h *hints) tag(sum uint64) uint32 { return uint32(sum>>28) &^ h.slotMask }

// ask brings a peer's set to the cache, and tells where its first hint is; nothing waits for the load.
func (h *hints) ask(sum uint64) *uint32 {
	first := &h.set(sum)[wayOf(sum, 0)]
	atomic.LoadUint32(first)
	return first
}

// askRecord tells to which slot a peer's first hint points, plus 1, and brings the record; 0 if the hint is not the peer's.
func (h *hints) askRecord(first *uint32, sum uint64) uint32 {
	slot := atomic.LoadUint32(first) ^ h.tag(sum)
	if slot-1 >= h.slotMask {
		return 0
	}
	atomic.LoadUint64((*uint64)(h.record(slot - 1)))
	return slot
}

// at finds the record that a peer's gate word belongs to, and its tenant's life: not the peer's if that is closed meanwhile,
// and then a report finds another key there.
func (h *hints) at(gate *uint64) (sighting, bool) {
	if gate == &shut {
		return sighting{}, false
	}
	record := unsafe.Add(unsafe.Pointer(gate), -int(h.gate))
	meta := atomic.LoadUint64((*uint64)(unsafe.Add(record, h.meta)))
	slot := (uintptr(record) - uintptr(h.records)) / h.stride
	return sighting{slot: uint32(slot), life: uint32(meta & h.lifeMask)}, true
}

func (h *hints) record(slot uint32) unsafe.Pointer {
	return unsafe.Add(h.records, uintptr(slot)*h.stride)
}

// isOthers tells whether the record in a slot is of another peer with the same hints: so that two such do not drive out each
// other.
func (h *hints) isOthers(slot uint32, sum uint64) bool {
	record := h.record(slot)
	key := (*[4]uint64)(unsafe.Add(record, h.key))
	var id PeerID
	for i := range key {
		binary.LittleEndian.PutUint64(id[8*i:], atomic.LoadUint64(&key[i]))
	}
	theirs := h.hash(&id)
	return theirs != sum && (theirs^sum)&h.last == 0 && h.tag(theirs) == h.tag(sum)
}

// note remembers where a peer was seen.
func (h *hints) note(sum uint64, slot uint32) {
	set := h.set(sum)
	place := wayOf(sum, hintWays)
	taken := true
	for i := range uint64(hintWays) {
		way := wayOf(sum, i)
		hint := atomic.LoadUint32(&set[way])
		if hint != 0 && hint^h.tag(sum) <= h.slotMask && !h.isOthers(hint&h.slotMask-1, sum) {
			place, taken = way, false
			break
		}
		if hint == 0 && taken {
			place, taken = way, false
		}
	}
	if taken {
		place = rand.Uint64() % hintWays
	}
	atomic.StoreUint32(&set[place], h.tag(sum)|(slot+1))
}
