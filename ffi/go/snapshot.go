package peerguard

// #include "peerguard.h"
import "C"

import (
	"runtime"
	"time"
)

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

// most is n, but never more than there can be peers.
func (g *Guard) most(n int) int { return min(n, g.hints.count) }

// SyncCandidates finds the peers to sync with first, at most n.
func (g *Guard) SyncCandidates(n int) ([]PeerID, error) {
	if n = g.most(n); n <= 0 {
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
	if n = g.most(n); n <= 0 {
		return nil, nil, nil
	}
	ids, scores := make([]PeerID, n), make([]float64, n)
	var written C.size_t
	status := C.peerguard_top_peers(g.handle, ids[0].raw(), (*C.double)(&scores[0]), C.size_t(n), &written)
	runtime.KeepAlive(g)
	return ids[:written], scores[:written], failure(status)
}
