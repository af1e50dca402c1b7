package peerguard

// #include "peerguard.h"
import "C"

import "time"

// Config is everything a guard is made from. Start from [DefaultConfig]. Each field tells its range and, in brackets, its
// default. Rates are bytes per second.
type Config struct {
	// MaxPeers is how many peers have a record at most: 1 to 2^26 (100,000). Memory is taken at the start: about 200 bytes for
	// each, 64 more with a FailureRate, and 8 to 16 for what [Guard.Admit] remembers.
	MaxPeers uint64
	// EventCapacity is how many events are kept: 1 to 2^20, rounded up to a power of two (1024), 56 bytes each.
	EventCapacity uint64
	// RefuseNewcomers: when no record can be made, refuse instead of serving without one (false).
	RefuseNewcomers bool

	// FailureThreshold: so many failures within FailureWindow, without a success between them, open the breaker: 1 to 31 (5).
	FailureThreshold uint32
	// FailureWindow is the rolling window in which failures count: 8 ns to 24 h (60 s).
	FailureWindow time.Duration
	// RecoveryTimeout is how long an opened breaker refuses before it tries again: 1 ms to 24 h (30 s).
	RecoveryTimeout time.Duration
	// MaxOpenTime is the longest open time before jitter: RecoveryTimeout to 24 h (300 s).
	MaxOpenTime time.Duration
	// ProbeTimeout: probes that have not reported this long after the last one was admitted are taken back: 1 ms to 24 h;
	// [Forever] = RecoveryTimeout (Forever).
	ProbeTimeout time.Duration
	// SuccessThreshold: so many successful probes close a half-open breaker: 1 to 15 (2).
	SuccessThreshold uint32
	// HalfOpenMaxProbes is how many probes a half-open breaker admits at once: 1 to 15; 0 = SuccessThreshold (0).
	HalfOpenMaxProbes uint32
	// Backoff doubles the open time at each re-opening, and halves it per 300 s closed (true).
	Backoff bool
	// FailureRate is the share of failed calls that opens the breaker: above 0 and at most 1; 0 = not judged (0).
	FailureRate float64
	// FailureRateMinCalls is how many calls the window must have before their share is judged: 1 to 65,535 (20).
	FailureRateMinCalls uint32
	// Jitter is the largest share of the open time that is added at random: 0 to 1 (0.1).
	Jitter float64

	// InitialScore is that of a peer that nothing is known of: above 0 and below MaxScore (50).
	InitialScore float64
	// MaxScore is the largest score: above 0 and at most 100 (100).
	MaxScore float64
	// MinScore: the change that takes a score from above it to it or below bans: 0 to less than half of InitialScore (0).
	MinScore float64
	// HourlyDecayFactor is what remains of the distance to InitialScore after an hour: above 0 and at most 1 (0.99).
	HourlyDecayFactor float64
	// BanDuration is the length of the first earned ban, doubled for each remembered one: 1 ms to 10 years; [Forever] = until
	// unbanned (1 h).
	BanDuration time.Duration
	// MaxBanDuration is the longest earned ban: BanDuration to 10 years (24 h).
	MaxBanDuration time.Duration
	// OffenceMemory is the unbanned time in which one offence is forgotten: 1 s to 10 years (24 h).
	OffenceMemory time.Duration
	// LatencyWeight is the weight of the latency in the order of sync candidates: 0 to 10 (0.1).
	LatencyWeight float64
	// Weights is what each outcome adds to the score.
	Weights Weights

	// UploadLimit is for what is sent to all peers together: 0 = unlimited, at most 2^40 (0).
	UploadLimit uint64
	// DownloadLimit is for what is received from all peers together: 0 = unlimited, at most 2^40 (0).
	DownloadLimit uint64
	// PerPeerUploadLimit is for what is sent to each peer: 0 = unlimited, at most 2^40 (0).
	PerPeerUploadLimit uint64
	// PerPeerDownloadLimit is for what is received from each peer: 0 = unlimited, at most 2^40 (0).
	PerPeerDownloadLimit uint64
	// RefillInterval: a bucket holds ten times what its rate gives in this time, at least one byte: 1 ns to 1 h (100 ms).
	RefillInterval time.Duration
}

// Weights is what each outcome adds to the score, within -100 to 100. [Fatal] has none: it bans.
type Weights struct {
	// SyncSuccess is for a sync that went well (2).
	SyncSuccess float64
	// SyncFailure is for a sync that failed (-5).
	SyncFailure float64
	// MessageSuccess is for a message that went well (0.5).
	MessageSuccess float64
	// MessageFailure is for a message that failed (-1).
	MessageFailure float64
	// Timeout is for an answer that did not come in time (-1).
	Timeout float64
	// Unreachable is for a failed dial or a reset connection (-1).
	Unreachable float64
	// ProtocolViolation is for a breach of the protocol (-10).
	ProtocolViolation float64
}

// DefaultConfig is the default configuration.
func DefaultConfig() Config {
	var raw C.peerguard_config
	C.peerguard_config_init(&raw, C.sizeof_peerguard_config)
	return configOf(&raw)
}

