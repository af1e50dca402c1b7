package peerguard

// #include "peerguard.h"
import "C"

import (
	"runtime"
	"time"
)

// EventKind is what happened to a peer.
type EventKind uint32

// Kinds of events, and what [Event].Detail means.
const (
	// EventOpened: the breaker opened.
	EventOpened EventKind = C.PEERGUARD_EVENT_OPENED
	// EventHalfOpened: the open time was over and the first probe was admitted.
	EventHalfOpened EventKind = C.PEERGUARD_EVENT_HALF_OPENED
	// EventClosed: the breaker closed again.
	EventClosed EventKind = C.PEERGUARD_EVENT_CLOSED
	// EventProbesLost: probes did not report in time and were taken back; Detail: how many.
	EventProbesLost EventKind = C.PEERGUARD_EVENT_PROBES_LOST
	// EventForced: an operator forced or observes the gate; Detail: a [Forced].
	EventForced EventKind = C.PEERGUARD_EVENT_FORCED
	// EventReset: an operator reset the peer.
	EventReset EventKind = C.PEERGUARD_EVENT_RESET
	// EventBanned: the peer was banned; Detail: 1 earned, 2 by an operator.
	EventBanned EventKind = C.PEERGUARD_EVENT_BANNED
	// EventUnbanned: its bans were lifted.
	EventUnbanned EventKind = C.PEERGUARD_EVENT_UNBANNED
	// EventEvicted: its record was given to a newcomer; Detail: 1 if a ban was in force.
	EventEvicted EventKind = C.PEERGUARD_EVENT_EVICTED
)

// Event is something that happened to a peer.
type Event struct {
	// Sequence is its number in the guard, from 0.
	Sequence uint64
	// At is when, by the wall clock as it stands when the event is read.
	At time.Time
	// Peer is to whom.
	Peer PeerID
	// Kind is what happened.
	Kind EventKind
	// Detail is told with each kind; 0 with those that have none.
	Detail uint32
}

// Events takes the oldest events that nobody has taken yet, at most most.
func (g *Guard) Events(most int) ([]Event, error) {
	var events []Event
	var raw [64]C.peerguard_event
	for len(events) < most {
		room := min(most-len(events), len(raw))
		var written C.size_t
		status := C.peerguard_drain_events(g.handle, &raw[0], C.sizeof_peerguard_event, C.size_t(room), &written, nil)
		runtime.KeepAlive(g)
		if err := failure(status); err != nil {
			return events, err
		}
		for i := range raw[:written] {
			events = append(events, eventOf(&raw[i]))
		}
		if int(written) < room {
			break
		}
	}
	return events, nil
}

// EventsSince reads the events from number cursor on, at most most, for a reader with a cursor of its own: it takes nothing
// from other readers or from [Guard.Events]. Begin with 0 or with [Guard.EventCount], go on with next. Lost tells how many
// before or between these were overwritten.
func (g *Guard) EventsSince(cursor uint64, most int) (events []Event, next, lost uint64, err error) {
	next = cursor
	var raw [64]C.peerguard_event
	for len(events) < most {
		room := min(most-len(events), len(raw))
		var written C.size_t
		var goOn, gone C.uint64_t
		status := C.peerguard_events_since(g.handle, C.uint64_t(next), &raw[0], C.sizeof_peerguard_event,
			C.size_t(room), &written, &goOn, &gone)
		runtime.KeepAlive(g)
		if err := failure(status); err != nil {
			return events, next, lost, err
		}
		for i := range raw[:written] {
			events = append(events, eventOf(&raw[i]))
		}
		next, lost = uint64(goOn), lost+uint64(gone)
		if int(written) < room {
			break
		}
	}
	return events, next, lost, nil
}

// EventCount is how many events there have been: the number of the next one.
func (g *Guard) EventCount() (uint64, error) {
	var count C.uint64_t
	status := C.peerguard_event_count(g.handle, &count)
	runtime.KeepAlive(g)
	return uint64(count), failure(status)
}

func eventOf(e *C.peerguard_event) Event {
	return Event{
		Sequence: uint64(e.sequence), At: time.Unix(0, int64(e.at)), Peer: idOf(&e.id), Kind: EventKind(e.kind),
		Detail: uint32(e.detail),
	}
}
