package peerguard

// #include "peerguard.h"
import "C"

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"sync/atomic"
	"unsafe"
)

// hints spare [Guard.Admit] its call where it can: they remember in which slot of the library's table a peer's record was
// seen, and ask the record itself, in the library's memory, whether it is still that peer's and simply closed. The protocol
// is that of peerguard_records in the header; it is the library's own check with another way to the slot.
//
// A hint owns nothing and promises nothing: one that is stale or lost only costs the call. They are words in sets of eight,
// found by a hash with a random key of the guard's own and replaced at random when a set is full: eight bytes for each
// remembered peer, in an array that never grows.
type hints struct {
	first                     unsafe.Pointer
	stride, meta, key, gate   uintptr
	tenantMask, lifeMask, one uint64
	seed                      maphash.Seed
	words                     []uint64
	// Number of the last set.
	last uint64
}

const (
	closedMask = C.PEERGUARD_GATE_CLOSED_MASK
	hintWays   = 8
	// Low bits of a hint: the slot's number plus 1, so that no hint is 0. The others are the hash's.
	slotBits = 28
	slotMask = 1<<slotBits - 1
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
	return &hints{
		first: records.first, stride: uintptr(records.stride),
		meta: uintptr(records.meta), key: uintptr(records.key), gate: uintptr(records.gate),
		tenantMask: uint64(records.tenant_mask), lifeMask: uint64(records.life_mask), one: uint64(records.live),
		seed: maphash.MakeSeed(), words: make([]uint64, sets*hintWays), last: sets - 1,
	}, nil
}

// sighting is a record in which a peer was found.
type sighting struct {
	slot, life uint32
	gate       uint64
}

func (h *hints) hash(id *PeerID) uint64 { return maphash.Bytes(h.seed, id[:]) }

func (h *hints) set(sum uint64) *[hintWays]uint64 {
	return (*[hintWays]uint64)(h.words[(sum&h.last)*hintWays:])
}

// find looks where the peer was seen last.
func (h *hints) find(id *PeerID, sum uint64) (sighting, bool) {
	set := h.set(sum)
	for i := range set {
		hint := atomic.LoadUint64(&set[i])
		if (hint^sum)>>slotBits == 0 && hint&slotMask != 0 {
			if seen, ok := h.look(id, uint32(hint&slotMask)-1); ok {
				return seen, true
			}
		}
	}
	return sighting{}, false
}

// look reads the record in a slot. All loads are acquire, as Go's atomic loads are: the second load of meta comes after
// those of key and gate.
func (h *hints) look(id *PeerID, slot uint32) (sighting, bool) {
	record := unsafe.Add(h.first, uintptr(slot)*h.stride)
	meta := (*uint64)(unsafe.Add(record, h.meta))
	before := atomic.LoadUint64(meta)
	key := (*[4]uint64)(unsafe.Add(record, h.key))
	differs := atomic.LoadUint64(&key[0]) ^ binary.LittleEndian.Uint64(id[0:]) |
		atomic.LoadUint64(&key[1]) ^ binary.LittleEndian.Uint64(id[8:]) |
		atomic.LoadUint64(&key[2]) ^ binary.LittleEndian.Uint64(id[16:]) |
		atomic.LoadUint64(&key[3]) ^ binary.LittleEndian.Uint64(id[24:])
	gate := atomic.LoadUint64((*uint64)(unsafe.Add(record, h.gate)))
	after := atomic.LoadUint64(meta)
	tenant := before&h.lifeMask + h.one
	if differs|(before&h.tenantMask^tenant)|(after&h.tenantMask^tenant) != 0 {
		return sighting{}, false
	}
	return sighting{slot, uint32(before & h.lifeMask), gate}, true
}

// note remembers where a peer was seen.
func (h *hints) note(sum uint64, slot uint32) {
	set := h.set(sum)
	place := int(rand.Uint32() % hintWays)
	for i := range set {
		hint := atomic.LoadUint64(&set[i])
		if (hint^sum)>>slotBits == 0 {
			place = i
			break
		}
		if hint == 0 {
			place = i
		}
	}
	atomic.StoreUint64(&set[place], sum&^slotMask|uint64(slot+1))
}