// ClassicConfig is the original's: no back-off, no jitter, bans that end only when lifted.
func ClassicConfig() Config {
	var raw C.peerguard_config
	C.peerguard_config_init_classic(&raw, C.sizeof_peerguard_config)
	return configOf(&raw)
}

func configOf(c *C.peerguard_config) Config {
	return Config{
		MaxPeers:             uint64(c.max_peers),
		EventCapacity:        uint64(c.event_capacity),
		RefuseNewcomers:      c.newcomers == C.PEERGUARD_NEWCOMERS_REFUSE,
		FailureThreshold:     uint32(c.failure_threshold),
		FailureWindow:        duration(c.failure_window),
		RecoveryTimeout:      duration(c.recovery_timeout),
		MaxOpenTime:          duration(c.max_open_time),
		ProbeTimeout:         duration(c.probe_timeout),
		SuccessThreshold:     uint32(c.success_threshold),
		HalfOpenMaxProbes:    uint32(c.half_open_max_probes),
		Backoff:              c.backoff != 0,
		FailureRate:          float64(c.failure_rate),
		FailureRateMinCalls:  uint32(c.failure_rate_min_calls),
		Jitter:               float64(c.jitter),
		InitialScore:         float64(c.initial_score),
		MaxScore:             float64(c.max_score),
		MinScore:             float64(c.min_score),
		HourlyDecayFactor:    float64(c.hourly_decay_factor),
		BanDuration:          duration(c.ban_duration),
		MaxBanDuration:       duration(c.max_ban_duration),
		OffenceMemory:        duration(c.offence_memory),
		LatencyWeight:        float64(c.latency_weight),
		UploadLimit:          uint64(c.upload_limit_bps),
		DownloadLimit:        uint64(c.download_limit_bps),
		PerPeerUploadLimit:   uint64(c.per_peer_upload_bps),
		PerPeerDownloadLimit: uint64(c.per_peer_download_bps),
		RefillInterval:       duration(c.refill_interval),
		Weights: Weights{
			SyncSuccess:       float64(c.weight_sync_success),
			SyncFailure:       float64(c.weight_sync_failure),
			MessageSuccess:    float64(c.weight_message_success),
			MessageFailure:    float64(c.weight_message_failure),
			Timeout:           float64(c.weight_timeout),
			Unreachable:       float64(c.weight_unreachable),
			ProtocolViolation: float64(c.weight_protocol_violation),
		},
	}
}

func (c *Config) raw() C.peerguard_config {
	raw := C.peerguard_config{
		struct_size:               C.sizeof_peerguard_config,
		max_peers:                 C.uint64_t(c.MaxPeers),
		event_capacity:            C.uint64_t(c.EventCapacity),
		failure_threshold:         C.uint32_t(c.FailureThreshold),
		failure_window:            nanos(c.FailureWindow),
		recovery_timeout:          nanos(c.RecoveryTimeout),
		max_open_time:             nanos(c.MaxOpenTime),
		probe_timeout:             nanos(c.ProbeTimeout),
		success_threshold:         C.uint32_t(c.SuccessThreshold),
		half_open_max_probes:      C.uint32_t(c.HalfOpenMaxProbes),
		failure_rate:              C.double(c.FailureRate),
		failure_rate_min_calls:    C.uint32_t(c.FailureRateMinCalls),
		jitter:                    C.double(c.Jitter),
		initial_score:             C.double(c.InitialScore),
		max_score:                 C.double(c.MaxScore),
		min_score:                 C.double(c.MinScore),
		hourly_decay_factor:       C.double(c.HourlyDecayFactor),
		ban_duration:              nanos(c.BanDuration),
		max_ban_duration:          nanos(c.MaxBanDuration),
		offence_memory:            nanos(c.OffenceMemory),
		latency_weight:            C.double(c.LatencyWeight),
		weight_sync_success:       C.double(c.Weights.SyncSuccess),
		weight_sync_failure:       C.double(c.Weights.SyncFailure),
		weight_message_success:    C.double(c.Weights.MessageSuccess),
		weight_message_failure:    C.double(c.Weights.MessageFailure),
		weight_timeout:            C.double(c.Weights.Timeout),
		weight_unreachable:        C.double(c.Weights.Unreachable),
		weight_protocol_violation: C.double(c.Weights.ProtocolViolation),
		upload_limit_bps:          C.uint64_t(c.UploadLimit),
		download_limit_bps:        C.uint64_t(c.DownloadLimit),
		per_peer_upload_bps:       C.uint64_t(c.PerPeerUploadLimit),
		per_peer_download_bps:     C.uint64_t(c.PerPeerDownloadLimit),
		refill_interval:           nanos(c.RefillInterval),
	}
	if c.RefuseNewcomers {
		raw.newcomers = C.PEERGUARD_NEWCOMERS_REFUSE
	}
	if c.Backoff {
		raw.backoff = 1
	}
	return raw
}

// Limits are the limits of a running guard, in bytes per second: 0 = unlimited, at most 2^40.
type Limits struct {
	// Upload is for what is sent to all peers together.
	Upload uint64
	// Download is for what is received from all peers together.
	Download uint64
	// PerPeerUpload is for what is sent to each peer that has no limit of its own.
	PerPeerUpload uint64
	// PerPeerDownload is for what is received from each peer that has no limit of its own.
	PerPeerDownload uint64
}
