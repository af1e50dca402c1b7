package peerguard

/*
#include "peerguard.h"
#cgo noescape peerguard_report
#cgo nocallback peerguard_report
#cgo noescape peerguard_peer_report
#cgo nocallback peerguard_peer_report
#cgo noescape peerguard_peer_report_period
#cgo nocallback peerguard_peer_report_period
#cgo noescape peerguard_cancel
#cgo nocallback peerguard_cancel
#cgo noescape peerguard_peer_cancel
#cgo nocallback peerguard_peer_cancel
#cgo noescape peerguard_refund
#cgo nocallback peerguard_refund
#cgo noescape peerguard_peer_refund
#cgo nocallback peerguard_peer_refund
*/
import "C"

import (
	"runtime"
	"time"
)

// Outcome is what happened with a peer.
type Outcome uint32

// Outcomes, and what they add to the score by default (see [Weights]). They are failures for the breaker unless it says else.
const (
	// SyncSuccess: a sync went well: +2, a success for the breaker.
	SyncSuccess Outcome = C.PEERGUARD_SYNC_SUCCESS
	// MessageSuccess: a message went well: +0.5, a success for the breaker.
	MessageSuccess Outcome = C.PEERGUARD_MESSAGE_SUCCESS
	// SyncFailure: a sync failed: -5.
	SyncFailure Outcome = C.PEERGUARD_SYNC_FAILURE
	// MessageFailure: a message failed: -1.
	MessageFailure Outcome = C.PEERGUARD_MESSAGE_FAILURE
	// Timeout: no answer in time: -1.
	Timeout Outcome = C.PEERGUARD_TIMEOUT
	// Unreachable: refused, reset, or the dial failed: -1.
	Unreachable Outcome = C.PEERGUARD_UNREACHABLE
	// ProtocolViolation: the peer broke the protocol: -10.
	ProtocolViolation Outcome = C.PEERGUARD_PROTOCOL_VIOLATION
	// Fatal: the peer did what no honest peer does: it is banned.
	Fatal Outcome = C.PEERGUARD_FATAL
	// Cancelled: we gave up for reasons of our own: no effect, a probe slot goes back.
	Cancelled Outcome = C.PEERGUARD_CANCELLED
	// LocalError: we failed, not the peer: no effect, a probe slot goes back.
	LocalError Outcome = C.PEERGUARD_LOCAL_ERROR
)

// Recorded is what the breaker made of a report.
type Recorded uint32

// What can become of a report.
const (
	// Counted: the result counted.
	Counted Recorded = C.PEERGUARD_RECORDED_COUNTED
	// Stale: the permit was of an earlier period: counters and reputation took the result, the breaker did not.
	Stale Recorded = C.PEERGUARD_RECORDED_STALE
	// Ignored: nothing for the breaker: a neutral outcome, a ban, a forced or open breaker, or a report without permit while
	// it is half-open and no probe of [Guard.ShouldCommunicate] is out.
	Ignored Recorded = C.PEERGUARD_RECORDED_IGNORED
	// Untracked: no record could be made for the peer; only the totals took the result.
	Untracked Recorded = C.PEERGUARD_RECORDED_UNTRACKED
)

// Result is what happened, for a report.
type Result struct {
	Outcome Outcome
	// Latency, 0 if it is not known.
	Latency time.Duration
	// Sent and Received are bytes that were moved beyond those of the permit.
	Sent, Received uint64
}

func (r *Result) latency() (C.uint64_t, error) {
	switch {
	case r.Latency < 0:
		return 0, ErrLatency
	case r.Latency == 0:
		return C.PEERGUARD_NONE, nil
	default:
		return C.uint64_t(r.Latency), nil
	}
}

// traffic is NULL if nothing was moved beyond the permit's bytes; memory holds it.
func (r *Result) traffic(memory *C.peerguard_traffic) *C.peerguard_traffic {
	if r.Sent|r.Received == 0 {
		return nil
	}
	*memory = C.peerguard_traffic{sent: C.uint64_t(r.Sent), received: C.uint64_t(r.Received)}
	return memory
}

