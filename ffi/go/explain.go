package peerguard

// #include "peerguard.h"
import "C"

import "runtime"

// Explanation is what an admit of a peer would say, and why.
type Explanation struct {
	// Peer is whose.
	Peer PeerID
	// Verdict is how [Guard.Admit] would refuse: by which rule, and for how long. Nil: it would admit. Byte limits are no part
	// of it: see the buckets.
	Verdict *Refusal
	// Spared is the refusal that the peer is spared because it is only observed; see [ForceObserving]. Nil: none.
	Spared *Refusal
	// Score is what the peer's score is made of.
	Score ScoreParts
	// PeerUpload and PeerDownload are the peer's buckets, by its own limits or those of each peer.
	PeerUpload, PeerDownload Bucket
	// GlobalUpload and GlobalDownload are those of all peers together.
	GlobalUpload, GlobalDownload Bucket
	// View is the peer as it stands: breaker, ban, own limits, counters. Nil: it has no record.
	View *PeerView
	// Events are the peer's newest events, newest first; at most 16 are known.
	Events []Event
}

// ScoreParts are what a score is made of: Score = Initial + Remembered.
type ScoreParts struct {
	// Score is 0 to 100.
	Score float64
	// Initial is what a peer without history has.
	Initial float64
	// Remembered is what is left of the outcomes so far.
	Remembered float64
	// LatencyBonus is added for the peer's latency when sync candidates are ordered.
	LatencyBonus float64
}

// Bucket is a byte bucket; all 0 without a limit.
type Bucket struct {
	// Rate is bytes per second.
	Rate uint64
	// Burst is how many bytes a full bucket holds.
	Burst uint64
	// Available is how many bytes it holds now.
	Available uint64
}

// explainedEvents is how many events of a peer are known at most.
const explainedEvents = 16

// Explain tells what [Guard.Admit] would say of this peer now, by which rule and until when, with everything behind it. It
// changes nothing, not even a counter, and takes microseconds.
func (g *Guard) Explain(id PeerID) (Explanation, error) {
	raw := C.peerguard_explanation{struct_size: C.sizeof_peerguard_explanation}
	var events [explainedEvents]C.peerguard_event
	var written C.size_t
	status := C.peerguard_explain(g.handle, id.raw(), &raw, &events[0], explainedEvents, &written)
	runtime.KeepAlive(g)
	if err := failure(status); err != nil {
		return Explanation{}, err
	}
	explanation := Explanation{
		Peer:    id,
		Verdict: refusalIfAny(&raw.verdict),
		Spared:  refusalIfAny(&raw.spared),
		Score: ScoreParts{
			Score:        float64(raw.score),
			Initial:      float64(raw.score_initial),
			Remembered:   float64(raw.score_remembered),
			LatencyBonus: float64(raw.score_latency_bonus),
		},
		PeerUpload:     bucketOf(&raw.peer_upload),
		PeerDownload:   bucketOf(&raw.peer_download),
		GlobalUpload:   bucketOf(&raw.global_upload),
		GlobalDownload: bucketOf(&raw.global_download),
	}
	if raw.known != 0 {
		view := viewOf(&raw.view)
		explanation.View = &view
	}
	for i := range events[:written] {
		explanation.Events = append(explanation.Events, eventOf(&events[i]))
	}
	return explanation, nil
}

func bucketOf(b *C.peerguard_bucket) Bucket {
	return Bucket{Rate: uint64(b.rate), Burst: uint64(b.burst), Available: uint64(b.available)}
}
