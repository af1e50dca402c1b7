package peerguard

// #include "peerguard.h"
import "C"

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
