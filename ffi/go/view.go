package peerguard

// #include "peerguard.h"
import "C"

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"
)

// State is the state of a breaker.
type State uint32

// States.
const (
	// StateClosed: requests pass; failures are counted.
	StateClosed State = C.PEERGUARD_STATE_CLOSED
	// StateOpen: requests are refused until the open time has passed.
	StateOpen State = C.PEERGUARD_STATE_OPEN
	// StateHalfOpen: a few probes are let through to see whether the peer is back.
	StateHalfOpen State = C.PEERGUARD_STATE_HALF_OPEN
)

// Tier is how well a peer stands.
type Tier uint32

// Tiers.
const (
	// TierBanned: a ban is in force.
	TierBanned Tier = C.PEERGUARD_TIER_BANNED
	// TierProbation: at most half the initial score.
	TierProbation Tier = C.PEERGUARD_TIER_PROBATION
	// TierNeutral: below 60.
	TierNeutral Tier = C.PEERGUARD_TIER_NEUTRAL
	// TierGood: below 80.
	TierGood Tier = C.PEERGUARD_TIER_GOOD
	// TierTrusted: 80 and above.
	TierTrusted Tier = C.PEERGUARD_TIER_TRUSTED
)

// Ban is a ban in force.
type Ban struct {
	// ByOperator: an operator banned; else the peer's own deeds did.
	ByOperator bool
	// Fatal: for something fatal; else for a low score, or for the operator's reason.
	Fatal bool
	// Code is the operator's own reason.
	Code uint8
	// Remaining is what is left of it; [Forever] = until unbanned.
	Remaining time.Duration
}

// String says who banned, why and for how long, such as "by an operator (code 3), until unbanned".
func (b Ban) String() string {
	why := "for a low score"
	switch {
	case b.ByOperator:
		why = fmt.Sprintf("by an operator (code %d)", b.Code)
	case b.Fatal:
		why = "for something fatal"
	}
	if b.Remaining == Forever {
		return why + ", until unbanned"
	}
	return fmt.Sprintf("%s, %s left", why, b.Remaining)
}

// PeerView is one peer as it stood at one time.
type PeerView struct {
	// ID is whose.
	ID PeerID

	// State is the breaker's; an open one whose time is over is half-open.
	State State
	// Forced is the operator's override.
	Forced Forced
	// Generation is the number of the breaker's period.
	Generation uint16
	// FailuresInWindow are those that count towards opening.
	FailuresInWindow uint32
	// BackoffLevel is the number of doublings of the open time: of the next one while closed; of the last one otherwise, and a
	// failed probe adds one.
	BackoffLevel uint32
	// OpenRemaining is what is left of the open time; 0 when not open.
	OpenRemaining time.Duration
	// ProbesOut have not reported.
	ProbesOut uint32
	// ProbeSuccesses are the probes that succeeded in this half-open period.
	ProbeSuccesses uint32
	// CallsInWindow and FailedCallsInWindow are counted when breakers open by failure rate; else 0.
	CallsInWindow, FailedCallsInWindow uint64

	// Score is 0 to 100; frozen while a ban is in force.
	Score float64
	// Tier is how well the peer stands by it.
	Tier Tier
	// Reliability is successes / (successes + failures); 0.5 before the first.
	Reliability float64
	// Ban is the one in force; nil: none is.
	Ban *Ban
	// Offences are the earned bans that are remembered.
	Offences uint32
	// Latency is the moving average; negative: none is known.
	Latency time.Duration

	// Counters of outcomes. Those of failures saturate at 2^32 - 1.
	SuccessfulSyncs, FailedSyncs, SuccessfulMessages, FailedMessages uint64
	Timeouts, Unreachable, ProtocolViolations, FatalOutcomes         uint64
	// BytesSent and BytesReceived are to and from the peer.
	BytesSent, BytesReceived uint64
	// UploadLimit and DownloadLimit are the peer's own, in bytes per second; 0 = unlimited, [Inherit] = as for all peers.
	UploadLimit, DownloadLimit uint64
	// UploadUsed and DownloadUsed are used shares of the buckets' bursts, 0 to 1; 0 without a limit.
	UploadUsed, DownloadUsed float64

	// FirstSeen is when the record was made, LastSeen when something was last recorded.
	FirstSeen, LastSeen time.Time
}

func viewOf(v *C.peerguard_peer_view) PeerView {
	view := PeerView{
		ID:                  idOf(&v.id),
		State:               State(v.state),
		Forced:              Forced(v.forced),
		Generation:          uint16(v.generation),
		FailuresInWindow:    uint32(v.failures_in_window),
		BackoffLevel:        uint32(v.backoff_level),
		OpenRemaining:       duration(v.open_remaining),
		ProbesOut:           uint32(v.probes_out),
		ProbeSuccesses:      uint32(v.probe_successes),
		Score:               float64(v.score),
		Tier:                Tier(v.tier),
		Reliability:         float64(v.reliability),
		Offences:            uint32(v.offences),
		Latency:             time.Duration(float64(v.latency_ms) * float64(time.Millisecond)),
		SuccessfulSyncs:     uint64(v.successful_syncs),
		FailedSyncs:         uint64(v.failed_syncs),
		SuccessfulMessages:  uint64(v.successful_messages),
		FailedMessages:      uint64(v.failed_messages),
		Timeouts:            uint64(v.timeouts),
		Unreachable:         uint64(v.unreachable),
		ProtocolViolations:  uint64(v.protocol_violations),
		FatalOutcomes:       uint64(v.fatal),
		BytesSent:           uint64(v.bytes_sent),
		BytesReceived:       uint64(v.bytes_received),
		UploadLimit:         uint64(v.upload_limit),
		DownloadLimit:       uint64(v.download_limit),
		UploadUsed:          float64(v.upload_used),
		DownloadUsed:        float64(v.download_used),
		FirstSeen:           time.Unix(0, int64(v.first_seen)),
		LastSeen:            time.Unix(0, int64(v.last_seen)),
		CallsInWindow:       uint64(v.calls_in_window),
		FailedCallsInWindow: uint64(v.failed_calls_in_window),
	}
	if v.ban_origin != C.PEERGUARD_BAN_NONE {
		view.Ban = &Ban{
			ByOperator: v.ban_origin == C.PEERGUARD_BAN_OPERATOR,
			Fatal:      v.ban_reason == C.PEERGUARD_BAN_REASON_FATAL,
			Code:       uint8(v.ban_code),
			Remaining:  duration(v.ban_remaining),
		}
	}
	return view
}

func idOf(id *C.peerguard_id) PeerID { return *(*PeerID)(unsafe.Pointer(id)) }

// View reads one peer as it stands now; false if it has no record.
func (g *Guard) View(id PeerID) (PeerView, bool, error) {
	var view C.peerguard_peer_view
	view.struct_size = C.sizeof_peerguard_peer_view
	status := C.peerguard_view(g.handle, id.raw(), &view)
	runtime.KeepAlive(g)
	if status != C.PEERGUARD_OK {
		return PeerView{}, false, failure(status)
	}
	return viewOf(&view), true, nil
}
