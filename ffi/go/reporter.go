package peerguard

/*
#include "peerguard.h"
*/
import "C"

import (
	"errors"
	"runtime"
)

// reporterRoom is how many reports a Reporter collects.
const reporterRoom = 64

// Reporter hands reports over in bulk, so that many share one cgo call. It is for one goroutine at a time, which reports
// often; make one for each.
//
// Successes of permits without a probe wait until 64 are together, or [Reporter.Flush]. Everything else is handed over at once,
// after what waits, in the order in which it came. What waits counts from when it is handed over, and until then it clears no
// failure, is part of no rate and raises no score: so report all results of one peer through one Reporter, and flush before a
// pause. Nothing is lost when a Reporter is forgotten, but it may take until the garbage is collected; what waits when the
// guard is closed is.
//
// It takes the permits of its guard, and those that a [Peer] of it gave without a call. What a Peer gave by a call is reported
// at once, after what waits; so is, by itself, a permit of another guard.
type Reporter struct {
	queue   *reports
	cleanup runtime.Cleanup
}

// reports are those that wait.
type reports struct {
	guard   *Guard
	closed  bool
	waiting int
	permits [reporterRoom]C.peerguard_permit
	results [reporterRoom]C.peerguard_result
}

// Reporter makes a Reporter.
func (g *Guard) Reporter() *Reporter {
	r := &Reporter{queue: &reports{guard: g}}
	r.cleanup = runtime.AddCleanup(r, func(queue *reports) { _ = queue.flush() }, r.queue)
	return r
}

// Report tells what happened, and ends the permit; see [Permit.Report]. An error of [ErrClosed] is about everything that
// waited.
func (r *Reporter) Report(permit *Permit, result Result) error {
	err := r.queue.take(permit, result)
	runtime.KeepAlive(r)
	return err
}

func (q *reports) take(permit *Permit, result Result) error {
	if q.closed {
		return ErrClosed
	}
	raw := &permit.raw
	if permit.guard != q.guard {
		var ofGuard C.peerguard_permit
		if !q.guard.adopt(permit, &ofGuard) {
			return q.pass(permit, result)
		}
		raw = &ofGuard
	} else if q.guard.closed.Load() {
		return errors.Join(ErrClosed, q.flush())
	}
	latency, err := result.latency()
	if err != nil {
		return err
	}
	if result.Outcome > LocalError {
		return ErrInvalid
	}
	switch permit.raw.state {
	case 1:
	case 2:
		return ErrSpent
	default:
		return ErrPermit
	}
	q.permits[q.waiting] = *raw
	q.results[q.waiting] = C.peerguard_result{
		latency: latency, sent: C.uint64_t(result.Sent), received: C.uint64_t(result.Received),
		outcome: C.uint32_t(result.Outcome),
	}
	q.waiting++
	waits := result.Outcome <= MessageSuccess && permit.raw.probe == 0
	permit.raw.state, permit.raw.bytes, permit.raw.probe = 2, 0, 0
	if waits && q.waiting < reporterRoom {
		return nil
	}
	return q.flush()
}

// pass lets a permit go its own way: that of a peer of this guard after what waits.
func (q *reports) pass(permit *Permit, result Result) error {
	var waited error
	if permit.peer != nil && permit.peer.memory == q.guard.memory {
		waited = q.flush()
	}
	_, err := permit.Report(result)
	return errors.Join(err, waited)
}

// Flush hands over what waits.
func (r *Reporter) Flush() error {
	err := r.queue.flush()
	runtime.KeepAlive(r)
	return err
}

// Close is Flush for the last time. To close twice is fine.
func (r *Reporter) Close() error {
	r.cleanup.Stop()
	err := r.Flush()
	r.queue.closed = true
	return err
}

// adopt writes the permit that the guard would have given in place of one that a peer of it gave without a call.
func (g *Guard) adopt(permit *Permit, own *C.peerguard_permit) bool {
	peer := permit.peer
	// The peer's own handle outlives the guard's.
	if !permit.loaded || peer.memory != g.memory || g.closed.Load() {
		return false
	}
	seen, ok := g.hints.at(peer.gate.Load())
	if ok {
		g.grant(own, &peer.id, seen)
		own.generation, own.state = permit.raw.generation, permit.raw.state
	}
	runtime.KeepAlive(peer)
	return ok
}

func (q *reports) flush() error {
	if q.waiting == 0 {
		return nil
	}
	count := C.size_t(q.waiting)
	q.waiting = 0
	status := C.peerguard_report_batch(q.guard.handle, &q.permits[0], &q.results[0], count, nil, nil)
	runtime.KeepAlive(q.guard)
	return failure(status)
}
