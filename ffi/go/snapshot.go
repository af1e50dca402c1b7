package peerguard

// #include "peerguard.h"
import "C"

import (
	"runtime"
	"time"
	"unsafe"
)

// State is the state of a breaker.
type State uint32

// States.
const (
	StateClosed   State = C.PEERGUARD_STATE_CLOSED
	StateOpen     State = C.PEERGUARD_STATE_OPEN
	StateHalfOpen State = C.PEERGUARD_STATE_HALF_OPEN
)

// String is the word of the metrics.
func (s State) String() string {
	switch s {
	case StateClosed:
		return "closed"
	case StateOpen:
		return "open"
	case StateHalfOpen:
		return "half_open"
	default:
		return "unknown"
	}
}

// Tier is how well a peer stands.
type Tier uint32

// Tiers.
const (
	TierBanned    Tier = C.PEERGUARD_TIER_BANNED
	TierProbation Tier = C.PEERGUARD_TIER_PROBATION
	TierNeutral   Tier = C.PEERGUARD_TIER_NEUTRAL
	TierGood      Tier = C.PEERGUARD_TIER_GOOD
	TierTrusted   Tier = C.PEERGUARD_TIER_TRUSTED
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

// PeerView is one peer as it stood at one time.
type PeerView struct {
	ID                  PeerID
	State               State
	Forced              Forced
	Generation          uint16
	FailuresInWindow    uint32
	BackoffLevel        uint32
	OpenRemaining       time.Duration
	ProbesOut           uint32
	ProbeSuccesses      uint32
	Score               float64
	Tier                Tier
	Reliability         float64
	Ban                 *Ban // nil: none is in force
	Offences            uint32
	Latency             time.Duration // moving average; negative: none is known
	SuccessfulSyncs     uint64
	FailedSyncs         uint64
	SuccessfulMessages  uint64
	FailedMessages      uint64
	Timeouts            uint64
	Unreachable         uint64
	ProtocolViolations  uint64
	FatalOutcomes       uint64
	BytesSent           uint64
	BytesReceived       uint64
	UploadLimit         uint64 // Inherit: none of its own
	DownloadLimit       uint64
	UploadUsed          float64
	DownloadUsed        float64
	FirstSeen, LastSeen time.Time
	CallsInWindow       uint64
	FailedCallsInWindow uint64
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

// Totals are the figures of the guard as a whole. The counters never fall.
type Totals struct {
	TotalPeers, Closed, Open, HalfOpen, Banned, Capacity uint64
	AvgScore, AvgReliability                             float64
	Uploaded, Downloaded                                 uint64
	ThrottledUploadPeer, ThrottledUploadGlobal           uint64
	ThrottledDownloadPeer, ThrottledDownloadGlobal       uint64
	Trips, ProbesLost, WouldDeny, Evictions, EvictedBans uint64
	Untracked, RecordsMade, EventsLost                   uint64
	UploadLimit, DownloadLimit                           uint64 // 0 = unlimited
	UploadAvailable, DownloadAvailable                   uint64 // of a limit
	denied                                               [C.PEERGUARD_REASONS]uint64
}

// Denied counts the requests that were refused for a reason.
func (t *Totals) Denied(reason Reason) uint64 {
	if int(reason) >= len(t.denied) {
		return 0
	}
	return t.denied[reason]
}

func totalsOf(t *C.peerguard_totals) Totals {
	totals := Totals{
		TotalPeers: uint64(t.total_peers), Closed: uint64(t.closed), Open: uint64(t.open),
		HalfOpen: uint64(t.half_open), Banned: uint64(t.banned), Capacity: uint64(t.capacity),
		AvgScore: float64(t.avg_score), AvgReliability: float64(t.avg_reliability),
		Uploaded: uint64(t.uploaded), Downloaded: uint64(t.downloaded),
		ThrottledUploadPeer: uint64(t.throttled_upload_peer), ThrottledUploadGlobal: uint64(t.throttled_upload_global),
		ThrottledDownloadPeer:   uint64(t.throttled_download_peer),
		ThrottledDownloadGlobal: uint64(t.throttled_download_global),
		Trips:                   uint64(t.trips), ProbesLost: uint64(t.probes_lost), WouldDeny: uint64(t.would_deny),
		Evictions: uint64(t.evictions), EvictedBans: uint64(t.evicted_bans), Untracked: uint64(t.untracked),
		RecordsMade: uint64(t.records_made), EventsLost: uint64(t.events_lost),
		UploadLimit: uint64(t.upload_limit), DownloadLimit: uint64(t.download_limit),
	}
	if t.upload_limit != 0 {
		totals.UploadAvailable = uint64(t.upload_available)
	}
	if t.download_limit != 0 {
		totals.DownloadAvailable = uint64(t.download_available)
	}
	for i := range totals.denied {
		totals.denied[i] = uint64(t.denied[i])
	}
	return totals
}

// Snapshot is everything that a guard knew at one time.
type Snapshot struct {
	TakenAt time.Time
	Totals  Totals
	// Latencies over the peers that have one; nil if none has.
	Latency *LatencyQuantiles
	// Peers in the order of their ids.
	Peers []PeerView
}

// LatencyQuantiles are quantiles over the peers' average latencies.
type LatencyQuantiles struct {
	Peers               uint64
	P50, P90, P99, P999 time.Duration
}

// Snapshot takes a snapshot: one pass over the records, no writer is held up.
func (g *Guard) Snapshot() (*Snapshot, error) {
	var handle C.peerguard_snapshot
	status := C.peerguard_snapshot_take(g.handle, &handle)
	runtime.KeepAlive(g)
	if err := failure(status); err != nil {
		return nil, err
	}
	defer C.peerguard_snapshot_free(handle)
	var totals C.peerguard_totals
	var latency C.peerguard_latency
	var takenAt C.int64_t
	totals.struct_size = C.sizeof_peerguard_totals
	if err := failure(C.peerguard_snapshot_totals(handle, &totals, &latency, &takenAt)); err != nil {
		return nil, err
	}
	s := &Snapshot{
		TakenAt: time.Unix(0, int64(takenAt)), Totals: totalsOf(&totals),
		Peers: make([]PeerView, 0, int(totals.total_peers)),
	}
	if latency.peers != 0 {
		ms := func(value C.double) time.Duration { return time.Duration(float64(value) * float64(time.Millisecond)) }
		s.Latency = &LatencyQuantiles{uint64(latency.peers), ms(latency.p50), ms(latency.p90), ms(latency.p99),
			ms(latency.p999)}
	}
	var views [64]C.peerguard_peer_view
	for {
		var written C.size_t
		status := C.peerguard_snapshot_peers(handle, C.size_t(len(s.Peers)), &views[0], C.sizeof_peerguard_peer_view,
			C.size_t(len(views)), &written)
		if err := failure(status); err != nil {
			return nil, err
		}
		for i := range views[:written] {
			s.Peers = append(s.Peers, viewOf(&views[i]))
		}
		if int(written) < len(views) {
			return s, nil
		}
	}
}

// SyncCandidates finds the peers to sync with first, at most n.
func (g *Guard) SyncCandidates(n int) ([]PeerID, error) {
	if n <= 0 {
		return nil, nil
	}
	ids := make([]PeerID, n)
	var written C.size_t
	status := C.peerguard_sync_candidates(g.handle, ids[0].raw(), C.size_t(n), &written)
	runtime.KeepAlive(g)
	return ids[:written], failure(status)
}

// TopPeers finds the best peers, at most n, with their scores.
func (g *Guard) TopPeers(n int) ([]PeerID, []float64, error) {
	if n <= 0 {
		return nil, nil, nil
	}
	ids, scores := make([]PeerID, n), make([]float64, n)
	var written C.size_t
	status := C.peerguard_top_peers(g.handle, ids[0].raw(), (*C.double)(&scores[0]), C.size_t(n), &written)
	runtime.KeepAlive(g)
	return ids[:written], scores[:written], failure(status)
}

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
