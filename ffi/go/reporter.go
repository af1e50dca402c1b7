package peerguard

/*
#include "peerguard.h"
*/
import "C"

import "runtime"

// reporterRoom is how many reports a Reporter collects.
const reporterRoom = 64

// Reporter hands reports over in bulk, so that many share one cgo call. It is for one goroutine at a time, which reports
// often; make one for each.
//
// Successes of permits without a probe wait until 64 are together, or [Reporter.Flush]; they do not move a breaker that is
// closed. Everything else is handed over at once, after what waits, in the order in which it came. What waits counts from
// when it is handed over: flush before a pause. Nothing is lost when a Reporter is forgotten, but it may take until the
// garbage is collected; what waits when the guard is closed is.
type Reporter struct {
	queue   *reports
	cleanup runtime.Cleanup
}

// reports are those that wait.
type reports struct {
	guard   *Guard
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
	queue := r.queue
	if permit.guard != queue.guard {
		// A peer's permit goes its own way.
		_, err := permit.Report(result)
		return err
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
	queue.permits[queue.waiting] = permit.raw
	queue.results[queue.waiting] = C.peerguard_result{
		latency: latency, sent: C.uint64_t(result.Sent), received: C.uint64_t(result.Received),
		outcome: C.uint32_t(result.Outcome),
	}
	queue.waiting++
	permit.raw.state = 2
	waits := result.Outcome <= MessageSuccess && permit.raw.probe == 0
	if waits && queue.waiting < reporterRoom {
		return nil
	}
	return queue.flush()
}

// Flush hands over what waits.
func (r *Reporter) Flush() error {
	err := r.queue.flush()
	runtime.KeepAlive(r)
	return err
}

// Close is Flush for the last time.
func (r *Reporter) Close() error {
	r.cleanup.Stop()
	return r.Flush()
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
