package peerguard

// #include "peerguard.h"
import "C"

import "runtime"

// Totals are the figures of the guard as a whole. The counters never fall.
type Totals struct {
	// TotalPeers have a record: Closed + Open + HalfOpen, by the state of their breakers. Banned have a ban in force.
	TotalPeers, Closed, Open, HalfOpen, Banned uint64
	// Capacity is how many peers can have a record.
	Capacity uint64
	// AvgScore and AvgReliability are means over the peers; 0 without peers.
	AvgScore, AvgReliability float64
	// Uploaded and Downloaded count bytes.
	Uploaded, Downloaded uint64
	// ThrottledUploadPeer and ThrottledUploadGlobal count the uploads that a peer's own bucket, or that of all peers, refused.
	ThrottledUploadPeer, ThrottledUploadGlobal uint64
	// ThrottledDownloadPeer and ThrottledDownloadGlobal count the downloads alike.
	ThrottledDownloadPeer, ThrottledDownloadGlobal uint64
	// Trips counts breakers that opened.
	Trips uint64
	// ProbesLost counts probes that did not report in time.
	ProbesLost uint64
	// WouldDeny counts requests that an observed peer's gate would have refused.
	WouldDeny uint64
	// Evictions counts records that were given to newcomers, EvictedBans those of them with a ban in force.
	Evictions, EvictedBans uint64
	// Untracked counts requests and reports of newcomers for which no record could be made.
	Untracked uint64
	// RecordsMade counts records made.
	RecordsMade uint64
	// EventsLost counts events that were overwritten before they were taken by [Guard.Events].
	EventsLost uint64
	// UploadLimit and DownloadLimit are those of all peers together, in bytes per second; 0 = unlimited.
	UploadLimit, DownloadLimit uint64
	// UploadAvailable and DownloadAvailable are the bytes that their buckets hold; 0 without a limit.
	UploadAvailable, DownloadAvailable uint64
	denied                             [C.PEERGUARD_REASONS]uint64
}

// Denied counts the requests that were refused for a reason.
func (t *Totals) Denied(reason Reason) uint64 {
	if uint64(reason) >= uint64(len(t.denied)) {
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

// Totals reads the guard's figures without the peers: one pass over the records, about 30 ns for each.
func (g *Guard) Totals() (Totals, error) {
	totals := C.peerguard_totals{struct_size: C.sizeof_peerguard_totals}
	status := C.peerguard_get_totals(g.handle, &totals)
	runtime.KeepAlive(g)
	if err := failure(status); err != nil {
		return Totals{}, err
	}
	return totalsOf(&totals), nil
}

// Occupancy tells how many peers have a record, and how many can have one. It looks at no record.
func (g *Guard) Occupancy() (peers, capacity int, err error) {
	var have, can C.size_t
	status := C.peerguard_occupancy(g.handle, &have, &can)
	runtime.KeepAlive(g)
	return int(have), int(can), failure(status)
}