// Permit is leave to talk to a peer once. Report it once, or cancel it, before its guard or peer is closed: afterwards it
// cannot be told any more ([ErrClosed]). Do not copy it.
//
// One that is lost reports nothing. If it is a probe, it keeps one of the half-open breaker's places until [Config].ProbeTimeout;
// bytes that it was granted stay taken and are not counted as moved. So defer [Permit.Cancel].
type Permit struct {
	// Who gave it: a guard or a peer.
	guard *Guard
	peer  *Peer
	// It was given without a call: only the breaker's period is known, in raw.generation.
	loaded bool
	raw    C.peerguard_permit
}

// answer is what an admit returns.
func (p *Permit) answer(status C.int32_t, no *C.peerguard_rejection) (Permit, error) {
	switch status {
	case C.PEERGUARD_OK:
		return *p, nil
	case C.PEERGUARD_NO:
		return Permit{}, refusal(no)
	default:
		return Permit{}, failure(status)
	}
}

// Success reports a sync that went well; latency 0 = not known.
func (p *Permit) Success(latency time.Duration) (Recorded, error) {
	return p.Report(Result{Outcome: SyncSuccess, Latency: latency})
}

// Failure reports a sync that failed.
func (p *Permit) Failure() (Recorded, error) { return p.Report(Result{Outcome: SyncFailure}) }

// Report tells what happened, and ends the permit.
func (p *Permit) Report(result Result) (Recorded, error) {
	latency, err := result.latency()
	if err != nil {
		return 0, err
	}
	var recorded C.uint32_t
	var status C.int32_t
	var memory C.peerguard_traffic
	traffic := result.traffic(&memory)
	outcome := C.uint32_t(result.Outcome)
	switch {
	case p.loaded:
		if p.raw.state != 1 {
			return 0, ErrSpent
		}
		generation := C.uint32_t(p.raw.generation)
		status = C.peerguard_peer_report_period(p.peer.handle, generation, outcome, latency, traffic, &recorded)
		if status == C.PEERGUARD_OK {
			p.raw.state = 2
		}
	case p.peer != nil:
		status = C.peerguard_peer_report(p.peer.handle, &p.raw, outcome, latency, traffic, &recorded)
	case p.guard != nil:
		status = C.peerguard_report(p.guard.handle, &p.raw, outcome, latency, traffic, &recorded)
	default:
		return 0, ErrPermit
	}
	runtime.KeepAlive(p.peer)
	runtime.KeepAlive(p.guard)
	return Recorded(recorded), failure(status)
}

// Cancel ends the permit without a result: a probe slot goes back, granted bytes count as moved. After a report it does nothing
// but say [ErrSpent], so it may be deferred where the permit is asked for.
func (p *Permit) Cancel() error {
	var status C.int32_t
	switch {
	case p.raw.state == 2:
		return ErrSpent
	case p.loaded:
		// It holds nothing that could go back.
		p.raw.state = 2
		return nil
	case p.peer != nil:
		status = C.peerguard_peer_cancel(p.peer.handle, &p.raw)
	case p.guard != nil:
		status = C.peerguard_cancel(p.guard.handle, &p.raw)
	default:
		return ErrPermit
	}
	runtime.KeepAlive(p.peer)
	runtime.KeepAlive(p.guard)
	return failure(status)
}

// Refund gives up to n of the granted bytes back; it tells how many were.
func (p *Permit) Refund(n uint64) (uint64, error) {
	var returned C.uint64_t
	var status C.int32_t
	switch {
	case p.loaded:
		if p.raw.state != 1 {
			return 0, ErrSpent
		}
		return 0, nil
	case p.peer != nil:
		status = C.peerguard_peer_refund(p.peer.handle, &p.raw, C.uint64_t(n), &returned)
	case p.guard != nil:
		status = C.peerguard_refund(p.guard.handle, &p.raw, C.uint64_t(n), &returned)
	default:
		return 0, ErrPermit
	}
	runtime.KeepAlive(p.peer)
	runtime.KeepAlive(p.guard)
	return uint64(returned), failure(status)
}

// Bytes is how many bytes were granted and not refunded.
func (p *Permit) Bytes() uint64 { return uint64(p.raw.bytes) }

// IsProbe tells whether it probes a half-open breaker.
func (p *Permit) IsProbe() bool { return p.raw.probe != 0 }

// Generation is the breaker's period that it was given in.
func (p *Permit) Generation() uint16 { return uint16(p.raw.generation) }
