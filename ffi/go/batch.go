package peerguard

/*
#include "peerguard.h"
#cgo noescape peerguard_admit_batch
#cgo nocallback peerguard_admit_batch
#cgo noescape peerguard_report_batch
#cgo nocallback peerguard_report_batch
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Batch holds the permits of many peers. It is used again and again: only growth allocates.
type Batch struct {
	permits    []C.peerguard_permit
	rejections []C.peerguard_rejection
	results    []C.peerguard_result
	answers    []C.int32_t
	recorded   []C.uint32_t
}

func (b *Batch) resize(n int) {
	if cap(b.permits) < n {
		b.permits = make([]C.peerguard_permit, n)
		b.rejections = make([]C.peerguard_rejection, n)
		b.results = make([]C.peerguard_result, n)
		b.answers = make([]C.int32_t, n)
		b.recorded = make([]C.uint32_t, n)
	}
	b.permits, b.rejections, b.results = b.permits[:n], b.rejections[:n], b.results[:n]
	b.answers, b.recorded = b.answers[:n], b.recorded[:n]
}

// Len is how many peers the batch holds.
func (b *Batch) Len() int { return len(b.permits) }

// Admitted tells whether the i-th peer was let in and its permit has not been reported.
func (b *Batch) Admitted(i int) bool { return b.permits[i].state == 1 }

// Refusal is why the i-th peer was not let in; nil if it was.
func (b *Batch) Refusal(i int) *Refusal {
	if b.rejections[i].reason == C.PEERGUARD_REASON_NONE {
		return nil
	}
	return refusal(&b.rejections[i])
}

// Recorded is what became of the i-th peer's report.
func (b *Batch) Recorded(i int) Recorded { return Recorded(b.recorded[i]) }

// AdmitBatch asks [Guard.Admit] for many peers in one call; it tells how many were let in. What the batch held before is
// gone; permits that were not reported are lost.
func (g *Guard) AdmitBatch(batch *Batch, ids []PeerID) (int, error) {
	batch.resize(len(ids))
	if len(ids) == 0 {
		return 0, nil
	}
	var admitted C.size_t
	status := C.peerguard_admit_batch(g.handle, (*C.peerguard_id)(unsafe.Pointer(&ids[0])), C.size_t(len(ids)),
		&batch.permits[0], &batch.rejections[0], &admitted)
	runtime.KeepAlive(g)
	if status != C.PEERGUARD_OK {
		batch.resize(0)
	}
	return int(admitted), failure(status)
}

// ReportBatch reports for the peers of a batch, in their order, in one call: results[i] for the i-th. Those that were not
// let in, or have been reported, are left out. It tells how many were reported.
func (g *Guard) ReportBatch(batch *Batch, results []Result) (int, error) {
	if len(results) != batch.Len() {
		return 0, ErrInvalid
	}
	if len(results) == 0 {
		return 0, nil
	}
	for i := range results {
		latency, err := results[i].latency()
		if err != nil {
			return 0, err
		}
		batch.results[i] = C.peerguard_result{
			latency: latency, sent: C.uint64_t(results[i].Sent), received: C.uint64_t(results[i].Received),
			outcome: C.uint32_t(results[i].Outcome),
		}
	}
	status := C.peerguard_report_batch(g.handle, &batch.permits[0], &batch.results[0], C.size_t(len(results)),
		&batch.answers[0], &batch.recorded[0])
	runtime.KeepAlive(g)
	if err := failure(status); err != nil {
		return 0, err
	}
	reported := 0
	for _, answer := range batch.answers {
		if answer == C.PEERGUARD_OK {
			reported++
		}
	}
	return reported, nil
}
