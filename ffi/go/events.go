package peerguard

// #include "peerguard.h"
import "C"

import (
	"runtime"
	"time"
)

// EventKind is what happened to a peer.
type EventKind uint32

// Kinds of events; what Detail means is told with each.
const (
	EventOpened     EventKind = C.PEERGUARD_EVENT_OPENED
	EventHalfOpened EventKind = C.PEERGUARD_EVENT_HALF_OPENED
	EventClosed     EventKind = C.PEERGUARD_EVENT_CLOSED
	EventProbesLost EventKind = C.PEERGUARD_EVENT_PROBES_LOST // how many
	EventForced     EventKind = C.PEERGUARD_EVENT_FORCED      // a Forced
	EventReset      EventKind = C.PEERGUARD_EVENT_RESET
	EventBanned     EventKind = C.PEERGUARD_EVENT_BANNED // 1 earned, 2 by an operator
	EventUnbanned   EventKind = C.PEERGUARD_EVENT_UNBANNED
	EventEvicted    EventKind = C.PEERGUARD_EVENT_EVICTED // 1 if a ban was in force
)

// String is the word for the kind.
func (k EventKind) String() string { return C.GoString(C.peerguard_event_text(C.uint32_t(k))) }

// Event is something that happened to a peer.
type Event struct {
	// Sequence is its number in the guard, from 0.
	Sequence uint64
	At       time.Time
	Peer     PeerID
	Kind     EventKind
	Detail   uint32
}

// Events takes the oldest events that nobody has taken yet, at most most.
func (g *Guard) Events(most int) ([]Event, error) {
	if most <= 0 {
		return nil, nil
	}
	raw := make([]C.peerguard_event, most)
	var written C.size_t
	status := C.peerguard_drain_events(g.handle, &raw[0], C.sizeof_peerguard_event, C.size_t(most), &written, nil)
	runtime.KeepAlive(g)
	events := make([]Event, 0, int(written))
	for i := range raw[:written] {
		e := &raw[i]
		events = append(events, Event{uint64(e.sequence), time.Unix(0, int64(e.at)), idOf(&e.id), EventKind(e.kind),
			uint32(e.detail)})
	}
	return events, failure(status)
}
