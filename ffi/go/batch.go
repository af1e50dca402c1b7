package peerguard

/*
#include "peerguard.h"
#cgo noescape peerguard_admit_batch
#cgo nocallback peerguard_admit_batch
#cgo noescape peerguard_report_batch
#cgo nocallback peerguard_report_batch
*/
import "C"

import "runtime"

// Batch holds the permits of many peers. It is used again and again: only growth allocates.
type Batch struct {
	permits    []C.peerguard_permit
	rejections []C.peerguard_rejection
	results    []C.peerguard_result
	answers    []C.int32_t
	recorded   []C.uint32_t
	// Answers and recorded are those of these permits.
	reported bool
	// Peers that the library is asked for: where they are in the batch, and what it says.
	asked []asked
	ids   []PeerID
	again []C.peerguard_permit
	no    []C.peerguard_rejection
}

// asked is a peer of a batch that the hints did not answer for.
type asked struct {
	at    int
	sum   uint64
	known bool
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
	b.answers, b.recorded, b.reported = b.answers[:n], b.recorded[:n], false
}

// room is for n peers that the library is asked for.
func (b *Batch) room(n int) {
	if cap(b.ids) < n {
		b.ids = make([]PeerID, cap(b.permits))
		b.again = make([]C.peerguard_permit, cap(b.permits))
		b.no = make([]C.peerguard_rejection, cap(b.permits))
	}
	b.ids, b.again, b.no = b.ids[:n], b.again[:n], b.no[:n]
}

// Len is how many peers the batch holds.
func (b *Batch) Len() int { return len(b.permits) }

// Admitted tells whether the i-th peer was let in and its permit has not been reported.
func (b *Batch) Admitted(i int) bool { return b.permits[i].state == 1 }

// Refusal is why the i-th peer was not let in; nil if it was.
func (b *Batch) Refusal(i int) *Refusal {
	return refusalIfAny(&b.rejections[i])
}

// Recorded is what became of the i-th peer's report in the last [Guard.ReportBatch]; false if it was left out.
func (b *Batch) Recorded(i int) (Recorded, bool) {
	if !b.reported || b.answers[i] != C.PEERGUARD_OK {
		return 0, false
	}
	return Recorded(b.recorded[i]), true
}

// AdmitBatch asks [Guard.Admit] for many peers; it tells how many were let in. What the batch held before is gone; permits
// that were not reported are lost.
//
// Peers that were admitted before and are simply closed need no cgo call; all others share one.
func (g *Guard) AdmitBatch(batch *Batch, ids []PeerID) (int, error) {
	batch.resize(len(ids))
	if len(ids) == 0 {
		return 0, nil
	}
	g.admitSeen(batch, ids)
	admitted := len(ids) - len(batch.asked)
	if len(batch.asked) == 0 {
		return admitted, nil
	}
	more, err := g.admitAsked(batch, ids)
	if err != nil {
		batch.resize(0)
		return 0, err
	}
	return admitted + more, nil
}

// ahead is for how many peers memory is asked before the first of them is looked at: a core waits for about so many lines.
const ahead = 16

// admitSeen admits the peers that the hints find closed; the others it puts down as to be asked for.
func (g *Guard) admitSeen(batch *Batch, ids []PeerID) {
	batch.asked = batch.asked[:0]
	closed := g.closed.Load()
	var sums [ahead]uint64
	var places [ahead]*uint32
	var slots [ahead]uint32
	for first := 0; first < len(ids); first += ahead {
		some := ids[first:min(first+ahead, len(ids))]
		for i := range some {
			sums[i] = g.hints.hash(&some[i])
			places[i] = g.hints.ask(sums[i])
		}
		for i := range some {
			slots[i] = g.hints.askRecord(places[i], sums[i])
		}
		permits, rejections := batch.permits[first:][:len(some)], batch.rejections[first:][:len(some)]
		for i := range some {
			var seen sighting
			known := false
			if slots[i] != 0 {
				seen, known = g.hints.look(&some[i], slots[i]-1)
			}
			if !known {
				seen, known = g.hints.find(&some[i], sums[i])
			}
			if !known || seen.gate&closedMask != 0 || closed {
				batch.asked = append(batch.asked, asked{first + i, sums[i], known})
				continue
			}
			permits[i] = C.peerguard_permit{}
			g.grant(&permits[i], &some[i], seen)
			rejections[i] = C.peerguard_rejection{}
		}
	}
	runtime.KeepAlive(g)
}

// admitAsked asks the library for the peers that are put down; it tells how many were let in.
func (g *Guard) admitAsked(batch *Batch, ids []PeerID) (int, error) {
	batch.room(len(batch.asked))
	for i, peer := range batch.asked {
		batch.ids[i] = ids[peer.at]
	}
	// Before the call: if it succeeds, Close has yet to ask.
	g.memory.watch()
	var admitted C.size_t
	status := C.peerguard_admit_batch(g.handle, batch.ids[0].raw(), C.size_t(len(batch.ids)),
		&batch.again[0], &batch.no[0], &admitted)
	runtime.KeepAlive(g)
	if err := failure(status); err != nil {
		return 0, err
	}
	for i, peer := range batch.asked {
		permit := &batch.again[i]
		batch.permits[peer.at], batch.rejections[peer.at] = *permit, batch.no[i]
		if !peer.known && permit.state == 1 && permit.hold == C.PEERGUARD_HOLD_SEEN {
			g.hints.note(peer.sum, uint32(permit.slot))
		}
	}
	return int(admitted), nil
}

// ReportBatch reports for the peers of a batch of this guard, in their order, in one call: results[i] for the i-th. Those that
// were not let in, or have been reported, are left out. It tells how many were reported.
func (g *Guard) ReportBatch(batch *Batch, results []Result) (int, error) {
	if len(results) != batch.Len() {
		return 0, ErrInvalid
	}
	if len(results) == 0 {
		return 0, nil
	}
	batch.reported = false
	for i := range results {
		if !batch.Admitted(i) {
			batch.results[i] = C.peerguard_result{latency: C.PEERGUARD_NONE}
			continue
		}
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
	batch.reported = true
	reported := 0
	var first error
	for _, answer := range batch.answers {
		switch answer {
		case C.PEERGUARD_OK:
			reported++
		case C.PEERGUARD_NO, C.PEERGUARD_ERR_SPENT:
		default:
			// Permits of another guard's.
			if first == nil {
				first = failure(answer)
			}
		}
	}
	return reported, first
}
